// Zero-shot classification: labels written into templates become one vector each, and pictures are
// compared with them (Radford et al., arXiv:2103.00020, section 3.1; open_clip's
// build_zero_shot_classifier).
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "eval/class_cache.h"
#include "eval/metrics.h"
#include "model/embedder.h"
#include "pipeline/embed_images.h"
#include "text/tokenizer.h"

namespace clipnext::eval {

/// `text` with every `{}` and `{c}` replaced by the label. Throws Error if it holds neither.
std::string fill_template(std::string_view text, std::string_view label);

/// Every template filled with every label, labels outer: [labels * templates]. Throws Error if
/// there are none of either.
std::vector<std::string> fill_templates(std::span<const std::string> labels,
                                        std::span<const std::string> templates);

struct Prediction {
  int64_t label = 0;       // index into Classifier::labels
  float similarity = 0;    // cosine
  double probability = 0;  // softmax over all labels of scale * similarity + bias
};

/// One unit vector for each label, and the model's scale for the softmax.
struct Classifier {
  std::vector<std::string> labels;
  std::vector<float> vectors;  // [labels, dim]
  int64_t dim = 0;
  float scale = 1.0f;
  float bias = 0.0f;

  /// The k most similar labels of one image vector [dim], best first; equal ones in label order.
  /// k is cut to the number of labels.
  std::vector<Prediction> predict(std::span<const float> image, int64_t k) const;
};

/// A label's vector is the mean of the unit vectors of its filled templates, made unit length
/// again. Labels and templates may not be empty. `done` hears of the texts embedded. The vectors
/// are taken from `cache` if it has them, bit for bit the same, and left there if not.
Classifier make_classifier(model::Embedder& embedder, const text::Tokenizer& tokenizer,
                           std::vector<std::string> labels, std::span<const std::string> templates,
                           const pipeline::BatchDone& done = {}, const ClassCache& cache = {});

/// A labelled set of pictures in CLIP_benchmark's webdataset layout.
struct LabelledImages {
  std::vector<std::string> class_names;
  std::vector<std::string> templates;
  std::vector<pipeline::ImageSource> images;
  std::vector<int64_t> labels;  // of each image, an index into class_names
};

/// Reads classnames.txt, zeroshot_classification_templates.txt and test/N.tar (test/nshards.txt of
/// them) of a folder. Throws Error naming the file that is wrong.
LabelledImages read_labelled_images(const std::filesystem::path& folder);

/// Names every picture (converted to RGB before the transform, as the reference's data sets do) and
/// counts the right answers. Throws Error on a picture that cannot be read, or a label without a
/// class.
Accuracy measure(model::Embedder& embedder, ThreadPool& pool, const Classifier& classifier,
                 const LabelledImages& set, const pipeline::BatchDone& done = {});

}  // namespace clipnext::eval
