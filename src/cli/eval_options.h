// The options of `clipnext eval`: CLIP_benchmark's, with its names and defaults, and ours.
#pragma once

#include <CLI/App.hpp>
#include <string>

#include "cli/common.h"
#include "eval/evaluate.h"
#include "eval/runs.h"
#include "run/launch.h"

namespace clipnext::cli {

struct EvalOptions {
  CommonOptions common;
  eval::RunOptions runs;
  eval::TaskOptions task;
  std::string split = "test";
  std::string annotation_file, custom_classname_file, custom_template_file;
  std::string model_cache_dir, wds_cache_dir;
  std::string model_type = "open_clip";
  std::string precision = "auto";
  std::string device = "cpu";
  std::string normalize = "true";  // as written; task.normalize is what it means
  std::string on_bad = "fail";
  std::string progress = "text";
  std::string expect;
  int64_t diagnose_images = 1000;
  int64_t num_workers = 4;
  bool no_amp = false;
  bool skip_load = false;
  bool skip_existing = false;
  bool distributed = false;
  bool dump_classnames = false;
  bool dump_templates = false;
  bool strict_json = false;
  bool no_resume = false;
};

void add_eval_options(CLI::App& command, EvalOptions& options);

/// --device; of several processes (--distributed) that ask for `cuda`, the GPU of the local rank.
std::string eval_device(const EvalOptions& options, const run::Environment& environment);

/// Works out what depends on several options. Throws CLI::ValidationError where they make no sense.
void settle_eval_options(EvalOptions& options);

}  // namespace clipnext::cli
