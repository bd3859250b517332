// Everything `clipnext train` can be told: one field for each option, named as the option with
// underscores. Defaults are open_clip_train 3.3.0's where it has the option; option_table.cpp says
// what each means.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "run/python_literal.h"

namespace clipnext::run {

struct TrainOptions {
  // ---- data ----
  std::optional<std::string> train_data;
  std::optional<std::string> train_data_upsampling_factors;
  std::optional<std::string> val_data;
  std::optional<int64_t> train_num_samples;
  std::optional<int64_t> val_num_samples;
  std::string dataset_type = "auto";  // webdataset, csv, folder, synthetic
  bool dataset_resampled = false;
  std::string csv_separator = "\t";
  std::string csv_img_key = "filepath";
  std::string csv_caption_key = "title";
  std::string image_key = "jpg;png;jpeg;webp";
  std::string text_key = "txt";
  std::optional<std::string> json_text_key;
  std::vector<double> json_text_key_probs;
  int64_t max_image_pixels = 25'000'000;
  std::optional<std::string> imagenet_val;
  std::optional<std::string> imagenet_v2;
  std::vector<std::string> zeroshot_data;  // ours: data sets as `clipnext eval` takes them
  std::optional<std::string> cache_dir;
  int64_t workers = 4;
  int64_t batch_size = 64;
  int64_t shuffle_buffer = 5000;  // ours
  int64_t decode_threads = 0;     // ours; 0: as many as workers
  bool in_order = false;          // ours
  bool no_augment = false;        // ours

  // ---- model ----
  std::string model = "RN50";
  std::string pretrained;
  bool pretrained_image = false;
  bool pretrained_loose = false;  // ours
  std::string precision = "amp";
  bool lock_image = false;
  int64_t lock_image_unlocked_groups = 0;
  bool lock_image_freeze_bn_stats = false;
  bool lock_text = false;
  int64_t lock_text_unlocked_layers = 0;
  bool lock_text_freeze_layer_norm = false;
  std::vector<double> image_mean;
  std::vector<double> image_std;
  std::optional<std::string> image_interpolation;
  std::optional<std::string> image_resize_mode;
  KeyValues aug_cfg;
  bool grad_checkpointing = false;
  std::optional<int64_t> force_context_length;
  std::vector<int64_t> force_image_size;  // one (square) or height and width
  bool force_quick_gelu = false;
  std::optional<double> force_patch_dropout;
  std::optional<double> force_drop_path;  // ours
  std::optional<double> force_dropout;    // ours
  bool force_custom_text = false;
  bool torchcompile = false;
  std::string torchcompile_strategy = "task";
  std::optional<std::string> torchcompile_backend;
  std::optional<std::string> torchcompile_mode;
  bool siglip = false;
  std::optional<std::string> loss_dist_impl;
  std::optional<std::string> distill_model;
  std::optional<std::string> distill_pretrained;
  std::string logits_dtype = "bf16";   // ours; under amp_bf16
  std::string loss_memory = "gather";  // ours
  std::optional<int64_t> init_seed;    // ours; default: seed

  // ---- optimisation ----
  int64_t epochs = 32;
  std::optional<int64_t> epochs_cooldown;
  // Filled from the model's name, unless the optimizer is one of timm's.
  std::optional<double> lr;
  std::optional<double> beta1;
  std::optional<double> beta2;
  std::optional<double> eps;
  double wd = 0.2;
  std::optional<double> momentum;
  int64_t warmup = 10'000;
  std::string opt = "adamw";
  KeyValues opt_kwargs;
  std::vector<std::string> opt_fallback_list;
  std::optional<double> image_layer_decay;
  std::optional<double> text_layer_decay;
  std::vector<std::string> wd_exclude;
  bool decay_positional_embedding = true;  // as 3.3.0; see --no-decay-positional-embedding
  bool use_bn_sync = false;
  bool skip_scheduler = false;
  std::string lr_scheduler = "cosine";
  double lr_cooldown_end = 0.0;
  double lr_cooldown_power = 1.0;
  std::optional<double> grad_clip_norm;
  int64_t accum_freq = 1;
  bool accum_fix_scale = false;  // ours
  bool local_loss = false;
  bool gather_with_grad = false;
  std::optional<double> ema_decay;  // ours
  std::string on_nan = "fail";      // ours
  int64_t seed = 0;

  // ---- run control and logging ----
  std::optional<std::string> recipe;  // ours
  std::string logs = "./logs/";
  bool log_local = false;
  std::optional<std::string> name;
  int64_t save_frequency = 1;
  bool save_most_recent = false;
  bool delete_previous_checkpoint = false;
  std::string checkpoint_format = "pt";  // ours; or safetensors
  double snapshot_minutes = 10;          // ours; 0: none
  int64_t zeroshot_frequency = 2;
  int64_t val_frequency = 1;
  int64_t val_retrieval_chunk_size = 4096;
  std::string val_retrieval_precision = "fp32";
  std::optional<std::string> resume;
  std::optional<int64_t> stop_after_epochs;  // ours
  std::optional<int64_t> stop_after_steps;   // ours
  int64_t log_every_n_steps = 100;
  std::optional<int64_t> log_metric_every_n_steps;  // default: log_every_n_steps, as 3.3.0
  std::optional<int64_t> train_loss_ema_samples;    // default: mean of the epoch so far, as 3.3.0
  std::string report_to;
  std::string wandb_notes;
  std::string wandb_project_name = "open-clip";
  bool debug = false;
  bool json = false;     // ours
  bool dry_run = false;  // ours
  std::optional<std::string> remote_sync;
  int64_t remote_sync_frequency = 300;  // seconds
  std::string remote_sync_protocol = "s3";

  // ---- device and distribution ----
  std::string device = "cuda";
  int64_t threads = 0;  // ours; 0: the machine's, shared by the processes on it
  int64_t nproc = 1;    // ours
  std::optional<std::string> dist_url;
  std::optional<std::string> dist_backend;
  int64_t dist_timeout = 1800;  // ours; seconds
  bool ddp_static_graph = false;
  bool no_set_device_rank = false;
  bool fsdp = false;
  bool fsdp_no_reshard_after_forward = false;
  bool fsdp_offload_cpu = false;
  std::string fsdp_checkpoint = "full";
};

}  // namespace clipnext::run
