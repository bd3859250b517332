// How the model was trained: options and figures of its runs, and what was averaged.
#include <array>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <optional>

#include "package/card_sections.h"
#include "package/markdown.h"
#include "run/python_literal.h"

namespace clipnext::package {
namespace {

struct Option {
  const char* name;  // in params.txt
  const char* title;
  bool path = false;  // only its last part is anybody's business
};

constexpr std::array kOptions = {
    Option{"model", "Model", true},
    Option{"pretrained", "Begun from", true},
    Option{"force_image_size", "Image size"},
    Option{"train_num_samples", "Samples of an epoch"},
    Option{"epochs", "Epochs"},
    Option{"batch_size", "Batch of a process"},
    Option{"world_size", "Processes"},
    Option{"accum_freq", "Batches of a step"},
    Option{"opt", "Optimizer"},
    Option{"lr", "Learning rate"},
    Option{"lr_scheduler", "Schedule"},
    Option{"warmup", "Warm-up (steps)"},
    Option{"beta1", "Beta 1"},
    Option{"beta2", "Beta 2"},
    Option{"eps", "Epsilon"},
    Option{"momentum", "Momentum"},
    Option{"wd", "Weight decay"},
    Option{"grad_clip_norm", "Gradients clipped to norm"},
    Option{"precision", "Precision"},
    Option{"aug_cfg", "Augmentation"},
    Option{"image_interpolation", "Interpolation"},
    Option{"image_mean", "Image mean"},
    Option{"image_std", "Image deviation"},
    Option{"force_drop_path", "Drop path"},
    Option{"force_dropout", "Dropout"},
    Option{"force_patch_dropout", "Patch dropout"},
    Option{"lock_image", "Image tower locked"},
    Option{"lock_text", "Text tower locked"},
    Option{"siglip", "Sigmoid loss"},
    Option{"distill_model", "Distilled from", true},
    Option{"dataset_type", "Data as"},
    Option{"dataset_resampled", "Shards drawn with replacement"},
    Option{"seed", "Seed"},
};

std::string value_of(const TrainingRun& run, const Option& option) {
  std::string value = param(run, option.name);
  if (!option.path) return value;
  const std::filesystem::path path = std::filesystem::path(value).lexically_normal();
  return (path.has_filename() ? path : path.parent_path()).filename().string();
}

std::optional<double> param_number(const TrainingRun& run, const char* name) {
  return run::parse_python_float(param(run, name));
}

// What the options add up to; nothing where one of them is not known.
std::optional<double> product(const TrainingRun& run, std::initializer_list<const char*> names) {
  double value = 1;
  for (const char* name : names) {
    const auto factor = param_number(run, name);
    if (!factor) return std::nullopt;
    value *= *factor;
  }
  return value;
}

std::optional<double> last(const TrainingRun& run, const char* curve) {
  const auto found = run.curves.curves.find(curve);
  if (found == run.curves.curves.end() || found->second.empty()) return std::nullopt;
  return found->second.back().second;
}

class Rows {
 public:
  explicit Rows(const std::vector<TrainingRun>& runs) : runs_(runs) {}

  /// A row, unless no run has anything to say; `cell` gives Markdown.
  template <class F>
  void add(const std::string& title, const F& cell) {
    std::vector<std::string> row = {title};
    bool any = false;
    for (const TrainingRun& run : runs_) {
      row.push_back(cell(run));
      any = any || !row.back().empty();
    }
    if (any) rows_.push_back(std::move(row));
  }

  void add_number(const std::string& title,
                  const std::function<std::optional<double>(const TrainingRun&)>& number) {
    add(title, [&](const TrainingRun& run) {
      const auto value = number(run);
      return value ? short_number(*value) : std::string();
    });
  }

  [[nodiscard]] std::string text() const {
    std::vector<std::string> head = {""};
    for (const TrainingRun& run : runs_) head.push_back(code(run.curves.name));
    return table(head, rows_, false);
  }

 private:
  const std::vector<TrainingRun>& runs_;
  std::vector<std::vector<std::string>> rows_;
};

std::string runs_table(const std::vector<TrainingRun>& runs) {
  Rows rows(runs);
  for (const Option& option : kOptions) {
    rows.add(option.title, [&](const TrainingRun& run) { return code(value_of(run, option)); });
  }
  rows.add_number("Samples of a step", [](const TrainingRun& run) {
    return product(run, {"batch_size", "world_size", "accum_freq"});
  });
  rows.add_number("Samples asked for", [](const TrainingRun& run) {
    return product(run, {"train_num_samples", "epochs"});
  });
  rows.add_number("Last training loss",
                  [](const TrainingRun& run) { return last(run, "train/loss"); });
  return rows.text();
}

// Validation during training, of the last epoch that had any.
std::string results_table(const std::vector<TrainingRun>& runs) {
  std::vector<std::string> names;
  for (const TrainingRun& run : runs) {
    for (const auto& [name, value] : run.results) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  if (names.empty()) return "";
  Rows rows(runs);
  for (const std::string& name : names) {
    rows.add_number(code(name), [&](const TrainingRun& run) -> std::optional<double> {
      for (const auto& [found, value] : run.results) {
        if (found == name) return value;
      }
      return std::nullopt;
    });
  }
  return "\nValidation at the end of training:\n\n" + rows.text();
}

const TrainingRun* run_of(const std::vector<TrainingRun>& runs, const Ingredient& ingredient) {
  for (const TrainingRun& run : runs) {
    if (!ingredient.declared_name.empty() && (run.curves.name == ingredient.declared_name ||
                                              param(run, "name") == ingredient.declared_name)) {
      return &run;
    }
  }
  return nullptr;
}

std::string optional_number(const std::optional<double>& value) {
  return value ? short_number(*value) : "";
}

std::string recipe_sentence(const Soup& soup) {
  const std::string count = std::to_string(soup.ingredients.size());
  if (soup.recipe == "uniform") {
    return "The weights are the plain mean of those of " + count + " checkpoints.";
  }
  if (soup.recipe == "weighted") {
    return "The weights are the weighted mean of those of " + count + " checkpoints.";
  }
  if (soup.recipe == "interp") {
    return "The weights lie on the line between those of two checkpoints" +
           (soup.alpha ? ", with a share of " + short_number(*soup.alpha) + " of the second"
                       : std::string()) +
           ".";
  }
  if (soup.recipe == "greedy" && soup.ingredients.size() == 1) {
    return "The weights are those of one checkpoint, the best: its mean with any other scored "
           "no higher.";
  }
  if (soup.recipe == "greedy") {
    return "The weights are the mean of those of " + count +
           " checkpoints, chosen greedily: from the best downwards, each was kept if the mean with "
           "it scored higher than without.";
  }
  return "The weights are an average of those of " + count + " checkpoints, by the recipe " +
         code(soup.recipe) + ".";
}

std::string ingredients_table(const CardContext& card, const Soup& soup) {
  const auto& runs = card.facts.runs;
  bool scored = false, hashed = false, matched = false;
  for (const Ingredient& one : soup.ingredients) {
    scored = scored || !one.scores.empty();
    hashed = hashed || !one.sha256.empty();
    matched = matched || run_of(runs, one) != nullptr;
  }
  std::vector<std::string> head = {"Ingredient", "Run", "Epoch", "Share", "Logit scale"};
  if (matched) head.insert(head.end(), {"Learning rate", "Samples asked for"});
  if (scored) head.emplace_back("Scores");
  if (hashed) head.emplace_back("SHA-256");
  std::vector<std::vector<std::string>> rows;
  for (const Ingredient& one : soup.ingredients) {
    auto& row = rows.emplace_back(
        std::vector<std::string>{code(one.name), code(one.declared_name), prose(one.epoch),
                                 optional_number(one.weight), optional_number(one.logit_scale)});
    if (matched) {
      const TrainingRun* run = run_of(runs, one);
      row.push_back(run == nullptr ? "" : code(param(*run, "lr")));
      row.push_back(
          run == nullptr ? "" : optional_number(product(*run, {"train_num_samples", "epochs"})));
    }
    if (scored) {
      std::string scores;
      for (const auto& [name, score] : one.scores) {
        scores += (scores.empty() ? "" : ", ") + code(name) + " " + short_number(score);
      }
      row.push_back(scores);
    }
    if (hashed) row.push_back(code(one.sha256.substr(0, 16)));
  }
  return table(head, rows, false);
}

std::string greedy_table(const Soup& soup) {
  if (soup.greedy.empty()) return "";
  std::vector<std::vector<std::string>> rows;
  for (const Admission& one : soup.greedy) {
    rows.push_back({code(one.candidate), optional_number(one.score), one.admitted ? "yes" : "no",
                    one.soup_size ? std::to_string(*one.soup_size) : ""});
  }
  std::string text = "\nThe choice, in order";
  if (!soup.metric.empty()) text += ", by " + code(soup.metric);
  if (!soup.evaluator.empty()) text += " on " + code(soup.evaluator);
  return text + ":\n\n" +
         table({"Candidate", "Score with it", "Kept", "Checkpoints then"}, rows, false);
}

}  // namespace

std::string soup_section(const CardContext& card, const Soup& soup) {
  std::string text = recipe_sentence(soup) + "\n\n" + ingredients_table(card, soup);
  text += greedy_table(soup);
  if (!soup.scores.empty()) {
    text += "\nThe average itself:";
    for (const auto& [name, score] : soup.scores) {
      text += " " + code(name) + " " + short_number(score);
    }
    text += "\n";
  }
  return text;
}

std::string training_procedure(const CardContext& card) {
  const CardFacts& facts = card.facts;
  std::string text;
  if (facts.soup) text += soup_section(card, *facts.soup) + "\n";
  if (!facts.metadata.empty()) {
    text += "The checkpoint says of itself:";
    for (const auto& [key, value] : facts.metadata) text += " " + code(key) + " " + code(value);
    text += "\n\n";
  }
  if (facts.runs.empty()) return text + card.gap("the training run", "--logs FOLDER");
  text += runs_table(facts.runs);
  text += results_table(facts.runs);
  return text + card.picture(kTrainingChart, "Training loss over steps");
}

}  // namespace clipnext::package
