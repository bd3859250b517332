#include "cli/eval_options.h"

#include <CLI/Validators.hpp>
#include <algorithm>

#include "base/progress.h"
#include "eval/class_cache.h"

namespace clipnext::cli {
namespace {

void add_what(CLI::App& c, EvalOptions& o) {
  const std::string group = "What is evaluated";
  c.add_option("--dataset", o.runs.dataset,
               "names, collections (vtab, vtab+, imagenet_robustness, retrieval, sugar_crepe), or "
               "files with one name a line; wds/NAME is a webdataset folder")
      ->expected(1, -1)
      ->capture_default_str()
      ->group(group);
  c.add_option("--dataset_root", o.runs.dataset_root,
               "folder or URL; {dataset} is the name without wds/, {dataset_cleaned} the same with "
               "- for /")
      ->capture_default_str()
      ->group(group);
  c.add_option("--split,--test_split", o.split, "split to measure on")
      ->capture_default_str()
      ->group(group);
  c.add_option("--model", o.runs.model,
               "config names, model folders, checkpoints, or `demo`, the model inside the program")
      ->expected(1, -1)
      ->capture_default_str()
      ->group(group);
  c.add_option("--pretrained", o.runs.pretrained,
               "checkpoint files or tags; each is combined with each --model")
      ->expected(1, -1)
      ->capture_default_str()
      ->group(group);
  c.add_option("--pretrained_model", o.runs.pretrained_model,
               "pairs MODEL,PRETRAINED instead, files with one a line, or collections (openai, "
               "openclip_base, openclip_multilingual, openclip_convnext)")
      ->expected(1, -1)
      ->group(group);
  c.add_option("--model_cache_dir", o.model_cache_dir,
               "folder where the files of tags lie, as TAG.safetensors, .bin or .pt")
      ->group(group);
  c.add_option("--model_type", o.model_type, "open_clip is the only one")
      ->check(CLI::IsMember({"open_clip"}))
      ->capture_default_str()
      ->group(group);
  c.add_option("--task", o.runs.task, "`auto`: what is usual for the data set")
      ->check(CLI::IsMember({"zeroshot_classification", "zeroshot_retrieval", "linear_probe",
                             "captioning", "image_caption_selection", "auto"}))
      ->capture_default_str()
      ->group(group);
  c.add_option("--language", o.runs.language, "languages of class names and templates, a run each")
      ->expected(1, -1)
      ->capture_default_str()
      ->group(group);
  c.add_option("--annotation_file", o.annotation_file, "captions of a retrieval set")->group(group);
  c.add_option("--custom_classname_file", o.custom_classname_file,
               "JSON: class names by data set name")
      ->group(group);
  c.add_option("--custom_template_file", o.custom_template_file,
               "JSON: templates by data set name, or by class name the prompts (CuPL)")
      ->group(group);
}

void add_how(CLI::App& c, EvalOptions& o) {
  const std::string group = "How";
  c.add_option("--recall_k", o.task.recall_k, "retrieval: counted among the first K")
      ->expected(1, -1)
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000'000}))
      ->capture_default_str()
      ->group(group);
  c.add_option("--precision,--dtype", o.precision,
               "type to compute in: `auto` is fp32, or that of a packed file")
      ->check(CLI::IsMember({"auto", "fp32", "bf16", "int8"}))
      ->capture_default_str()
      ->group(group);
  add_device_option(c, o.device)->group(group);
  c.add_flag("--no_amp", o.no_amp, "the same as --precision fp32")->group(group);
  c.add_flag("--fast-decode", o.task.fast_decode,
             "decode large JPEGs at a part of their size: faster, not the exact pixels")
      ->group(group);
  c.add_option("--batch_size", o.task.batch_size,
               "of the linear probe's training; nothing else "
               "depends on it")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 20))
      ->capture_default_str()
      ->group(group);
  c.add_option("--num_workers", o.num_workers,
               "taken for CLIP_benchmark's sake: pictures are decoded on --threads")
      ->capture_default_str()
      ->group(group);
  c.add_option("--seed", o.task.seed, "of the linear probe, and of --distributed's order")
      ->check(CLI::Range(int64_t{0}, INT64_MAX))
      ->capture_default_str()
      ->group(group);
  c.add_option("--on-bad,--bad_sample", o.on_bad,
               "a picture that cannot be read: `fail`, or `skip` it, name it and count it")
      ->check(CLI::IsMember({"fail", "skip"}))
      ->capture_default_str()
      ->group(group);
  c.add_flag("--strict_reference", o.task.strict_reference,
             "fail where CLIP_benchmark fails, and read --normalize as it does: any text is true")
      ->group(group);
  c.add_flag("--distributed", o.distributed,
             "run this process's share of the runs (rank and world size of torchrun, Slurm or "
             "mpirun)")
      ->group(group);
}

void add_probe(CLI::App& c, EvalOptions& o) {
  const std::string group = "Linear probe";
  c.add_option("--train_split", o.runs.train_split, "one for all data sets, or one for each")
      ->expected(1, -1)
      ->capture_default_str()
      ->group(group);
  CLI::Option* val =
      c.add_option("--val_split", o.runs.val_split, "the same, to choose the weight decay by")
          ->expected(1, -1)
          ->group(group);
  c.add_option("--val_proportion", o.runs.val_proportion,
               "the same, as a share of the training split")
      ->expected(1, -1)
      ->excludes(val)
      ->group(group);
  c.add_option("--fewshot_k", o.task.fewshot_k, "pictures of each class; below 0: all")
      ->capture_default_str()
      ->group(group);
  c.add_option("--fewshot_epochs", o.task.fewshot_epochs, "epochs of each training")
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000}))
      ->capture_default_str()
      ->group(group);
  c.add_option("--fewshot_lr", o.task.fewshot_lr, "learning rate")
      ->check(CLI::Range(1e-9, 1e6))
      ->capture_default_str()
      ->group(group);
  c.add_option("--lp_solver", o.task.lp_solver,
               "`adamw` as CLIP_benchmark, or `lbfgs` as the CLIP paper")
      ->check(CLI::IsMember({"adamw", "lbfgs"}))
      ->capture_default_str()
      ->group(group);
  c.add_option("--normalize", o.normalize, "unit vectors: true or false")
      ->capture_default_str()
      ->group(group);
  c.add_flag("--skip_load", o.skip_load, "neither model nor data: features of an earlier run")
      ->group(group);
  c.add_option("--feature_root", o.task.feature_root, "where features stay")
      ->capture_default_str()
      ->group(group);
}

void add_files(CLI::App& c, EvalOptions& o) {
  const std::string group = "Files";
  c.add_option("--output", o.runs.output,
               "result file; fields: {dataset} {pretrained} {pretrained_full_path} {model} "
               "{language} {task}")
      ->capture_default_str()
      ->group(group);
  c.add_flag("--skip_existing", o.skip_existing, "leave out runs that have a whole result file")
      ->group(group);
  c.add_flag(
       "--resume,!--no_resume", [&o](int64_t on) { o.no_resume = on < 0; },
       "go on inside a data set where a killed run stopped (on by default)")
      ->group(group);
  c.add_flag("--cache_features", o.task.cache_features,
             "keep pictures' and captions' vectors in --feature_root for further runs")
      ->group(group);
  c.add_flag("--dump_classnames", o.dump_classnames, "class names into the result file")
      ->group(group);
  c.add_flag("--dump_templates", o.dump_templates, "templates into the result file")->group(group);
  c.add_flag("--strict_json", o.strict_json, "null for NaN")->group(group);
  c.add_option("--save_clf", o.task.save_clf,
               "file for the class matrix [width, classes]: torch.save's format, or .npy")
      ->group(group);
  c.add_option("--load_clfs", o.task.load_clfs,
               "class matrices to take the mean of instead of making one")
      ->expected(1, -1)
      ->group(group);
  c.add_option("--logits_out", o.task.logits_out,
               "JSON lines: the five best classes of each picture, for `eval report`; fields as in "
               "--output")
      ->group(group);
  c.add_flag("--confidence", o.task.confidence, "95 % intervals (Wilson) in OUTPUT.details")
      ->group(group);
  c.add_option("--wds_cache_dir", o.wds_cache_dir,
               "where shards are downloaded and archives unpacked to; default: clipnext's cache")
      ->group(group);
  c.add_option("--expect", o.expect,
               "figures to reach: a JSON file, `builtin`, or a model's name on the hub; exit "
               "status 3 if one is missed")
      ->group(group);
  c.add_option("--diagnose_images", o.diagnose_images,
               "pictures on which suspects are tried when a figure is missed; 0: none")
      ->check(CLI::Range(int64_t{0}, int64_t{1'000'000'000}))
      ->capture_default_str()
      ->group(group);
}

}  // namespace

void add_eval_options(CLI::App& command, EvalOptions& options) {
  add_what(command, options);
  add_how(command, options);
  add_probe(command, options);
  add_files(command, options);
  command.add_flag("--quiet", options.task.quiet, "no progress and no notes");
  command
      .add_option("--progress", options.progress,
                  "on standard error: `text` for people, or `json`, a line each second")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  add_common_options(command, options.common);
}

std::string eval_device(const EvalOptions& options, const run::Environment& environment) {
  if (!options.distributed || options.device != "cuda") return options.device;
  return "cuda:" + std::to_string(run::detect_world(environment).local_rank);
}

void settle_eval_options(EvalOptions& o) {
  if (o.no_amp) {
    if (o.precision != "auto" && o.precision != "fp32") {
      throw CLI::ValidationError("--no_amp", "means fp32, but --precision is " + o.precision);
    }
    o.precision = "fp32";
  }
  std::string word = o.normalize;
  std::ranges::transform(word, word.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const bool yes = word == "true" || word == "1";
  if (!yes && word != "false" && word != "0" && !o.task.strict_reference) {
    throw CLI::ValidationError("--normalize", "\"" + o.normalize + "\" is neither true nor false");
  }
  o.task.normalize = o.task.strict_reference ? !o.normalize.empty() : yes;
  if (!o.task.normalize) {
    note("--normalize " + o.normalize +
         ": vectors stay as they are; CLIP_benchmark takes any text for true "
         "(--strict_reference does, too)");
  }
  if (o.skip_load && o.runs.task != "linear_probe") {
    throw CLI::ValidationError("--skip_load", "is for --task linear_probe");
  }
  if (o.progress == "json") print_progress_as_json();
  o.task.on_bad = on_bad_policy(o.on_bad);
  o.task.cache = eval::default_cache_folder();
  if (o.no_resume) o.task.cache.clear();
}

}  // namespace clipnext::cli
