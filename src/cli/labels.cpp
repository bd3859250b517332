#include "cli/labels.h"

#include <optional>
#include <utility>

#include "base/error.h"
#include "base/progress.h"
#include "base/text_lines.h"
#include "cli/common.h"
#include "datasets/catalogue.h"
#include "datasets/names.h"

namespace clipnext::cli {
namespace {

std::vector<std::string> split_commas(std::string_view text) {
  std::vector<std::string> items;
  while (true) {
    const size_t comma = text.find(',');
    items.emplace_back(trim(text.substr(0, comma)));
    if (comma == std::string_view::npos) return items;
    text.remove_prefix(comma + 1);
  }
}

struct KnownList {
  std::string dataset, language;
};

// "@pets" or "@imagenet:it": the lists that a data set is evaluated with. Nothing for other texts.
std::optional<KnownList> known_list(const char* option, const std::string& text) {
  if (!text.starts_with('@') || text.find(',') != std::string::npos) return std::nullopt;
  const size_t colon = text.find(':');
  KnownList list{.dataset = text.substr(1, colon == std::string::npos ? colon : colon - 1),
                 .language = colon == std::string::npos ? "en" : text.substr(colon + 1)};
  if (list.dataset == "imagenet") list.dataset = "imagenet1k";
  if (datasets::find_in_catalogue(list.dataset) == nullptr) {
    throw CLI::ValidationError(option, "'" + text +
                                           "' is no data set known by name; there is @imagenet, "
                                           "@vtab/pets and the like, @imagenet:it in Italian");
  }
  return list;
}

}  // namespace

void add_label_options(CLI::App& command, LabelOptions& options) {
  auto* labels =
      command.add_option("--labels", options.labels,
                         "what to choose from, separated by commas: \"cat,dog\"; @imagenet: its "
                         "1,000 class names (@vtab/pets ..., @imagenet:it)");
  command
      .add_option("--labels-file", options.labels_file,
                  "file with one label a line (labels with commas), - for standard input")
      ->excludes(labels);
  command
      .add_option("--template", options.templates,
                  "sentence around the label, {} or {c} standing for it; several are averaged; "
                  "default: the label itself; @imagenet: its 80 templates (@vtab/pets ...)")
      ->type_name("TEXT")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command.add_option("--templates-file", options.templates_file,
                     "file with one template a line, - for standard input");
  command.add_flag("--no-cache", options.no_cache,
                   "compute the label vectors even if they are kept in $CLIPNEXT_CACHE (default "
                   "~/.cache/clipnext), and do not keep them");
}

std::vector<std::string> read_labels(const LabelOptions& options) {
  if (!options.labels_file.empty()) {
    std::vector<std::string> labels = split_items(read_file_or_stdin(options.labels_file));
    require(!labels.empty(), options.labels_file, ": no labels in this file");
    return labels;
  }
  if (const auto known = known_list("--labels", options.labels)) {
    return datasets::class_names(known->dataset, known->language);
  }
  if (trim(options.labels).empty()) {
    throw CLI::ValidationError("--labels", "at least one label is needed, as in \"cat,dog\"");
  }
  std::vector<std::string> labels = split_commas(options.labels);
  for (const std::string& label : labels) {
    if (label.empty()) throw CLI::ValidationError("--labels", "a label between commas is empty");
  }
  return labels;
}

std::vector<std::string> read_templates(const LabelOptions& options) {
  std::vector<std::string> templates;
  for (const std::string& text : options.templates) {
    if (const auto known = known_list("--template", text)) {
      const auto all = datasets::templates(known->dataset, known->language);
      templates.insert(templates.end(), all.begin(), all.end());
      continue;
    }
    templates.push_back(text);
    try {
      eval::fill_template(eval::name_field(text), "");
    } catch (const Error& error) {
      throw CLI::ValidationError("--template", error.what());
    }
  }
  if (!options.templates_file.empty()) {
    const std::vector<std::string> more = split_items(read_file_or_stdin(options.templates_file));
    require(!more.empty(), options.templates_file, ": no templates in this file");
    templates.insert(templates.end(), more.begin(), more.end());
  }
  if (templates.empty()) templates.emplace_back("{}");
  return templates;
}

eval::Classifier make_classifier(model::Embedder& embedder, const text::Tokenizer& tokenizer,
                                 std::vector<std::string> labels,
                                 const std::vector<std::string>& templates,
                                 const eval::ClassCache& cache) {
  Progress progress("texts", static_cast<int64_t>(labels.size() * templates.size()), "texts");
  return eval::make_classifier(
      embedder, tokenizer, std::move(labels), eval::name_fields(templates),
      [&](int64_t n) { progress.add(n); }, cache);
}

eval::ClassCache class_cache(const LabelOptions& options) {
  return options.no_cache ? eval::ClassCache() : eval::ClassCache(eval::default_cache_folder());
}

std::vector<std::string> prediction_lines(const eval::Classifier& classifier,
                                          const std::vector<eval::Prediction>& predictions) {
  std::vector<std::string> lines;
  lines.reserve(predictions.size());
  for (const eval::Prediction& p : predictions) {
    lines.push_back(format("%6.1f%%  %s", 100 * p.probability,
                           classifier.labels[static_cast<size_t>(p.label)].c_str()));
  }
  return lines;
}

OrderedJson predictions_json(const eval::Classifier& classifier,
                             const std::vector<eval::Prediction>& predictions) {
  OrderedJson list = OrderedJson::array();
  for (const eval::Prediction& p : predictions) {
    list.push_back({{"label", classifier.labels[static_cast<size_t>(p.label)]},
                    {"probability", p.probability},
                    {"similarity", json_number(p.similarity)}});
  }
  return list;
}

}  // namespace clipnext::cli
