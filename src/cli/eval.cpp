// clipnext eval: CLIP_benchmark's evaluations, and what is made of their results.
#include <CLI/App.hpp>
#include <filesystem>
#include <optional>
#include <set>

#include "base/byte_progress.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/eval_build.h"
#include "cli/eval_expect.h"
#include "cli/eval_export.h"
#include "cli/eval_model.h"
#include "cli/eval_options.h"
#include "cli/eval_report.h"
#include "datasets/dataset.h"
#include "eval/class_cache.h"
#include "eval/evaluate.h"
#include "eval/expected.h"
#include "eval/results.h"

namespace clipnext::cli {
namespace {

namespace fs = std::filesystem;

/// A progress line for each file that is downloaded.
class Downloads {
 public:
  void show(const std::string& file, int64_t done, int64_t total) {
    if (file != file_) {
      file_ = file;
      shown_ = 0;
      line_ = std::make_unique<ByteProgress>(fs::path(file).filename().string(), total);
    }
    line_->add(done - shown_);
    shown_ = done;
  }

 private:
  std::string file_;
  int64_t shown_ = 0;
  std::unique_ptr<ByteProgress> line_;
};

/// All runs of a command line, one after the other.
class EvalCommand {
 public:
  EvalCommand(const EvalOptions& options, const Backend& backend)
      : o_(options),
        models_(backend, options.model_cache_dir, options.precision, options.common.threads) {}

  void run_all() {
    for (const eval::Run& run : runs_) {  // lest it fail after hours
      if (!o_.expect.empty()) eval::read_expectations(o_.expect, run.model, run.pretrained);
    }
    for (const eval::Run& run : runs_) run_or_complain(run);
    if (!o_.expect.empty()) {
      check_expectations(o_, expected_, models_, [this](const eval::Run& run, bool custom) {
        return open(run, o_.split, custom);
      });
    }
    require(failed_ == 0, failed_, " of ", runs_.size(), " runs failed");
  }

  void unfold() {
    runs_ = eval::expand_runs(o_.runs);
    check_patterns();
    if (o_.distributed) {
      runs_ = eval::runs_of_rank(std::move(runs_), eval::world_from_environment(), o_.task.seed);
    }
  }

 private:
  // Before anything is computed: fields that there are not, and results that would overwrite each
  // other.
  void check_patterns() const {
    const auto check = [this](const char* option, const std::string& pattern) {
      std::set<fs::path> files;
      for (const eval::Run& run : runs_) {
        const fs::path file =
            eval::output_path(pattern, run, eval::resolve_task(o_.runs.task, run.dataset));
        require(pattern.empty() || files.insert(file).second, option, ": two runs would write ",
                file.string(), "; add fields such as {dataset} and {model}");
      }
    };
    check("--output", o_.runs.output);
    check("--logits_out", o_.task.logits_out);
    check("--save_clf", o_.task.save_clf);
    for (const eval::Run& run : runs_) {
      eval::fill_dataset_root(o_.runs.dataset_root, run.dataset);
    }
  }

  // A run that fails does not keep the others from running.
  void run_or_complain(const eval::Run& run) {
    try {
      run_one(run);
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      ++failed_;
      const std::string what = error.what();
      note("clipnext: " + (what.starts_with(run.dataset + ":") ? "" : run.dataset + ": ") + what);
    }
  }

  void run_one(const eval::Run& run) {
    std::string task = eval::resolve_task(o_.runs.task, run.dataset);
    if (skips(run, task)) return;
    LoadedModel* const model = o_.skip_load ? nullptr : &models_.load(run.model, run.pretrained);
    std::optional<datasets::Dataset> test, train, val;
    if (model != nullptr) {
      test = open(run, o_.split);
      if (task == "linear_probe") {
        train = open(run, run.train_split);
        if (run.val_split) val = open(run, *run.val_split);
      }
      // CLIP_benchmark goes by names alone, and stops at sets of captions that it does not know.
      if (o_.runs.task == "auto" && !o_.task.strict_reference &&
          test->kind == datasets::Kind::kRetrieval) {
        task = "zeroshot_retrieval";
        if (skips(run, task)) return;
      }
    }
    eval::Evaluation evaluation =
        eval::evaluate(run, task,
                       {.test = test ? &*test : nullptr,
                        .train = train ? &*train : nullptr,
                        .val = val ? &*val : nullptr},
                       {.embedder = model != nullptr ? model->ready.clip.get() : nullptr,
                        .tokenizer = model != nullptr ? &model->tokenizer : nullptr},
                       pool_of(model), task_options(run, task));
    finish(run, task, test ? &*test : nullptr, model, std::move(evaluation));
  }

  // Files by run.
  eval::TaskOptions task_options(const eval::Run& run, const std::string& task) const {
    eval::TaskOptions options = o_.task;
    options.logits_out = eval::output_path(o_.task.logits_out, run, task);
    options.save_clf = eval::output_path(o_.task.save_clf, run, task);
    return options;
  }

  ThreadPool& pool_of(LoadedModel* model) {
    if (model != nullptr) return model->pool;
    if (own_pool_ == nullptr) own_pool_ = std::make_unique<ThreadPool>(o_.common.threads);
    return *own_pool_;
  }

  datasets::Dataset open(const eval::Run& run, const std::string& split, bool custom = true) {
    Downloads downloads;
    datasets::Request request{
        .name = run.dataset,
        .root = eval::fill_dataset_root(o_.runs.dataset_root, run.dataset),
        .split = split,
        .language = run.language,
        .annotation_file = o_.annotation_file,
        .custom_classname_file = o_.custom_classname_file,
        .custom_template_file = custom ? o_.custom_template_file : std::string(),
        .cache = o_.wds_cache_dir.empty() ? eval::default_cache_folder() / "datasets"
                                          : fs::path(o_.wds_cache_dir),
        .progress = {}};
    if (!o_.task.quiet) {
      request.progress = [&](const std::string& file, int64_t done, int64_t total) {
        downloads.show(file, done, total);
      };
    }
    datasets::Dataset set = datasets::open_dataset(request);
    for (const std::string& warning : set.warnings) remark(run.dataset + ": " + warning);
    return set;
  }

  bool skips(const eval::Run& run, const std::string& task) {
    const fs::path path = eval::output_path(o_.runs.output, run, task);
    if (!o_.skip_existing || !fs::exists(path)) return false;
    try {
      eval::RunResult result = eval::read_result(path);
      remark(path.string() + " is there already");
      expected_.push_back({.run = run, .result = std::move(result)});
      return true;
    } catch (const Error& error) {
      remark(std::string(error.what()) + "; it is made anew");
      return false;
    }
  }

  void finish(const eval::Run& run, const std::string& task, const datasets::Dataset* test,
              const LoadedModel* model, eval::Evaluation evaluation) {
    for (const std::string& warning : evaluation.warnings) remark(run.dataset + ": " + warning);
    if (!evaluation.details.skipped.empty()) {
      remark(run.dataset + ": " + std::to_string(evaluation.details.skipped.size()) +
             " pictures were left out; the first: " + evaluation.details.skipped.front().reason);
    }
    eval::RunResult result{.dataset = run.dataset,
                           .model = run.model,
                           .pretrained = run.pretrained,
                           .task = task,
                           .metrics = std::move(evaluation.metrics),
                           .language = run.language,
                           .classnames = {},
                           .templates = {}};
    if (test != nullptr && o_.dump_classnames && !test->classes.empty()) {
      result.classnames = test->classes;
    }
    if (test != nullptr && o_.dump_templates) result.templates = templates_json(test->prompts);
    if (model != nullptr) {
      evaluation.details.dtype = infer::compute_type_name(model->ready.type);
      evaluation.details.isa = model->ready.isa;
    }
    evaluation.details.version = CLIPNEXT_VERSION;

    const fs::path path = eval::output_path(o_.runs.output, run, task);
    eval::write_result(path, result, o_.strict_json);
    eval::write_details(eval::details_path(path), evaluation.details);
    show(result, path);
    expected_.push_back({.run = run, .result = std::move(result)});
  }

  static OrderedJson templates_json(const datasets::Prompts& prompts) {
    if (prompts.by_class.empty()) return prompts.templates;
    OrderedJson by_class = OrderedJson::object();
    for (const auto& [name, texts] : prompts.by_class) by_class[name] = texts;
    return by_class;
  }

  void show(const eval::RunResult& result, const fs::path& path) const {
    if (o_.common.json) {
      print(eval::to_json_line(result, true) + "\n");
      return;
    }
    std::string line = result.dataset + "  " + result.model + " " + result.pretrained;
    if (result.language != "en") line += " " + result.language;
    for (const auto& [name, value] : result.metrics.items()) {
      if (value.is_number_float()) line += format("  %s %.4f", name.c_str(), value.get<double>());
    }
    print(line + "  -> " + path.string() + "\n");
  }

  void remark(const std::string& text) const {
    if (!o_.task.quiet) note(text);
  }

  const EvalOptions& o_;
  EvalModels models_;
  std::unique_ptr<ThreadPool> own_pool_;  // for runs without a model, which brings its own
  std::vector<eval::Run> runs_;
  std::vector<EvaluatedRun> expected_;
  int64_t failed_ = 0;
};

void run(EvalOptions& o, Backend& backend) {
  backend.choose_device(eval_device(o, run::read_environment()));
  settle_eval_options(o);
  EvalCommand command(o, backend);
  try {
    command.unfold();
  } catch (const Error& error) {
    throw CLI::ValidationError(error.what());
  }
  command.run_all();
}

}  // namespace

void add_eval(CLI::App& app, Backend& backend) {
  auto o = std::make_shared<EvalOptions>();
  CLI::App* cmd = app.add_subcommand(
      "eval", "measure models on data sets, as CLIP_benchmark does: options, files, figures");
  add_eval_options(*cmd, *o);
  cmd->require_subcommand(0, 1);
  add_eval_build(*cmd);
  add_eval_report(*cmd);
  add_eval_export(*cmd);
  cmd->footer(
      "Examples:\n"
      "  clipnext eval --model demo --dataset wds/emoji --dataset_root data/{dataset}\n"
      "  clipnext eval --model local-dir:FOLDER --dataset wds/imagenet1k wds/mscoco_captions \\\n"
      "      --dataset_root https://huggingface.co/datasets/clip-benchmark/"
      "wds_{dataset_cleaned}/tree/main --recall_k 1 5 10\n"
      "  clipnext eval --model FOLDER --dataset imagenet1k --dataset_root /data/imagenet --expect "
      "hf-hub:laion/CLIP-convnext_large_d_320.laion2B-s29B-b131K-ft-soup\n"
      "  clipnext eval build results/ --output benchmark.csv\n"
      "  clipnext eval report results/ -o report.html");
  cmd->callback([o, cmd, &backend] {
    if (cmd->get_subcommands().empty()) run(*o, backend);
  });
}

}  // namespace clipnext::cli
