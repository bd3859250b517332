#include "cli/soup_evaluator.h"

#include <unistd.h>

#include <CLI/Validators.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <system_error>

#include "base/error.h"
#include "base/folder_writer.h"
#include "base/interrupt.h"
#include "base/python_json.h"
#include "base/text_lines.h"
#include "data/child_process.h"
#include "datasets/catalogue.h"
#include "eval/class_cache.h"
#include "pipeline/embed_texts.h"

namespace clipnext::cli {
namespace {

namespace fs = std::filesystem;

// Splits that papers give figures of. ImageNet's is called val by everyone.
bool is_test_data(const std::string& dataset, const std::string& split) {
  const std::string name = datasets::short_name(dataset);
  if (datasets::find_in_catalogue(name) == nullptr) return false;
  const bool imagenet = name.starts_with("imagenet") || name == "objectnet";
  return split == "test" || (imagenet && split != "train");
}

std::string task_of(const std::string& dataset, const datasets::Dataset& set) {
  switch (set.kind) {
    case datasets::Kind::kRetrieval:
      return "zeroshot_retrieval";
    case datasets::Kind::kCaptionSelection:
      return "image_caption_selection";
    default:
      break;
  }
  return eval::resolve_task("auto", dataset);
}

std::string default_metric(const datasets::Dataset& set, const EvaluatorOptions& o) {
  switch (set.kind) {
    case datasets::Kind::kClassification:
      return "acc1";
    case datasets::Kind::kMultilabel:
      return "mean_average_precision";
    case datasets::Kind::kRetrieval:
      return "image_retrieval_recall@" + std::to_string(o.recall_k.front());
    case datasets::Kind::kCaptionSelection:
      break;
  }
  return "acc";
}

void add_numbers(const OrderedJson& object, soup::Scores& scores) {
  for (const auto& [name, value] : object.items()) {
    if (value.is_number()) scores[name] = value.get<double>();
  }
}

std::string read_output(const data::ChildProcess& child) {
  constexpr size_t kMost = size_t{64} << 20;
  std::string output;
  std::array<char, 1 << 14> chunk{};
  while (true) {
    throw_if_interrupted();
    const ssize_t count = read(child.output(), chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    require(count >= 0, "--eval-command: cannot read its output: ", std::strerror(errno));
    if (count == 0) return output;
    output.append(chunk.data(), static_cast<size_t>(count));
    require(output.size() <= kMost, "--eval-command: prints without end");
  }
}

}  // namespace

void add_evaluator_options(CLI::App& c, EvaluatorOptions& o) {
  const std::string group = "Scores";
  auto* datasets =
      c.add_option("--eval", o.datasets,
                   "a data set to score by, named as `clipnext eval` names them; given several "
                   "times, the mean counts")
          ->type_name("DATASET")
          ->expected(1)
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
          ->group(group);
  c.add_option("--dataset_root", o.dataset_root, "folder or URL, as of `clipnext eval`")
      ->capture_default_str()
      ->group(group);
  c.add_option("--split", o.split, "split to score on")->capture_default_str()->group(group);
  c.add_option("--language", o.language, "of class names and templates")
      ->capture_default_str()
      ->group(group);
  c.add_option("--annotation_file", o.annotation_file, "captions of a retrieval set")->group(group);
  c.add_option("--custom_classname_file", o.custom_classname_file,
               "JSON: class names by data set name")
      ->group(group);
  c.add_option("--custom_template_file", o.custom_template_file, "JSON: templates by data set name")
      ->group(group);
  c.add_option("--recall_k", o.recall_k, "of retrieval sets: 5, or 1,5,10")
      ->expected(1)
      ->delimiter(',')
      ->capture_default_str()
      ->group(group);
  c.add_option("--precision", o.precision, "type to compute in")
      ->check(CLI::IsMember({"auto", "fp32", "bf16"}))
      ->capture_default_str()
      ->group(group);
  c.add_option("--eval-command", o.command,
               "a shell command to score by instead: it is given a model folder as its last "
               "argument and prints one JSON object")
      ->excludes(datasets)
      ->group(group);
  c.add_option("--metric", o.metric,
               "the figure that counts, larger is better; default: acc1, of captions "
               "image_retrieval_recall@K")
      ->group(group);
  c.add_option("--scores", o.scores,
               "file that keeps the scores; default: OUT.scores.jsonl, removed in the end")
      ->group(group);
  c.add_flag("--i-know-this-is-test-data", o.test_data_allowed,
             "select by the test split of a published benchmark all the same")
      ->group(group);
}

void check_evaluator_options(const EvaluatorOptions& o, bool selects) {
  if (!o.command.empty() && o.metric.empty()) {
    throw CLI::RequiredError("--metric (a key of what --eval-command prints)");
  }
  if (!selects || o.test_data_allowed) return;
  for (const std::string& dataset : o.datasets) {
    if (!is_test_data(dataset, o.split)) continue;
    throw CLI::ValidationError(
        "--eval", dataset + " (" + o.split +
                      ") is a benchmark's test data: a model chosen by it has no figure on it any "
                      "more; choose by held-out training data, or insist with "
                      "--i-know-this-is-test-data");
  }
}

SoupEvaluator::SoupEvaluator(const EvaluatorOptions& options, const SoupOptions& soup_options,
                             const Pot& pot, Backend& backend, fs::path place)
    : options_(options),
      soup_options_(soup_options),
      pot_(pot),
      backend_(backend),
      place_(std::move(place)),
      pool_(soup_options.common.threads),
      metric_(options.metric),
      file_(options.scores.empty() ? fs::path(place_.string() + ".scores.jsonl") : options.scores) {
  for (const std::string& name : options.datasets) {
    datasets_.push_back(
        datasets::open_dataset({.name = name,
                                .root = eval::fill_dataset_root(options.dataset_root, name),
                                .split = options.split,
                                .language = options.language,
                                .annotation_file = options.annotation_file,
                                .custom_classname_file = options.custom_classname_file,
                                .custom_template_file = options.custom_template_file,
                                .cache = eval::default_cache_folder() / "datasets",
                                .progress = {}}));
    for (const std::string& warning : datasets_.back().warnings) {
      note(std::string(name).append(": ").append(warning));
    }
    tasks_.push_back(task_of(name, datasets_.back()));
    if (metric_.empty()) metric_ = default_metric(datasets_.back(), options);
  }
  sha256_.resize(pot.ingredients.size());
  pool_.parallel_for(std::ssize(pot.ingredients), [&](int64_t i) {
    sha256_[static_cast<size_t>(i)] =
        soup::hash_mapped(pot.ingredients[static_cast<size_t>(i)].bytes);
  });
  known_ = file_.size();
}

std::string SoupEvaluator::description() const {
  if (!options_.command.empty()) return options_.command;
  std::string text;
  for (const std::string& name : options_.datasets) text += (text.empty() ? "" : ", ") + name;
  return text + " (" + options_.split + ")";
}

// All that a score depends on besides what is averaged.
std::string SoupEvaluator::identity() const {
  OrderedJson json = {{"command", options_.command},
                      {"datasets", options_.datasets},
                      {"root", options_.dataset_root},
                      {"split", options_.split},
                      {"language", options_.language},
                      {"annotations", options_.annotation_file},
                      {"classnames", options_.custom_classname_file},
                      {"templates", options_.custom_template_file},
                      {"recall_k", options_.recall_k},
                      {"precision", options_.precision},
                      {"device", soup_options_.device},
                      {"config", pot_.config_file}};
  for (const datasets::Dataset& set : datasets_) {
    json["images"].push_back(set.images.size());
    json["classes"].push_back(set.classes.size());
    json["captions"].push_back(set.captions.size());
  }
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

soup::Scores SoupEvaluator::score(const std::vector<size_t>& members,
                                  const std::vector<double>& weights) {
  std::vector<std::string> hashes;
  hashes.reserve(members.size());
  for (const size_t i : members) hashes.push_back(sha256_[i]);
  const OrderedJson how = {{"weights", weights},
                           {"accumulate", soup_options_.accumulate},
                           {"dtype", soup_options_.dtype},
                           {"logit_scale", soup_options_.logit_scale},
                           {"only", soup_options_.selection.only},
                           {"exclude", soup_options_.selection.exclude},
                           {"ema", soup_options_.use_ema}};
  const std::string key = soup::score_key(hashes, how.dump(), identity());
  if (auto known = file_.find(key)) return *known;
  const std::vector<soup::Ingredient> ingredients = some_of(pot_, members);
  const soup::Plan plan =
      soup::make_plan(ingredients, plan_options(soup_options_, weights), &pot_.config);
  soup::Scores scores =
      options_.command.empty() ? compute(plan, ingredients) : run_command(plan, ingredients);
  value(scores);  // whether the metric is there
  file_.add(key, scores);
  return scores;
}

std::string SoupEvaluator::score_name(size_t dataset, const std::string& metric) const {
  return options_.datasets.size() < 2 ? metric : options_.datasets[dataset] + " " + metric;
}

std::vector<std::string> SoupEvaluator::value_names() const {
  std::vector<std::string> names;
  for (size_t i = 0; i < std::max<size_t>(1, options_.datasets.size()); ++i) {
    names.push_back(score_name(i, metric_));
  }
  return names;
}

double SoupEvaluator::value(const soup::Scores& scores) const {
  double sum = 0;
  const std::vector<std::string> names = value_names();
  for (const std::string& name : names) {
    const auto found = scores.find(name);
    if (found == scores.end()) {
      std::string known;
      for (const auto& [other, number] : scores) known += " " + other;
      fail("--metric ", name, ": the evaluation gives none of that name; there are:", known);
    }
    require(std::isfinite(found->second), name, " is ", found->second);
    sum += found->second;
  }
  return sum / static_cast<double>(names.size());
}

soup::Scores SoupEvaluator::compute(const soup::Plan& plan,
                                    std::span<const soup::Ingredient> ingredients) {
  ReadyModel ready;
  text::Tokenizer tokenizer;
  {
    model::Model model;
    model.config = pot_.config;
    model.config_json = pot_.config_file.dump();
    model.checkpoint.tensors = soup::make_tensors(plan, ingredients, pool_);
    model.name = "soup";
    model.tokenizer_folder = pot_.tokenizer_folder;
    tokenizer = pipeline::make_tokenizer(model);
    ready = backend_.load(model, pool_, infer::parse_compute_type(options_.precision));
  }  // the tensors have become the tower's own
  soup::Scores scores;
  eval::TaskOptions task;
  task.recall_k = options_.recall_k;
  task.quiet = soup_options_.common.json;
  for (size_t d = 0; d < datasets_.size(); ++d) {
    eval::Run run;
    run.model = "soup";
    run.dataset = options_.datasets[d];
    run.language = options_.language;
    const eval::Evaluation evaluation =
        eval::evaluate(run, tasks_[d], {.test = &datasets_[d]},
                       {.embedder = ready.clip.get(), .tokenizer = &tokenizer}, pool_, task);
    for (const auto& [name, number] : evaluation.metrics.items()) {
      if (number.is_number() && std::isfinite(number.get<double>())) {
        scores[score_name(d, name)] = number.get<double>();
      }
    }
  }
  return scores;
}

soup::Scores SoupEvaluator::run_command(const soup::Plan& plan,
                                        std::span<const soup::Ingredient> ingredients) {
  const FolderWriter writer(place_.string() + ".candidate");  // never committed
  const fs::path& folder = writer.folder();
  soup::PassOptions pass;
  pass.distances = false;
  pass.hashes = false;
  write_model(folder, pot_, plan, ingredients, pass, /*allow_nonfinite=*/false, pool_);
  data::ChildProcess child({"/bin/sh", "-c", options_.command + " \"$1\"", "sh", folder.string()});
  const std::string output = read_output(child);
  const int status = child.wait();
  require(status == 0, "--eval-command ", options_.command, ": ended with status ", status);
  return parse_scores(output, "--eval-command " + options_.command);
}

void SoupEvaluator::forget() {
  std::error_code ignored;
  if (options_.scores.empty()) fs::remove(file_.path(), ignored);
}

soup::Scores parse_scores(std::string_view output, const std::string& source) {
  const std::vector<std::string> lines = split_items(output);
  require(!lines.empty(), source, ": printed nothing; expected one JSON object");
  OrderedJson json;
  try {
    json = parse_python_json(trim(output), source);
  } catch (const Error&) {  // a program that says more than its result, which comes last
    json = parse_python_json(lines.back(), source + ": last line of its output");
  }
  require(json.is_object(), source, ": printed no JSON object");
  soup::Scores scores;
  add_numbers(json, scores);
  if (json.contains("metrics") && json["metrics"].is_object()) add_numbers(json["metrics"], scores);
  require(!scores.empty(), source, ": printed a JSON object without numbers");
  return scores;
}

}  // namespace clipnext::cli
