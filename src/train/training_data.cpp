#include "train/training_data.h"

#include <utility>

#include "base/error.h"
#include "data/open_source.h"
#include "run/augment_config.h"

namespace clipnext::train {
namespace {

data::SourceOptions source_options(const run::TrainOptions& options) {
  data::SourceOptions source;
  source.type = options.dataset_type;
  source.csv.separator = options.csv_separator;
  source.csv.image_key = options.csv_img_key;
  source.csv.caption_key = options.csv_caption_key;
  source.image_key = options.image_key;
  source.text_key = options.text_key;
  source.json_text_key = options.json_text_key.value_or("");
  source.json_text_key_probs = options.json_text_key_probs;
  source.batch_size = options.batch_size;
  source.workers = options.workers;
  source.seed = options.seed;
  return source;
}

pipeline::TrainLoaderConfig loader_config(const run::TrainOptions& options,
                                          const model::ClipConfig& config) {
  pipeline::TrainLoaderConfig loader;
  loader.preprocess = config.preprocess;
  loader.context_length = config.text.context_length;
  loader.batch_size = options.batch_size;
  loader.max_image_pixels = options.max_image_pixels;
  loader.seed = static_cast<uint64_t>(options.seed);
  loader.threads = static_cast<int>(options.decode_threads);
  return loader;
}

std::unique_ptr<DeviceLoader> load_on(at::Device device, const model::ClipConfig& config,
                                      std::vector<std::unique_ptr<data::SampleSource>> workers,
                                      std::shared_ptr<const text::Tokenizer> tokenizer,
                                      const pipeline::TrainLoaderConfig& options,
                                      FaultLog& faults) {
  return std::make_unique<DeviceLoader>(
      std::make_unique<pipeline::TrainLoader>(std::move(workers), std::move(tokenizer), options,
                                              faults.listener()),
      config, device);
}

std::string without_digits(std::string text) {
  std::erase_if(text, [](char c) { return c >= '0' && c <= '9'; });
  return text;
}

}  // namespace

void FaultLog::add(const std::string& name, const std::string& reason) {
  constexpr int64_t kEvery = 1000;
  ++count_;
  const int64_t times = count_kind(reason);
  const std::string fault = name + ": " + reason;
  if (times % kEvery != 1) return log_.debug(fault);
  log_.warning(fault + (times > 1 ? " (" + std::to_string(times) + " times by now)" : ""));
}

/// How often there was a reason of this kind, which may hold names too: beyond a number of kinds
/// all others are counted as one.
int64_t FaultLog::count_kind(const std::string& reason) {
  constexpr size_t kMostKinds = 100;
  std::string kind = without_digits(reason);
  const std::lock_guard lock(mutex_);
  if (kinds_.size() >= kMostKinds && !kinds_.contains(kind)) kind.clear();
  return ++kinds_[kind];
}

RunData open_training_data(const run::TrainOptions& options, const model::ClipConfig& config,
                           std::shared_ptr<const text::Tokenizer> tokenizer, const Group& group,
                           at::Device device, FaultLog& faults) {
  data::SourceOptions source = source_options(options);
  source.data = options.train_data.value_or("");
  source.num_samples = options.train_num_samples.value_or(0);
  source.resampled = options.dataset_resampled;
  source.upsampling_factors = options.train_data_upsampling_factors.value_or("");
  source.rank = group.rank();
  source.world = group.size();
  source.in_order = options.in_order;
  source.shuffle_buffer = options.shuffle_buffer;
  data::OpenedSource opened = data::open_source(source, faults.listener());

  pipeline::TrainLoaderConfig loader = loader_config(options, config);
  loader.augment = run::augment_config(options);
  loader.batches_per_epoch = opened.epoch.batches;
  loader.rank = group.rank();
  return {load_on(device, config, std::move(opened.workers), std::move(tokenizer), loader, faults),
          opened.epoch};
}

RunData open_validation_data(const run::TrainOptions& options, const model::ClipConfig& config,
                             std::shared_ptr<const text::Tokenizer> tokenizer, const Group& group,
                             at::Device device, FaultLog& faults) {
  data::SourceOptions source = source_options(options);
  source.data = options.val_data.value_or("");
  source.num_samples = options.val_num_samples.value_or(0);
  source.training = false;
  data::OpenedSource opened = data::open_source(source, faults.listener());

  pipeline::TrainLoaderConfig loader = loader_config(options, config);
  loader.keep_partial = true;
  loader.rank = group.rank();
  loader.shared_by = group.size();
  return {load_on(device, config, std::move(opened.workers), std::move(tokenizer), loader, faults),
          opened.epoch};
}

}  // namespace clipnext::train
