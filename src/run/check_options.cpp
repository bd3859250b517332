#include "run/check_options.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "run/augment_config.h"
#include "run/option_table.h"
#include "run/parse_options.h"

namespace clipnext::run {
namespace {

template <class... Args>
void usage(bool ok, const Args&... args) {
  if (ok) return;
  std::ostringstream message;
  (message << ... << args);
  throw UsageError(message.str());
}

bool is_timm(const TrainOptions& o) { return o.opt.find("timm") != std::string::npos; }

int64_t count_sources(std::string_view spec) {
  int64_t count = 1;
  for (size_t at = spec.find("::"); at != std::string_view::npos; at = spec.find("::", at + 2)) {
    ++count;
  }
  return count;
}

/// Whether shards come from standard input, which can be read once.
bool from_standard_input(const TrainOptions& o, const std::optional<std::string>& data) {
  const bool shards = o.dataset_type == "webdataset" || o.dataset_type == "auto";
  return shards && ("::" + data.value_or("") + "::").find("::-::") != std::string::npos;
}

/// How many epochs a run has at most; nothing where it goes on from a place that is not known here.
std::optional<int64_t> epochs_of(const TrainOptions& o) {
  if (o.resume) return std::nullopt;
  return std::min(o.epochs, o.stop_after_epochs.value_or(o.epochs));
}

void check_validation_input(const TrainOptions& o) {
  if (!from_standard_input(o, o.val_data) || !o.train_data || o.val_frequency == 0) return;
  usage(!from_standard_input(o, o.train_data),
        "--train-data - and --val-data - are the same standard input, which can be read once only: "
        "keep the shards of one of them in files");
  const auto epochs = epochs_of(o);
  if (!epochs) return;
  const bool last = *epochs == o.epochs && o.epochs % o.val_frequency != 0;
  const int64_t evaluations = *epochs / o.val_frequency + (last ? 1 : 0);
  usage(evaluations <= 1, "--val-data - is standard input, which can be read once only, and this ",
        "run evaluates ", evaluations, " times: say --val-frequency ", o.epochs,
        ", or keep the shards in files");
}

/// Standard input is over when its first epoch is.
void check_standard_input(const TrainOptions& o) {
  check_validation_input(o);
  if (!from_standard_input(o, o.train_data)) return;
  usage(!o.dataset_resampled,
        "--train-data - is standard input, which can be read once only, and --dataset-resampled "
        "draws shards again and again: leave it out, or keep the shards in files");
  const int64_t epochs = epochs_of(o).value_or(1);
  usage(epochs <= 1, "--train-data - is standard input, which can be read once only, and this is ",
        epochs, " epochs: say --epochs 1, or keep the shards in files");
}

void check_data(const TrainOptions& o) {
  const bool synthetic = o.dataset_type == "synthetic";
  usage(!synthetic || o.train_num_samples, "--dataset-type synthetic needs --train-num-samples");
  if (o.train_data_upsampling_factors) {
    usage(o.dataset_resampled,
          "--train-data-upsampling-factors needs --dataset-resampled: they are weights of drawing");
    usage(o.train_data.has_value(), "--train-data-upsampling-factors needs --train-data");
    const int64_t factors = count_sources(*o.train_data_upsampling_factors);
    const int64_t sources = count_sources(*o.train_data);
    usage(factors == sources, "--train-data-upsampling-factors has ", factors, " factors (",
          *o.train_data_upsampling_factors, ") for the ", sources,
          " sets of --train-data that :: separates");
  }
  usage(o.json_text_key_probs.empty() || o.json_text_key,
        "--json-text-key-probs needs --json-text-key");
  check_standard_input(o);
  for (const auto& [name, spec] :
       {std::pair("train-data", o.train_data), {"val-data", o.val_data}}) {
    if (!spec) continue;
    const bool table =
        o.dataset_type == "csv" || spec->ends_with(".csv") || spec->ends_with(".tsv");
    if (!table && o.dataset_type != "folder") check_braces(name, *spec);
  }
}

void check_model(const TrainOptions& o) {
  usage(o.distill_model.has_value() == o.distill_pretrained.has_value(),
        "--distill-model and --distill-pretrained go together");
  usage(!o.distill_model || o.accum_freq == 1, "distillation works with --accum-freq 1 only");
  for (const auto& [name, values] :
       {std::pair("image-mean", o.image_mean), {"image-std", o.image_std}}) {
    usage(values.empty() || values.size() == 1 || values.size() == 3, "--", name,
          " takes one value or three, not ", values.size());
  }
  usage(o.force_image_size.size() <= 2,
        "--force-image-size takes a side, or height and width, not ", o.force_image_size.size(),
        " numbers");
  usage(o.lock_image_unlocked_groups == 0 || o.lock_image,
        "--lock-image-unlocked-groups needs --lock-image");
  usage(o.lock_text_unlocked_layers == 0 || o.lock_text,
        "--lock-text-unlocked-layers needs --lock-text");
  usage(o.init_seed.value_or(0) >= 0, "--init-seed is below 0");
}

void check_optimisation(const TrainOptions& o) {
  const bool timm = o.opt.starts_with("timm/") && o.opt.size() > 5;
  usage(o.opt == "adamw" || o.opt == "nadamw" || timm, "--opt ", o.opt,
        " is unknown; there are adamw, nadamw, and timm's as timm/NAME");
  usage(o.opt_fallback_list.empty() || timm,
        "--opt-fallback-list is for optimizers of timm (--opt timm/NAME)");
  usage(!timm || o.beta1.has_value() == o.beta2.has_value(),
        "with a timm optimizer, --beta1 and --beta2 are given both or neither");
  if (o.lr_scheduler == "const-cooldown") {
    usage(o.epochs_cooldown.has_value(), "--lr-scheduler const-cooldown needs --epochs-cooldown");
    usage(*o.epochs_cooldown <= o.epochs, "--epochs-cooldown ", *o.epochs_cooldown,
          " is more than --epochs ", o.epochs);
  }
  for (const auto& [name, decay] : {std::pair("image-layer-decay", o.image_layer_decay),
                                    {"text-layer-decay", o.text_layer_decay}}) {
    usage(!decay || *decay > 0, "--", name, " is in (0, 1], not 0");
  }
  usage(!o.ema_decay || *o.ema_decay < 1, "--ema-decay is below 1");
  usage(!o.beta1 || *o.beta1 < 1, "--beta1 is below 1");
  usage(!o.beta2 || *o.beta2 < 1, "--beta2 is below 1");
}

void check_run(const TrainOptions& o) {
  usage(!o.name || (!o.name->empty() && o.name->find('\0') == std::string::npos),
        "--name is empty");
  if (o.remote_sync && o.resume == "latest") {
    usage(!o.save_most_recent,
          "--resume latest from --remote-sync finds no epoch_latest: leave out --save-most-recent");
    usage(o.remote_sync_protocol == "s3",
          "--resume latest from --remote-sync needs --remote-sync-protocol s3");
  }
}

void add_warnings(const TrainOptions& o, std::vector<std::string>& warnings) {
  const auto warn = [&](bool when, const char* text) {
    if (when) warnings.emplace_back(text);
  };
  warn(o.torchcompile, "--torchcompile has no effect: there is nothing left to compile");
  warn(o.fsdp, "--fsdp has no effect: parameters stay whole in each process, results are the same");
  warn(o.momentum && !is_timm(o), "--momentum has no effect on adamw and nadamw");
  warn(o.report_to.find("wandb") != std::string::npos ||
           o.report_to.find("all") != std::string::npos,
       "wandb gets event files: `wandb sync --sync-tensorboard LOGS/NAME/tensorboard` sends them");
  warn(o.report_to.find("trackio") != std::string::npos,
       "trackio is not written; scalars.jsonl in the run's folder has the same figures");
  warn(o.precision == "fp16", "--precision amp is recommended over fp16, which trains unstably");
}

}  // namespace

void check_options(const TrainOptions& o, std::vector<std::string>& warnings) {
  check_data(o);
  check_model(o);
  check_optimisation(o);
  check_run(o);
  augment_config(o, &warnings);
  add_warnings(o, warnings);
}

void check_quotation(const std::string& option, const std::string& value) {
  for (size_t at = value.find("--"); at != std::string::npos; at = value.find("--", at + 1)) {
    if (at == 0 || std::string_view(" \t\n").find(value[at - 1]) == std::string_view::npos)
      continue;
    const size_t end = std::min(value.find_first_of("= \t\n", at), value.size());
    const std::string name = value.substr(at, end - at);
    usage(find_option(std::string_view(name).substr(2)) == nullptr, "the value of --", option,
          " goes on to ", name, ": before it a quotation mark is missing, or there is one too many",
          option == "pretrained"
              ? " (the model card's --pretrained \"\"/runs/... is to be --pretrained \"/runs/...)"
              : "");
  }
  if (std::count(value.begin(), value.end(), '"') % 2 != 0) {
    usage(false, "the value of --", option, " has a quotation mark without its pair, at character ",
          value.find('"') + 1, ": ", value);
  }
}

void check_braces(const std::string& option, const std::string& value) {
  std::vector<size_t> open;
  for (size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '\\') {
      ++i;
    } else if (value[i] == '{') {
      open.push_back(i);
    } else if (value[i] == '}') {
      usage(!open.empty(), "--", option, ": the } at character ", i + 1, " closes no {: ", value);
      open.pop_back();
    }
  }
  if (open.empty()) return;
  usage(false, "--", option, ": the { at character ", open.front() + 1, " is never closed: ", value,
        value.find("{laion{") != std::string::npos
            ? " (the model card writes {laion{00000..xxxxx}.tar for laion{00000..41455}.tar)"
            : "");
}

void check_world(const TrainOptions& options, int64_t world) {
  usage(world == 1 || options.siglip || !options.local_loss || options.gather_with_grad,
        "--local-loss without --gather-with-grad computes wrong gradients with ", world,
        " processes: features of others are constants, and their part of the gradient is missing; "
        "give both, or neither");
  usage(world == 1 || !from_standard_input(options, options.val_data),
        "--val-data - is standard input of one process, and there are ", world,
        ", which evaluate together: keep the shards in files");
}

std::string resolve_dataset_type(const std::string& dataset_type, const std::string& path) {
  if (dataset_type != "auto") return dataset_type;
  const std::string ending = path.substr(path.rfind('.') + 1);
  if (ending == "csv" || ending == "tsv") return "csv";
  if (ending == "tar") return "webdataset";
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return "folder";
  throw UsageError("--dataset-type auto goes by the ending, and " + path +
                   " ends in none of .csv, .tsv, .tar and is no folder: say --dataset-type " +
                   "webdataset (pipe:COMMAND too) or csv");
}

bool writes_tensorboard(const TrainOptions& options) {
  const auto names = [&](const char* name) {
    return options.report_to.find(name) != std::string::npos;
  };
  return names("tensorboard") || names("all") || names("wandb");
}

bool saves_logs(const TrainOptions& options) {
  std::string lower = options.logs;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return !lower.empty() && lower != "none";
}

}  // namespace clipnext::run
