#include "cli/soup_options.h"

#include <CLI/Validators.hpp>
#include <charconv>
#include <cmath>

#include "base/error.h"

namespace clipnext::cli {
namespace {

void add_globs(CLI::App& command, const char* name, std::vector<std::string>& globs,
               const char* help) {
  command.add_option(name, globs, help)
      ->type_name("GLOB")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

double parse_number(const std::string& option, const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    throw CLI::ValidationError(option, "\"" + text + "\" is no number");
  }
  return value;
}

}  // namespace

void add_ingredient_options(CLI::App& command, SoupOptions& o) {
  command.add_option("--model", o.model,
                     "configuration of all ingredients: a name, a .json file or a model folder; "
                     "needed where none of them brings its own");
  command.add_flag("--use-ema", o.use_ema,
                   "of training checkpoints the average over steps (state_dict_ema)");
  add_globs(command, "--exclude", o.selection.exclude,
            "tensors copied from the first ingredient; several times for several");
  add_globs(command, "--only", o.selection.only, "the only tensors averaged, likewise");
  command.add_option("--base", o.base,
                     "the parent they were fine-tuned from: shows the cosines between what "
                     "fine-tuning changed");
  command
      .add_option("--image-size", o.image_size,
                  "the result's, where those of the ingredients differ")
      ->check(CLI::Range(1, 65535));
  add_common_options(command, o.common);
}

void add_soup_options(CLI::App& command, SoupOptions& o) {
  command.add_option("-o,--out", o.out, "model folder to write")->required();
  add_ingredient_options(command, o);
  command
      .add_option("--dtype", o.dtype,
                  "of the result: keep (the widest of the ingredients'), fp32, fp16, bf16 or fp64")
      ->check(CLI::IsMember({"keep", "fp32", "fp16", "bf16", "fp64"}))
      ->capture_default_str();
  command
      .add_option("--logit-scale", o.logit_scale,
                  "mean (of the logarithms), first, max, or a value of the parameter (4.6052 is a "
                  "factor of 100)")
      ->capture_default_str();
  command
      .add_option("--accumulate", o.accumulate,
                  "f64: in double, rounded once; f32seq: as a loop in Python does it")
      ->check(CLI::IsMember({"f64", "f32seq"}))
      ->capture_default_str();
  command.add_flag("--allow-nonfinite", o.allow_nonfinite, "average NaN and infinities too");
  command.add_flag("--also-bin", o.also_bin, "open_clip_pytorch_model.bin as well");
  command.add_flag("--force", o.force, "replace a model folder that is there");
  command.add_flag("--dry-run", o.dry_run, "compare and plan, read and write no weights");
  command
      .add_option("--smoke", o.smoke,
                  "a picture and texts, last on the line: their cosines by the result")
      ->type_name("IMAGE TEXT...")
      ->expected(2, -1);
  add_device_option(command, o.device);
}

soup::Options plan_options(const SoupOptions& o, std::vector<double> weights) {
  soup::Options options{.weights = std::move(weights), .selection = o.selection};
  if (o.dtype != "keep") options.dtype = weights::parse_dtype(o.dtype);
  if (o.accumulate == "f32seq") options.accumulate = soup::Accumulate::kF32Seq;
  using LogitScale = soup::Options::LogitScale;
  if (o.logit_scale == "first") {
    options.logit_scale = LogitScale::kFirst;
  } else if (o.logit_scale == "max") {
    options.logit_scale = LogitScale::kMax;
  } else if (o.logit_scale != "mean") {
    options.logit_scale = LogitScale::kValue;
    options.logit_scale_value = parse_number("--logit-scale", o.logit_scale);
  }
  return options;
}

std::optional<int64_t> asked_image_size(const SoupOptions& o) {
  return o.image_size > 0 ? std::optional(o.image_size) : std::nullopt;
}

}  // namespace clipnext::cli
