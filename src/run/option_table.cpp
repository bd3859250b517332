#include "run/option_table.h"

#include <algorithm>
#include <array>
#include <type_traits>

namespace clipnext::run {
namespace {

using O = TrainOptions;
using enum OptionGroup;
using enum OptionOrigin;

constexpr Bounds kNatural = {.low = 0};
constexpr Bounds kPositive = {.low = 1};
constexpr Bounds kShare = {.low = 0, .high = 1};

// One row a line, however long: a table is read by columns.
// clang-format off
const std::array kTable = {
    // ---- data ----
    OptionRow{"train-data", kData, kReference, "SPEC", &O::train_data, "training data: CSV or TSV file, tar shards ({00000..00041}.tar, several sets joined by ::, pipe:COMMAND), folder; without it: evaluate once"},
    OptionRow{"train-data-upsampling-factors", kData, kReference, "F::F", &O::train_data_upsampling_factors, "weight of each set of --train-data, with --dataset-resampled"},
    OptionRow{"val-data", kData, kReference, "SPEC", &O::val_data, "pairs for validation, of the same kind as --train-data"},
    OptionRow{"train-num-samples", kData, kReference, "N", &O::train_num_samples, "samples in an epoch, the interval between checkpoints", {}, kPositive},
    OptionRow{"val-num-samples", kData, kReference, "N", &O::val_num_samples, "samples in --val-data, to show progress with", {}, kNatural},
    OptionRow{"dataset-type", kData, kReference, "KIND", &O::dataset_type, "what --train-data is; auto goes by the ending: csv, tsv, tar", {"auto", "webdataset", "csv", "folder", "synthetic"}},
    OptionRow{"dataset-resampled", kData, kReference, "", &O::dataset_resampled, "draw shards with replacement, each worker on its own"},
    OptionRow{"csv-separator", kData, kReference, "TEXT", &O::csv_separator, "between the columns of a CSV file"},
    OptionRow{"csv-img-key", kData, kReference, "NAME", &O::csv_img_key, "its column of picture paths"},
    OptionRow{"csv-caption-key", kData, kReference, "NAME", &O::csv_caption_key, "its column of captions"},
    OptionRow{"image-key", kData, kLater, "A;B", &O::image_key, "endings of pictures in shards, the first that a sample has counts"},
    OptionRow{"text-key", kData, kLater, "A;B", &O::text_key, "endings of captions in shards"},
    OptionRow{"json-text-key", kData, kLater, "A;B", &O::json_text_key, "take captions from these fields of .json members, the first that is not empty"},
    OptionRow{"json-text-key-probs", kData, kLater, "P...", &O::json_text_key_probs, "weights by which a sample prefers those fields", {}, kNatural, true},
    OptionRow{"max-image-pixels", kData, kLater, "N", &O::max_image_pixels, "leave out pictures in shards that are larger; 0: none", {}, kNatural},
    OptionRow{"imagenet-val", kData, kReference, "DIR", &O::imagenet_val, "ImageNet's validation set, for zero-shot accuracy"},
    OptionRow{"imagenet-v2", kData, kReference, "DIR", &O::imagenet_v2, "ImageNet V2, for the same"},
    OptionRow{"workers", kData, kReference, "N", &O::workers, "loader workers of each process; with --train-num-samples they decide how many batches an epoch has", {}, kNatural},
    OptionRow{"batch-size", kData, kReference, "N", &O::batch_size, "samples in a batch of each process", {}, kPositive},
    OptionRow{"cache-dir", kData, kReference, "DIR", &O::cache_dir, "taken, without effect: HF_HUB_CACHE says where --pretrained-image is kept"},

    // ---- model ----
    OptionRow{"model", kModel, kReference, "NAME", &O::model, "configuration, config JSON, or model folder (also local-dir:FOLDER)"},
    OptionRow{"pretrained", kModel, kReference, "FILE", &O::pretrained, "weights to begin with, before any --resume"},
    OptionRow{"pretrained-image", kModel, kReference, "", &O::pretrained_image, "begin the image trunk with the weights that timm has for it, from the hub, unless --pretrained or a folder brings all"},
    OptionRow{"precision", kModel, kReference, "KIND", &O::precision, "arithmetic of the towers", {"amp", "amp_bf16", "amp_bfloat16", "bf16", "fp16", "pure_bf16", "pure_fp16", "fp32"}},
    OptionRow{"lock-image", kModel, kReference, "", &O::lock_image, "freeze the image tower (LiT)"},
    OptionRow{"lock-image-unlocked-groups", kModel, kReference, "N", &O::lock_image_unlocked_groups, "but for its last N groups of layers", {}, kNatural},
    OptionRow{"lock-image-freeze-bn-stats", kModel, kReference, "", &O::lock_image_freeze_bn_stats, "freeze the statistics of locked batch norms too"},
    OptionRow{"lock-text", kModel, kReference, "", &O::lock_text, "freeze the text tower"},
    OptionRow{"lock-text-unlocked-layers", kModel, kReference, "N", &O::lock_text_unlocked_layers, "but for its last N layers", {}, kNatural},
    OptionRow{"lock-text-freeze-layer-norm", kModel, kReference, "", &O::lock_text_freeze_layer_norm, "freeze the layer norms of locked layers too"},
    OptionRow{"image-mean", kModel, kReference, "M...", &O::image_mean, "mean of each channel, in place of the model's", {}, {}, true},
    OptionRow{"image-std", kModel, kReference, "S...", &O::image_std, "deviation of each channel, in place of the model's", {}, {}, true},
    OptionRow{"image-interpolation", kModel, kReference, "KIND", &O::image_interpolation, "filter pictures are resized with; random: drawn for each crop of the timm transform", {"bicubic", "bilinear", "random"}},
    OptionRow{"image-resize-mode", kModel, kReference, "KIND", &O::image_resize_mode, "how pictures are fit for evaluation", {"shortest", "longest", "squash"}},
    OptionRow{"aug-cfg", kModel, kReference, "K=V...", &O::aug_cfg, "changes of training pictures: scale, ratio, color_jitter, color_jitter_prob, gray_scale_prob, re_prob, re_count, use_timm"},
    OptionRow{"grad-checkpointing", kModel, kReference, "", &O::grad_checkpointing, "keep only the inputs of blocks, compute the rest again"},
    OptionRow{"force-context-length", kModel, kReference, "N", &O::force_context_length, "tokens of a text, in place of the model's", {}, kPositive},
    OptionRow{"force-image-size", kModel, kReference, "N...", &O::force_image_size, "side, or height and width, in place of the model's", {}, kPositive, true},
    OptionRow{"force-quick-gelu", kModel, kReference, "", &O::force_quick_gelu, "QuickGELU in open_clip's own towers"},
    OptionRow{"force-patch-dropout", kModel, kReference, "P", &O::force_patch_dropout, "share of a ViT's patches left out in training", {}, kShare},
    OptionRow{"force-custom-text", kModel, kReference, "", &O::force_custom_text, "checkpoints name the text tower's tensors `text.`"},
    OptionRow{"torchcompile", kModel, kReference, "", &O::torchcompile, "taken, without effect: there is nothing left to compile"},
    OptionRow{"torchcompile-strategy", kModel, kLater, "KIND", &O::torchcompile_strategy, "the same", {"model", "task", "step"}},
    OptionRow{"torchcompile-backend", kModel, kLater, "NAME", &O::torchcompile_backend, "the same"},
    OptionRow{"torchcompile-mode", kModel, kLater, "NAME", &O::torchcompile_mode, "the same"},
    OptionRow{"siglip", kModel, kReference, "", &O::siglip, "SigLIP's loss, pair by pair, with a bias"},
    OptionRow{"loss-dist-impl", kModel, kReference, "KIND", &O::loss_dist_impl, "taken, without effect: features are exchanged as --loss-memory says", {"bidir", "shift", "reduce", "gather"}},
    OptionRow{"distill-model", kModel, kReference, "NAME", &O::distill_model, "a teacher, whose softmaxes over a batch the student learns too"},
    OptionRow{"distill-pretrained", kModel, kReference, "FILE", &O::distill_pretrained, "the teacher's weights"},

    // ---- optimisation ----
    OptionRow{"epochs", kOptimisation, kReference, "N", &O::epochs, "epochs of the whole run", {}, kNatural},
    OptionRow{"epochs-cooldown", kOptimisation, kReference, "N", &O::epochs_cooldown, "the last epochs, of const-cooldown", {}, kNatural},
    OptionRow{"lr", kOptimisation, kReference, "X", &O::lr, "peak learning rate (default 5e-4)", {}, kNatural},
    OptionRow{"beta1", kOptimisation, kReference, "X", &O::beta1, "Adam's, of the mean (default 0.9)", {}, kShare},
    OptionRow{"beta2", kOptimisation, kReference, "X", &O::beta2, "Adam's, of the square (default 0.999; a ViT's 0.98)", {}, kShare},
    OptionRow{"eps", kOptimisation, kReference, "X", &O::eps, "Adam's (default 1e-8; a ViT's 1e-6)", {}, kNatural},
    OptionRow{"wd", kOptimisation, kReference, "X", &O::wd, "weight decay, apart from the gradient", {}, kNatural},
    OptionRow{"momentum", kOptimisation, kReference, "X", &O::momentum, "of timm's optimizers that have one", {}, kNatural},
    OptionRow{"warmup", kOptimisation, kReference, "N", &O::warmup, "steps until the learning rate is at its peak", {}, kNatural},
    OptionRow{"opt", kOptimisation, kReference, "NAME", &O::opt, "adamw, nadamw, or one of timm's as timm/NAME (docs/train.md)"},
    OptionRow{"opt-kwargs", kOptimisation, kLater, "K=V...", &O::opt_kwargs, "more of the optimizer's arguments"},
    OptionRow{"opt-fallback-list", kOptimisation, kLater, "GLOB...", &O::opt_fallback_list, "parameters that timm's Muon leaves to AdamW"},
    OptionRow{"image-layer-decay", kOptimisation, kLater, "X", &O::image_layer_decay, "learning rate of each image layer as a share of the next one's", {}, kShare},
    OptionRow{"text-layer-decay", kOptimisation, kLater, "X", &O::text_layer_decay, "the same of text layers", {}, kShare},
    OptionRow{"wd-exclude", kOptimisation, kLater, "GLOB...", &O::wd_exclude, "more parameters without weight decay"},
    OptionRow{"use-bn-sync", kOptimisation, kReference, "", &O::use_bn_sync, "batch norms over the samples of all processes"},
    OptionRow{"skip-scheduler", kOptimisation, kReference, "", &O::skip_scheduler, "learning rate stays at --lr from the first step"},
    OptionRow{"lr-scheduler", kOptimisation, kReference, "KIND", &O::lr_scheduler, "course of the learning rate after the warm-up", {"cosine", "const", "const-cooldown"}},
    OptionRow{"lr-cooldown-end", kOptimisation, kReference, "X", &O::lr_cooldown_end, "where a cooldown ends", {}, kNatural},
    OptionRow{"lr-cooldown-power", kOptimisation, kReference, "X", &O::lr_cooldown_power, "its power; 1: a straight line", {}, kNatural},
    OptionRow{"grad-clip-norm", kOptimisation, kReference, "X", &O::grad_clip_norm, "largest norm of all gradients together", {}, kNatural},
    OptionRow{"accum-freq", kOptimisation, kReference, "N", &O::accum_freq, "batches of one step", {}, kPositive},
    OptionRow{"local-loss", kOptimisation, kReference, "", &O::local_loss, "each process compares its own features with all; only with --gather-with-grad"},
    OptionRow{"gather-with-grad", kOptimisation, kReference, "", &O::gather_with_grad, "gradients flow back through the gathered features"},
    OptionRow{"seed", kOptimisation, kReference, "N", &O::seed, "of everything random"},

    // ---- run control and logging ----
    OptionRow{"logs", kRun, kReference, "DIR", &O::logs, "where runs are kept; none: keep nothing"},
    OptionRow{"log-local", kRun, kReference, "", &O::log_local, "a log on each machine, out-RANK"},
    OptionRow{"name", kRun, kReference, "NAME", &O::name, "of the run, its folder in --logs (default: time and settings)"},
    OptionRow{"save-frequency", kRun, kReference, "N", &O::save_frequency, "epochs between checkpoints that stay; 0: only the last", {}, kNatural},
    OptionRow{"save-most-recent", kRun, kReference, "", &O::save_most_recent, "also epoch_latest.pt after every epoch"},
    OptionRow{"delete-previous-checkpoint", kRun, kReference, "", &O::delete_previous_checkpoint, "remove the one before, once a checkpoint is on disk"},
    OptionRow{"zeroshot-frequency", kRun, kReference, "N", &O::zeroshot_frequency, "epochs between zero-shot evaluations; 0: none", {}, kNatural},
    OptionRow{"val-frequency", kRun, kReference, "N", &O::val_frequency, "epochs between validations; 0: none", {}, kNatural},
    OptionRow{"val-retrieval-chunk-size", kRun, kLater, "N", &O::val_retrieval_chunk_size, "rows of a tile of validation scores; 0: all at once", {}, kNatural},
    OptionRow{"val-retrieval-precision", kRun, kLater, "KIND", &O::val_retrieval_precision, "type of those scores; model: that of the features", {"fp32", "model"}},
    OptionRow{"resume", kRun, kReference, "FILE", &O::resume, "go on from a checkpoint; latest: from the run's own last one, if there is one"},
    OptionRow{"log-every-n-steps", kRun, kReference, "N", &O::log_every_n_steps, "steps between lines on the console", {}, kPositive},
    OptionRow{"log-metric-every-n-steps", kRun, kLater, "N", &O::log_metric_every_n_steps, "steps between points of curves (default: --log-every-n-steps)", {}, kPositive},
    OptionRow{"train-loss-ema-samples", kRun, kLater, "N", &O::train_loss_ema_samples, "samples over which the loss in brackets is averaged; 0 (default): the epoch so far", {}, kNatural},
    OptionRow{"report-to", kRun, kReference, "NAMES", &O::report_to, "tensorboard, wandb (as event files that `wandb sync` sends), all"},
    OptionRow{"wandb-notes", kRun, kReference, "TEXT", &O::wandb_notes, "kept in params.txt"},
    OptionRow{"wandb-project-name", kRun, kReference, "NAME", &O::wandb_project_name, "the project of `wandb sync`"},
    OptionRow{"debug", kRun, kReference, "", &O::debug, "log more"},
    OptionRow{"remote-sync", kRun, kReference, "URL", &O::remote_sync, "copy the run there from time to time"},
    OptionRow{"remote-sync-frequency", kRun, kReference, "SECONDS", &O::remote_sync_frequency, "how often", {}, kPositive},
    OptionRow{"remote-sync-protocol", kRun, kReference, "KIND", &O::remote_sync_protocol, "with `aws s3 sync`, or file by file", {"s3", "fsspec"}},

    // ---- device and distribution ----
    OptionRow{"device", kDistributed, kReference, "NAME", &O::device, "cuda, cuda:N or cpu; without a GPU, cpu"},
    OptionRow{"dist-url", kDistributed, kReference, "URL", &O::dist_url, "where processes meet: env:// or tcp://HOST:PORT (default env://)"},
    OptionRow{"dist-backend", kDistributed, kReference, "NAME", &O::dist_backend, "gloo or nccl (default: by the device)"},
    OptionRow{"ddp-static-graph", kDistributed, kReference, "", &O::ddp_static_graph, "every step uses the same parameters"},
    OptionRow{"no-set-device-rank", kDistributed, kReference, "", &O::no_set_device_rank, "the launcher shows each process one GPU only"},
    OptionRow{"fsdp", kDistributed, kLater, "", &O::fsdp, "taken, without effect: parameters stay whole in each process"},
    OptionRow{"fsdp-no-reshard-after-forward", kDistributed, kLater, "", &O::fsdp_no_reshard_after_forward, "the same"},
    OptionRow{"fsdp-offload-cpu", kDistributed, kLater, "", &O::fsdp_offload_cpu, "the same"},
    OptionRow{"fsdp-checkpoint", kDistributed, kLater, "KIND", &O::fsdp_checkpoint, "checkpoints are always full", {"full", "sharded"}},

    // ---- ours ----
    OptionRow{"recipe", kOurs, kOwn, "NAME", &O::recipe, "begin with the options of a recipe (below) or of a JSON file"},
    OptionRow{"dry-run", kOurs, kOwn, "", &O::dry_run, "print steps, learning rates, memory and traffic, and stop"},
    OptionRow{"nproc", kOurs, kOwn, "N", &O::nproc, "processes to start on this machine", {}, kPositive},
    OptionRow{"threads", kOurs, kOwn, "N", &O::threads, "of each process, to compute; 0: the machine's, shared", {}, kNatural},
    OptionRow{"decode-threads", kOurs, kOwn, "N", &O::decode_threads, "of each process, to decode pictures; 0: as many as --workers", {}, kNatural},
    OptionRow{"shuffle-buffer", kOurs, kOwn, "N", &O::shuffle_buffer, "samples that each worker shuffles", {}, kPositive},
    OptionRow{"in-order", kOurs, kOwn, "", &O::in_order, "samples as the files have them, nothing shuffled"},
    OptionRow{"no-augment", kOurs, kOwn, "", &O::no_augment, "train on pictures as evaluation sees them"},
    OptionRow{"zeroshot-data", kOurs, kOwn, "SET...", &O::zeroshot_data, "more data sets for zero-shot accuracy, as `clipnext eval` takes them", {}, {}, true},
    OptionRow{"pretrained-loose", kOurs, kOwn, "", &O::pretrained_loose, "of --pretrained take what fits: positions are interpolated, tensors of other shapes stay as initialised"},
    OptionRow{"force-drop-path", kOurs, kOwn, "P", &O::force_drop_path, "share of a ConvNeXt's blocks left out in training, in place of the model's", {}, kShare},
    OptionRow{"force-dropout", kOurs, kOwn, "P", &O::force_dropout, "dropout in its projection (timm_drop), in place of the model's", {}, kShare},
    OptionRow{"init-seed", kOurs, kOwn, "N", &O::init_seed, "of the initial weights (default --seed)"},
    OptionRow{"decay-positional-embedding", kOurs, kOwn, "", &O::decay_positional_embedding, "weight decay of positions too; --no-decay-positional-embedding as later open_clip has it"},
    OptionRow{"ema-decay", kOurs, kOwn, "D", &O::ema_decay, "also keep a moving average of the weights", {}, kShare},
    OptionRow{"accum-fix-scale", kOurs, kOwn, "", &O::accum_fix_scale, "gradient of the logit scale once a step, not --accum-freq times as the reference has it"},
    OptionRow{"logits-dtype", kOurs, kOwn, "KIND", &O::logits_dtype, "of the loss under amp_bf16", {"bf16", "fp32"}},
    OptionRow{"loss-memory", kOurs, kOwn, "KIND", &O::loss_memory, "gather all features, or exchange them block by block in little memory", {"gather", "exchange"}},
    OptionRow{"on-nan", kOurs, kOwn, "KIND", &O::on_nan, "where loss or gradients are no numbers: stop, or pass over the step", {"fail", "skip"}},
    OptionRow{"checkpoint-format", kOurs, kOwn, "KIND", &O::checkpoint_format, "pt goes on in open_clip too", {"pt", "safetensors"}},
    OptionRow{"snapshot-minutes", kOurs, kOwn, "N", &O::snapshot_minutes, "between snapshots within an epoch; 0: none", {}, kNatural},
    OptionRow{"stop-after-epochs", kOurs, kOwn, "N", &O::stop_after_epochs, "end there, on the course of the whole run", {}, kPositive},
    OptionRow{"stop-after-steps", kOurs, kOwn, "N", &O::stop_after_steps, "the same in steps", {}, kPositive},
    OptionRow{"dist-timeout", kOurs, kOwn, "SECONDS", &O::dist_timeout, "until a process that is not heard of counts as lost", {}, kPositive},
    OptionRow{"json", kOurs, kOwn, "", &O::json, "progress as lines of JSON on standard output"},
};

constexpr std::array kAliases = {
    OptionAlias{"clip-grad-norm", "grad-clip-norm"},      // of model cards; never was an option
    OptionAlias{"norm_gradient_clip", "grad-clip-norm"},  // until November 2022
    OptionAlias{"visual-layer-decay", "image-layer-decay"},
};

constexpr std::string_view kNaflex = "NaFlex, for ViTs on pictures of any size, is not part of clipnext: pictures have one size (--force-image-size)";
constexpr std::string_view kAudio = "sound (CLAP) is not part of clipnext, which trains on pictures and texts";
constexpr std::string_view kBuckets = "texts are not sorted by length: the text tower computes the tokens there are, and no padding";
constexpr std::string_view kCoca = "CoCa's captioning loss is not part of clipnext; --siglip and the contrastive loss are";
constexpr std::string_view kJit = "TorchScript has nothing to work on here: the program is compiled";
constexpr std::string_view kOld = "is gone from open_clip since 2021";

constexpr std::array kRefused = {
    RefusedOption{"length-bucketing", kBuckets},
    RefusedOption{"bucket-pool", kBuckets},
    RefusedOption{"bucket-chunk", kBuckets},
    RefusedOption{"bucket-prefetch-pools", kBuckets},
    RefusedOption{"text-pad-multiple", kBuckets},
    RefusedOption{"use-naflex", kNaflex},
    RefusedOption{"force-naflex-vision", kNaflex},
    RefusedOption{"naflex-num-train-image-tokens", kNaflex},
    RefusedOption{"naflex-patch-sizes", kNaflex},
    RefusedOption{"naflex-patch-size-probs", kNaflex},
    RefusedOption{"naflex-seq-lens", kNaflex},
    RefusedOption{"naflex-seq-len-probs", kNaflex},
    RefusedOption{"naflex-max-tokens-per-batch", kNaflex},
    RefusedOption{"naflex-max-text-tokens", kNaflex},
    RefusedOption{"naflex-batch-divisor", kNaflex},
    RefusedOption{"naflex-loss-scale", kNaflex},
    RefusedOption{"naflex-pad-multiple", kNaflex},
    RefusedOption{"audio-ext", kAudio},
    RefusedOption{"pretrained-audio", kAudio},
    RefusedOption{"audio-fill", kAudio},
    RefusedOption{"audio-trunc", kAudio},
    RefusedOption{"audio-fusion", kAudio},
    RefusedOption{"audio-int16-normalize", kAudio},
    RefusedOption{"audio-multiprocessing-context", kAudio},
    RefusedOption{"audio-layer-decay", kAudio},
    RefusedOption{"audio-zeroshot-dataset", kAudio},
    RefusedOption{"audio-zeroshot-split", kAudio},
    RefusedOption{"audio-zeroshot-audio-key", kAudio},
    RefusedOption{"audio-zeroshot-target-key", kAudio},
    RefusedOption{"audio-zeroshot-class-key", kAudio},
    RefusedOption{"audio-zeroshot-template", kAudio},
    RefusedOption{"audio-zeroshot-workers", kAudio},
    RefusedOption{"audio-zeroshot-multiprocessing-context", kAudio},
    RefusedOption{"text-pooler-own-group", "only text towers of Hugging Face have a pooler; clipnext's text tower is CLIP's own"},
    RefusedOption{"use-bnb-linear", "bitsandbytes' int8 layers are Python's; `clipnext convert --dtype int8` makes an int8 model for inference", "None"},
    RefusedOption{"coca-caption-loss-weight", kCoca, "2.0"},
    RefusedOption{"coca-contrastive-loss-weight", kCoca, "1.0"},
    RefusedOption{"torchscript", kJit, "False"},
    RefusedOption{"trace", kJit, "False"},
    RefusedOption{"copy-codebase", "a program has no source to copy; out.log and params.txt name its version", "False"},
    RefusedOption{"horovod", "Horovod is gone from open_clip too; torchrun, srun, mpirun and --nproc start several processes", "False"},
    RefusedOption{"dp", kOld},
    RefusedOption{"multigpu", kOld},
    RefusedOption{"gpu", "is gone from open_clip since 2021; --device cuda:N"},
    RefusedOption{"openai-pretrained", "is gone from open_clip since 2021; --pretrained FILE"},
    RefusedOption{"regression-frequency", kOld},
    RefusedOption{"skip-aggregate", "is gone from open_clip since 2022; see --local-loss and --gather-with-grad"},
    RefusedOption{"C", kOld},
};
// clang-format on

std::string text_of(bool value) { return value ? "True" : "False"; }
std::string text_of(int64_t value) { return std::to_string(value); }
std::string text_of(double value) { return python_repr(value); }
std::string text_of(const std::string& value) { return value; }
std::string text_of(const KeyValues& values) { return python_repr(values); }

template <class T>
std::string text_of(const std::optional<T>& value) {
  return value ? text_of(*value) : "None";
}

template <class T>
std::string text_of(const std::vector<T>& values) {
  std::string out;
  for (const T& value : values) {
    out += out.empty() ? "" : ", ";
    if constexpr (std::is_same_v<T, std::string>) {
      out += python_repr(std::string_view(value));
    } else {
      out += text_of(value);
    }
  }
  return "[" + out + "]";
}

}  // namespace

std::span<const OptionRow> option_table() { return kTable; }
std::span<const OptionAlias> option_aliases() { return kAliases; }
std::span<const RefusedOption> refused_options() { return kRefused; }

const OptionRow* find_option(std::string_view name) {
  for (const OptionAlias& alias : kAliases) {
    if (alias.name == name) name = alias.means;
  }
  const auto* found = std::find_if(kTable.begin(), kTable.end(),
                                   [&](const OptionRow& row) { return row.name == name; });
  return found == kTable.end() ? nullptr : found;
}

std::string_view group_title(OptionGroup group) {
  constexpr std::array<std::string_view, 6> kTitles = {"Data",
                                                       "Model",
                                                       "Optimisation",
                                                       "Run control and logging",
                                                       "Device and distribution",
                                                       "Ours, not open_clip's"};
  return kTitles[static_cast<size_t>(group)];
}

std::string python_text(const OptionRow& row, const TrainOptions& options) {
  return std::visit(
      [&](const auto field) -> std::string {
        const auto& value = options.*field;
        using T = std::decay_t<decltype(value)>;
        // Lists that nobody gave are None in the reference, but for the ones that begin empty.
        if constexpr (std::is_same_v<T, std::vector<int64_t>> ||
                      std::is_same_v<T, std::vector<double>> ||
                      std::is_same_v<T, std::vector<std::string>>) {
          if (value.empty() && row.name != "wd-exclude") return "None";
        }
        // One side stands for two, and is then no list any more.
        if (row.name == "force-image-size") {
          if constexpr (std::is_same_v<T, std::vector<int64_t>>) {
            if (value.size() == 1) return std::to_string(value.front());
          }
        }
        return text_of(value);
      },
      row.field);
}

}  // namespace clipnext::run
