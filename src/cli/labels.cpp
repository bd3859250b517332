#include "cli/labels.h"

#include <utility>

#include "base/error.h"
#include "base/progress.h"
#include "base/text_lines.h"
#include "cli/common.h"
#include "datasets/names.h"

namespace clipnext::cli {
namespace {

constexpr const char* kImagenet = "@imagenet";

std::vector<std::string> split_commas(std::string_view text) {
  std::vector<std::string> items;
  while (true) {
    const size_t comma = text.find(',');
    items.emplace_back(trim(text.substr(0, comma)));
    if (comma == std::string_view::npos) return items;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace

void add_label_options(CLI::App& command, LabelOptions& options) {
  auto* labels =
      command.add_option("--labels", options.labels,
                         "what to choose from, separated by commas: \"cat,dog\"; @imagenet: its "
                         "1,000 class names");
  command
      .add_option("--labels-file", options.labels_file,
                  "file with one label a line (labels with commas), - for standard input")
      ->excludes(labels);
  command
      .add_option("--template", options.templates,
                  "sentence around the label, {} or {c} standing for it; several are averaged; "
                  "default: the label itself; @imagenet: its 80 templates")
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
  if (options.labels == kImagenet) return datasets::class_names("imagenet1k");
  if (options.labels.starts_with('@') && options.labels.find(',') == std::string::npos) {
    throw CLI::ValidationError(
        "--labels", "'" + options.labels + "' is no set of labels; there is " + kImagenet);
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
    if (text == kImagenet) {
      const auto all = datasets::templates("imagenet1k");
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
