#include "cli/eval_expect.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "datasets/catalogue.h"
#include "datasets/names.h"
#include "eval/diagnose.h"
#include "eval/expected.h"
#include "eval/zero_shot.h"

namespace clipnext::cli {
namespace {

// Each takes a handful of passes over the pictures; what is wrong with one set is wrong with all.
constexpr size_t kMostDiagnoses = 3;

eval::Precision precision_of(const LoadedModel& model) {
  switch (model.ready.type) {
    case infer::ComputeType::kFp32:
      return eval::Precision::kFp32;
    case infer::ComputeType::kBf16:
      return eval::Precision::kHalf;
    case infer::ComputeType::kInt8:
      break;
  }
  return eval::Precision::kInt8;
}

/// The runs of one model and what was expected of it.
class ModelCheck {
 public:
  ModelCheck(const EvalOptions& options, const Backend& backend, LoadedModel& model,
             const OpenAgain& open)
      : o_(options), backend_(backend), model_(model), open_(open) {}

  bool check(const std::vector<const EvaluatedRun*>& runs) {
    const eval::Run& first = runs.front()->run;
    const eval::Expectations expected =
        eval::read_expectations(o_.expect, first.model, first.pretrained);
    std::vector<eval::RunResult> results;
    results.reserve(runs.size());
    for (const EvaluatedRun* run : runs) results.push_back(run->result);
    const auto verdicts = eval::compare(results, expected, precision_of(model_));
    OrderedJson json = {{"model", first.model},
                        {"pretrained", first.pretrained},
                        {"expected_from", expected.source},
                        {"figures", eval::verdict_json(verdicts)}};
    if (!o_.common.json) {
      print(first.model + " " + first.pretrained + " against " + expected.source + "\n" +
            eval::verdict_table(verdicts));
    }
    OrderedJson diagnoses = OrderedJson::array();
    for (const eval::Verdict& verdict : verdicts) {
      if (verdict.outcome == eval::Outcome::kDeviation && diagnoses.size() < kMostDiagnoses &&
          o_.diagnose_images > 0) {
        diagnoses.push_back(explain(verdict, runs));
      }
    }
    json["diagnoses"] = std::move(diagnoses);
    if (o_.common.json) print_json(json);
    return !eval::missed(verdicts);
  }

 private:
  OrderedJson explain(const eval::Verdict& verdict,
                      const std::vector<const EvaluatedRun*>& runs) const {
    const auto run = std::ranges::find_if(runs, [&](const EvaluatedRun* r) {
      return datasets::short_name(r->result.dataset) ==
             datasets::short_name(verdict.figure.dataset);
    });
    if (run == runs.end()) return {};
    OrderedJson json = {{"dataset", verdict.figure.dataset}, {"metric", verdict.figure.metric}};
    const datasets::Dataset set = open_((*run)->run, true);
    const auto facts = eval::odd_facts(set, known_counts(verdict.figure.dataset),
                                       verdict.measured.value_or(0), verdict.figure.value);
    if (set.kind != datasets::Kind::kClassification || !set.prompts.by_class.empty()) {
      json["facts"] = facts;
      if (!o_.common.json) {
        for (const std::string& fact : facts) print("  " + fact + "\n");
      }
      return json;
    }
    eval::MissedFigure missed = eval::missed_classification(
        set, verdict.figure.metric, model_.model.config,
        [this](const model::ClipConfig& config) { return with_config(config); }, model_.tokenizer,
        other_prompts((*run)->run), o_.diagnose_images, model_.pool);
    missed.measured = verdict.measured.value_or(0);
    missed.expected = verdict.figure.value;
    missed.tolerance = verdict.tolerance;
    eval::Diagnosis diagnosis = eval::diagnose(missed, model_.pool);
    diagnosis.facts = facts;
    if (!o_.common.json) print(eval::diagnosis_text(diagnosis, missed));
    json.update(eval::diagnosis_json(diagnosis));
    return json;
  }

  std::unique_ptr<model::Embedder> with_config(const model::ClipConfig& config) const {
    require(!model::is_packed(model_.model.checkpoint), model_.model.name,
            " is packed: its weights were laid out for its own configuration");
    model::Model other = model_.model;
    other.config = config;
    return backend_.load(other, model_.pool, model_.ready.type).clip;
  }

  std::vector<eval::NamedPrompts> other_prompts(const eval::Run& run) const {
    std::vector<eval::NamedPrompts> others = {
        {.name = "ImageNet's 80 templates",
         .prompts = {.templates = datasets::templates("imagenet1k"), .by_class = {}}},
        {.name = "open_clip's 7 simple templates",
         .prompts = {.templates = datasets::simple_imagenet_templates(), .by_class = {}}}};
    if (!o_.custom_template_file.empty()) {
      others.push_back(
          {.name = "the data set's own templates", .prompts = open_(run, false).prompts});
    }
    return others;
  }

  static eval::KnownCounts known_counts(const std::string& dataset) {
    const datasets::CatalogueEntry* entry =
        datasets::find_in_catalogue(datasets::short_name(dataset));
    if (entry == nullptr) return {};
    return {.images = entry->images, .classes = entry->classes, .templates = entry->templates};
  }

  const EvalOptions& o_;
  const Backend& backend_;
  LoadedModel& model_;
  const OpenAgain& open_;
};

}  // namespace

void check_expectations(const EvalOptions& options, const std::vector<EvaluatedRun>& runs,
                        EvalModels& models, const OpenAgain& open) {
  std::map<std::pair<std::string, std::string>, std::vector<const EvaluatedRun*>> by_model;
  for (const EvaluatedRun& run : runs) {
    by_model[{run.run.model, run.run.pretrained}].push_back(&run);
  }
  bool reached = true;
  for (const auto& [name, own] : by_model) {
    LoadedModel& model = models.load(name.first, name.second);
    reached = ModelCheck(options, models.backend(), model, open).check(own) && reached;
  }
  if (!reached) throw ExpectationMissed("not every expected figure was reached");
}

}  // namespace clipnext::cli
