// Zero-shot classification: labels written into templates become one vector each, and pictures are
// compared with them (Radford et al., arXiv:2103.00020, section 3.1; open_clip's
// build_zero_shot_classifier).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "datasets/dataset.h"
#include "eval/class_cache.h"
#include "eval/metrics.h"
#include "model/embedder.h"
#include "pipeline/embed_images.h"
#include "text/tokenizer.h"

namespace clipnext::eval {

/// Python's text.format(c=label), which data sets' templates are written for: `{c}` is the label,
/// `{{` and `}}` are braces. Throws Error for anything else in braces.
std::string fill_template(std::string_view text, std::string_view label);

/// Templates as people type them, for fill_template: `{}` means `{c}`. Throws Error if the label
/// would stand nowhere.
std::string name_field(std::string_view text);
std::vector<std::string> name_fields(std::span<const std::string> templates);

/// Every template filled with every label, labels outer: [labels * templates]. Throws Error if
/// there are none of either.
std::vector<std::string> fill_templates(std::span<const std::string> labels,
                                        std::span<const std::string> templates);

/// Prompts, class by class.
struct ClassPrompts {
  std::vector<std::string> texts;
  std::vector<size_t> counts;  // of each class
};

/// The prompts of a data set: its templates filled, or those it has for each class by name (classes
/// of one name share them). Throws Error that names a class without any.
ClassPrompts class_prompts(const datasets::Dataset& set);

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

/// A label's vector is the mean of the unit vectors of its prompts, made unit length again. Every
/// label has at least one. `done` hears of the texts embedded. The vectors are taken from `cache`
/// if it has them, bit for bit the same, and left there if not.
Classifier make_classifier(model::Embedder& embedder, const text::Tokenizer& tokenizer,
                           std::vector<std::string> labels, const ClassPrompts& prompts,
                           const pipeline::BatchDone& done = {}, const ClassCache& cache = {});
/// The same with every template filled with every label.
Classifier make_classifier(model::Embedder& embedder, const text::Tokenizer& tokenizer,
                           std::vector<std::string> labels, std::span<const std::string> templates,
                           const pipeline::BatchDone& done = {}, const ClassCache& cache = {});

/// Names every picture of a classification set (converted to RGB before the transform, as the
/// reference's data sets do) and counts the right answers. Throws Error on a picture that cannot be
/// read, a label without a class, and a set of another kind.
Accuracy measure(model::Embedder& embedder, ThreadPool& pool, const Classifier& classifier,
                 const datasets::Dataset& set, const pipeline::BatchDone& done = {});

}  // namespace clipnext::eval
