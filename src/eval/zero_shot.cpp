#include "eval/zero_shot.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "pipeline/embed_texts.h"

namespace clipnext::eval {
namespace {

void make_unit(std::span<float> vector) {
  double squares = 0;
  for (float v : vector) squares += static_cast<double>(v) * v;
  const double inverse = 1.0 / std::max(std::sqrt(squares), 1e-12);
  for (float& v : vector) v = static_cast<float>(v * inverse);
}

// The vectors of all prompts, class by class (`counts` of each), to one unit vector a class.
std::vector<float> average_prompts(std::span<const float> texts, std::span<const size_t> counts,
                                   size_t dim) {
  std::vector<float> vectors(counts.size() * dim);
  const float* text = texts.data();
  for (size_t label = 0; label < counts.size(); ++label) {
    const std::span<float> mean(vectors.data() + label * dim, dim);
    for (size_t j = 0; j < dim; ++j) {
      double sum = 0;
      for (size_t t = 0; t < counts[label]; ++t) sum += text[t * dim + j];
      mean[j] = static_cast<float>(sum / static_cast<double>(counts[label]));
    }
    make_unit(mean);
    text += counts[label] * dim;
  }
  return vectors;
}

// Of the products with the tower's matrices, had the rows nothing in common.
double text_flop(const model::TextConfig& text, const model::TokenRows& rows) {
  int64_t positions = 0;
  for (int64_t i = 0; i < rows.size(); ++i) positions += static_cast<int64_t>(rows.row(i).size());
  const double block = 2.0 * static_cast<double>(text.width) *
                       static_cast<double>(4 * text.width + 2 * text.mlp_width);
  return static_cast<double>(positions * text.layers) * block;
}

// Of all that the class vectors follow from. What the labels and templates are called is not among
// it, only their tokens.
ContentHash class_key(const std::string& identity, const model::TokenRows& rows,
                      std::span<const size_t> counts) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < rows.size(); ++i) {
    const auto row = rows.row(i);
    ids.push_back(-static_cast<int32_t>(row.size()));  // no id is negative
    ids.insert(ids.end(), row.begin(), row.end());
  }
  ContentHash key = hash_text("clipnext class vectors 2");
  key = hash_bytes(std::as_bytes(counts), key);
  key = hash_text(identity, key);
  return hash_bytes(std::as_bytes(std::span(ids)), key);
}

std::vector<float> class_vectors(model::Embedder& embedder, const model::TokenRows& rows,
                                 std::span<const size_t> counts, const pipeline::BatchDone& done) {
  return average_prompts(pipeline::embed_rows(embedder, rows, done), counts,
                         static_cast<size_t>(embedder.config().embed_dim));
}

std::vector<float> cached_vectors(model::Embedder& embedder, const model::TokenRows& rows,
                                  std::span<const size_t> counts, const pipeline::BatchDone& done,
                                  const ClassCache& cache) {
  std::string identity;
  if (cache.wants(text_flop(embedder.config().text, rows))) identity = embedder.text_identity();
  if (identity.empty()) return class_vectors(embedder, rows, counts, done);
  const ContentHash key = class_key(identity, rows, counts);
  const auto count = std::ssize(counts);
  const int64_t dim = embedder.config().embed_dim;
  if (auto found = cache.find(key, count, dim)) {
    if (done) done(rows.size());
    return *std::move(found);
  }
  std::vector<float> vectors = class_vectors(embedder, rows, counts, done);
  cache.keep(key, vectors, count, dim);
  return vectors;
}

}  // namespace

std::string fill_template(std::string_view text, std::string_view label) {
  std::string filled;
  size_t i = 0;
  while (i < text.size()) {
    const std::string_view rest = text.substr(i);
    if (rest.starts_with("{{") || rest.starts_with("}}")) {
      filled += text[i];
      i += 2;
    } else if (rest.starts_with("{c}")) {
      filled += label;
      i += 3;
    } else {
      require(text[i] != '{' && text[i] != '}', "template \"", text,
              "\": in braces only {c} may stand, where the label goes; a brace itself is written "
              "{{ or }}");
      filled += text[i++];
    }
  }
  return filled;
}

std::string name_field(std::string_view text) {
  std::string named;
  bool found = false;
  for (size_t i = 0; i < text.size();) {
    const std::string_view rest = text.substr(i);
    const bool escape = rest.starts_with("{{") || rest.starts_with("}}");
    const bool empty = rest.starts_with("{}");
    found = found || empty || (!escape && rest.starts_with("{c}"));
    named += empty ? "{c}" : rest.substr(0, escape ? 2 : 1);
    i += escape || empty ? 2 : 1;
  }
  require(found, "template \"", text, "\" has no {} or {c} where the label goes");
  return named;
}

std::vector<std::string> name_fields(std::span<const std::string> templates) {
  std::vector<std::string> named;
  named.reserve(templates.size());
  for (const std::string& text : templates) named.push_back(name_field(text));
  return named;
}

std::vector<std::string> fill_templates(std::span<const std::string> labels,
                                        std::span<const std::string> templates) {
  require(!labels.empty(), "no labels to choose from");
  require(!templates.empty(), "no templates to write the labels into");
  std::vector<std::string> prompts;
  prompts.reserve(labels.size() * templates.size());
  for (const std::string& label : labels) {
    for (const std::string& text : templates) prompts.push_back(fill_template(text, label));
  }
  return prompts;
}

ClassPrompts class_prompts(const datasets::Dataset& set) {
  ClassPrompts prompts;
  const auto& by_class = set.prompts.by_class;
  if (by_class.empty()) {
    prompts.texts = fill_templates(set.classes, set.prompts.templates);
    prompts.counts.assign(set.classes.size(), set.prompts.templates.size());
    return prompts;
  }
  for (const std::string& name : set.classes) {
    const auto own = std::ranges::find(by_class, name, [](const auto& p) { return p.first; });
    require(own != by_class.end() && !own->second.empty(), "class \"", name, "\" has no prompts");
    prompts.texts.insert(prompts.texts.end(), own->second.begin(), own->second.end());
    prompts.counts.push_back(own->second.size());
  }
  return prompts;
}

Classifier make_classifier(model::Embedder& embedder, const text::Tokenizer& tokenizer,
                           std::vector<std::string> labels, const ClassPrompts& prompts,
                           const pipeline::BatchDone& done, const ClassCache& cache) {
  const model::TokenRows rows =
      pipeline::tokenize_texts(tokenizer, embedder.config().text.context_length, prompts.texts)
          .rows;
  Classifier classifier;
  classifier.dim = embedder.config().embed_dim;
  classifier.scale = embedder.logit_scale();
  classifier.bias = embedder.logit_bias();
  classifier.vectors = cached_vectors(embedder, rows, prompts.counts, done, cache);
  classifier.labels = std::move(labels);
  return classifier;
}

Classifier make_classifier(model::Embedder& embedder, const text::Tokenizer& tokenizer,
                           std::vector<std::string> labels, std::span<const std::string> templates,
                           const pipeline::BatchDone& done, const ClassCache& cache) {
  const ClassPrompts prompts{.texts = fill_templates(labels, templates),
                             .counts = std::vector<size_t>(labels.size(), templates.size())};
  return make_classifier(embedder, tokenizer, std::move(labels), prompts, done, cache);
}

std::vector<Prediction> Classifier::predict(std::span<const float> image, int64_t k) const {
  std::vector<Prediction> all(labels.size());
  double best = -INFINITY;
  for (size_t i = 0; i < labels.size(); ++i) {
    const std::span<const float> label(vectors.data() + i * image.size(), image.size());
    const double cosine = std::inner_product(image.begin(), image.end(), label.begin(), 0.0);
    const double logit = scale * cosine + bias;
    all[i] = {.label = static_cast<int64_t>(i),
              .similarity = static_cast<float>(cosine),
              .probability = logit};
    best = std::max(best, logit);
  }
  double sum = 0;
  for (Prediction& p : all) sum += p.probability = std::exp(p.probability - best);
  for (Prediction& p : all) p.probability /= sum;

  const auto kept = std::min(static_cast<size_t>(std::max<int64_t>(k, 0)), all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(kept), all.end(),
                    [](const Prediction& a, const Prediction& b) {
                      return a.similarity != b.similarity ? a.similarity > b.similarity
                                                          : a.label < b.label;
                    });
  all.resize(kept);
  return all;
}

Accuracy measure(model::Embedder& embedder, ThreadPool& pool, const Classifier& classifier,
                 const datasets::Dataset& set, const pipeline::BatchDone& done) {
  require(set.kind == datasets::Kind::kClassification && set.labels.size() == set.images.size(),
          "accuracy needs one label for each picture, and this set has none");
  const pipeline::Embedded embedded = pipeline::embed_images(
      embedder, pool, set.images, {.convert = pipeline::ConvertOrder::kFirst}, done);
  for (const int64_t label : set.labels) {
    require(label < static_cast<int64_t>(classifier.labels.size()), "label ", label, " of ",
            classifier.labels.size(), " classes");
  }
  return count_right(
      guess(embedded.vectors, {.weights = classifier.vectors, .bias = {}, .dim = classifier.dim},
            set.labels, pool),
      set.labels);
}

}  // namespace clipnext::eval
