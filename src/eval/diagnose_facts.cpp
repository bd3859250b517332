// The cheap half of a diagnosis, its account for people, and the set-up for classification.
#include <algorithm>
#include <array>
#include <cstdio>
#include <set>
#include <utility>

#include "base/error.h"
#include "eval/diagnose.h"
#include "eval/metrics.h"
#include "eval/zero_shot.h"

namespace clipnext::eval {
namespace {

std::string number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4f", value);
  return text.data();
}

void add_count(const char* what, int64_t found, std::optional<int64_t> known,
               std::vector<std::string>& facts) {
  if (!known || *known == found) return;
  facts.push_back("The data set has " + std::to_string(found) + " " + what +
                  ", the published one " + std::to_string(*known) +
                  ": another or an incomplete copy.");
}

void add_label_facts(const datasets::Dataset& set, std::vector<std::string>& facts) {
  std::set<int64_t> seen(set.labels.begin(), set.labels.end());
  const size_t classes = set.classes.size();
  if (set.labels.size() >= classes && seen.size() < classes) {
    facts.push_back(std::to_string(classes - seen.size()) + " of " + std::to_string(classes) +
                    " classes have no image.");
  }
  std::set<std::string> names;
  int64_t again = 0;
  for (const auto& image : set.images) again += names.insert(image.name).second ? 0 : 1;
  if (again > 0) facts.push_back(std::to_string(again) + " images are listed more than once.");
}

}  // namespace

std::vector<std::string> odd_facts(const datasets::Dataset& set, const KnownCounts& known,
                                   double measured, double expected) {
  std::vector<std::string> facts;
  add_count("images", static_cast<int64_t>(set.images.size()), known.images, facts);
  add_count("classes", static_cast<int64_t>(set.classes.size()), known.classes, facts);
  if (set.prompts.by_class.empty()) {
    add_count("templates", static_cast<int64_t>(set.prompts.templates.size()), known.templates,
              facts);
  }
  if (set.kind != datasets::Kind::kClassification || set.classes.empty()) return facts;
  add_label_facts(set, facts);
  const double chance = 1.0 / static_cast<double>(set.classes.size());
  if (measured < 2 * chance && expected > 5 * chance) {
    facts.push_back("The accuracy is about that of guessing (" + number(chance) +
                    "): are labels numbered in another order than the class names (folders sorted "
                    "as text, 10 before 2)?");
  }
  return facts;
}

MissedFigure missed_classification(const datasets::Dataset& set, const std::string& metric,
                                   const model::ClipConfig& config, EmbedderFactory make_embedder,
                                   const text::Tokenizer& tokenizer,
                                   std::vector<NamedPrompts> other_prompts, int64_t most_images,
                                   ThreadPool& pool) {
  require(metric == "acc1" || metric == "acc5" || metric == "mean_per_class_recall",
          "no diagnosis of the metric ", metric);
  MissedFigure missed{.config = config, .make_embedder = std::move(make_embedder)};
  std::vector<int64_t> labels;
  const auto chosen = spread(static_cast<int64_t>(set.images.size()), most_images);
  missed.images.reserve(chosen.size());
  labels.reserve(chosen.size());
  for (const int64_t i : chosen) {
    missed.images.push_back(set.images[static_cast<size_t>(i)]);
    labels.push_back(set.labels[static_cast<size_t>(i)]);
  }
  missed.images_in_all = static_cast<int64_t>(set.images.size());
  missed.prompts = set.prompts;
  missed.other_prompts = std::move(other_prompts);
  for (const char* plain : {"a photo of a {c}.", "{c}"}) {
    missed.other_prompts.push_back(
        {"the template \"" + std::string(plain) + "\" alone", {.templates = {plain}}});
  }
  missed.classes = static_cast<int64_t>(set.classes.size());
  missed.embed_texts = [&set, &tokenizer](model::Embedder& embedder,
                                          const datasets::Prompts& prompts) {
    return make_classifier(embedder, tokenizer, set.classes, prompts.templates).vectors;
  };
  missed.score = [metric, labels, &pool, dim = config.embed_dim](std::span<const float> images,
                                                                 std::span<const float> texts) {
    const LinearClasses classes{.weights = texts, .bias = {}, .dim = dim};
    const Accuracy accuracy = count_right(guess(images, classes, labels, pool), labels);
    if (metric == "acc1") return accuracy.acc1();
    return metric == "acc5" ? accuracy.acc5() : accuracy.mean_per_class_recall;
  };
  return missed;
}

std::string diagnosis_text(const Diagnosis& diagnosis, const MissedFigure& missed) {
  std::string text = "measured " + number(missed.measured) + ", expected " +
                     number(missed.expected) + "; first suspects, tried on " +
                     std::to_string(diagnosis.images) + " of " +
                     std::to_string(missed.images_in_all) + " images:\n";
  for (const std::string& fact : diagnosis.facts) text += "  ! " + fact + "\n";
  int rank = 0;
  for (const Suspect& suspect : diagnosis.suspects) {
    text += "  " + std::to_string(++rank) + ". " + suspect.what + ": " + number(suspect.figure) +
            (suspect.reaches ? ", which is the expected figure" : "") + ". " + suspect.advice +
            "\n";
  }
  if (diagnosis.suspects.empty()) {
    text +=
        "  none of the usual changes comes nearer; compare weights, tokenizer and pictures "
        "(clipnext verify)\n";
  }
  for (const std::string& one : diagnosis.untried) text += "  not tried: " + one + "\n";
  return text;
}

OrderedJson diagnosis_json(const Diagnosis& diagnosis) {
  OrderedJson suspects = OrderedJson::array();
  for (const Suspect& suspect : diagnosis.suspects) {
    suspects.push_back({{"what", suspect.what},
                        {"figure", suspect.figure},
                        {"reaches", suspect.reaches},
                        {"advice", suspect.advice}});
  }
  return {{"images", diagnosis.images},
          {"facts", diagnosis.facts},
          {"suspects", suspects},
          {"untried", diagnosis.untried}};
}

}  // namespace clipnext::eval
