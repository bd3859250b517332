// Why a measured figure is not the expected one: the set-up is varied in the ways that are commonly
// wrong, on a part of the data set, and what comes nearest is named (spec: evaluation, order of
// work when a figure is off).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/thread_pool.h"
#include "datasets/dataset.h"
#include "model/embedder.h"
#include "pipeline/embed_images.h"
#include "text/tokenizer.h"

namespace clipnext::eval {

using EmbedderFactory = std::function<std::unique_ptr<model::Embedder>(const model::ClipConfig&)>;

struct NamedPrompts {
  std::string name;  // "ImageNet's 80 templates"
  datasets::Prompts prompts;
};

/// One figure that was missed, and all it takes to measure it again on some of the images.
struct MissedFigure {
  model::ClipConfig config;  // as evaluated
  /// The model with another config: activation, mean and std are the embedder's own affair. Throws
  /// Error where that cannot be (a packed file), which is reported and passed over.
  EmbedderFactory make_embedder;
  std::vector<pipeline::ImageSource> images = {};  // those to measure on, all of which can be read
  int64_t images_in_all = 0;
  pipeline::ConvertOrder convert = pipeline::ConvertOrder::kFirst;

  datasets::Prompts prompts = {};  // as evaluated; empty where there are none (retrieval)
  std::vector<NamedPrompts> other_prompts = {};  // to try instead
  int64_t classes = 0;                           // that prompts are written for
  int64_t most_prompts = 20'000;                 // of longer lists every so-manieth is taken
  /// The vectors that images are compared with: of classes, of captions.
  std::function<std::vector<float>(model::Embedder&, const datasets::Prompts&)> embed_texts = {};
  /// The metric, of the vectors of `images` and those that embed_texts gave.
  std::function<double(std::span<const float> images, std::span<const float> texts)> score = {};

  double measured = 0, expected = 0, tolerance = 0;  // on all images
};

/// A change of the set-up that brings the figure nearer.
struct Suspect {
  std::string what;      // "resize mode squash instead of shortest"
  std::string advice;    // one sentence: what to change
  double figure = 0;     // what would be measured on all images, as far as the part tells
  bool reaches = false;  // whether that is the expected figure
};

struct Diagnosis {
  std::vector<std::string> facts;    // what is odd about the data set itself
  std::vector<Suspect> suspects;     // nearest to the expected figure first
  std::vector<std::string> untried;  // and why
  int64_t images = 0;                // measured on
};

/// Tries the other resize modes and interpolations, means and standard deviations, prompts, and
/// GELU for QuickGELU or the reverse, each alone. Throws Interrupted between batches.
Diagnosis diagnose(const MissedFigure& missed, const ThreadPool& pool);

/// At most `most` of 0 ... n - 1, evenly spread, ascending.
std::vector<int64_t> spread(int64_t n, int64_t most);

/// The MissedFigure of acc1, acc5 or mean_per_class_recall of a classification set, on at most
/// `most_images`; what diagnose tries as prompts are "a photo of a {c}.", "{c}" and
/// `other_prompts`. Set, tokenizer and pool must outlive what is returned. The caller adds the
/// numbers, and for prompts by class another embed_texts.
MissedFigure missed_classification(const datasets::Dataset& set, const std::string& metric,
                                   const model::ClipConfig& config, EmbedderFactory make_embedder,
                                   const text::Tokenizer& tokenizer,
                                   std::vector<NamedPrompts> other_prompts, int64_t most_images,
                                   ThreadPool& pool);

/// What a data set is known to hold.
struct KnownCounts {
  std::optional<int64_t> images = {}, classes = {}, templates = {};
};

/// What is odd about a data set, in sentences: counts that are not the known ones, images listed
/// twice, labels that do not occur, an accuracy that guessing would reach.
std::vector<std::string> odd_facts(const datasets::Dataset& set, const KnownCounts& known,
                                   double measured, double expected);

/// For people, and as JSON.
std::string diagnosis_text(const Diagnosis& diagnosis, const MissedFigure& missed);
OrderedJson diagnosis_json(const Diagnosis& diagnosis);

}  // namespace clipnext::eval
