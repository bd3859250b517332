#include "data/open_source.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "data/caption_folder.h"
#include "data/table_source.h"
#include "data/webdataset_source.h"

namespace clipnext::data {
namespace {

std::vector<std::string> split_names(std::string_view text, const char* option) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const size_t end = std::min(text.find(';'), text.size());
    if (end > 0) names.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  require(!names.empty(), option, ": expected one or more names, joined by ;");
  return names;
}

MemberKeys member_keys(const SourceOptions& options) {
  MemberKeys keys;
  keys.image = split_names(options.image_key, "--image-key");
  keys.text = split_names(options.text_key, "--text-key");
  if (!options.json_text_key.empty()) {
    keys.json.fields = split_names(options.json_text_key, "--json-text-key");
  }
  require(options.json_text_key_probs.empty() || !keys.json.fields.empty(),
          "--json-text-key-probs needs --json-text-key");
  keys.json.weights = options.json_text_key_probs;
  check(keys.json);
  return keys;
}

EpochShares shares_of(const SourceOptions& options) {
  return {.batch_size = options.batch_size,
          .world = options.world,
          .workers = std::max<int64_t>(1, options.workers)};
}

template <class MakeWorker>
std::vector<std::unique_ptr<SampleSource>> make_workers(const SourceOptions& options,
                                                        const MakeWorker& make) {
  const EpochShares shares = shares_of(options);
  std::vector<std::unique_ptr<SampleSource>> workers;
  for (int64_t worker = 0; worker < shares.workers; ++worker) {
    workers.push_back(make(WorkerId{
        .rank = options.rank, .world = shares.world, .worker = worker, .workers = shares.workers}));
  }
  return workers;
}

OpenedSource open_shards(const SourceOptions& options, const OnFault& on_fault) {
  WebdatasetConfig config;
  config.keys = member_keys(options);
  config.order.seed = options.seed;
  if (!options.training) {
    config.order.mode = ShardMode::kOnce;
  } else if (options.resampled) {
    config.order.mode = ShardMode::kResampled;
  }
  config.sample_shuffle_size = options.shuffle_buffer;
  read_buffer_sizes(config);
  if (options.in_order) config.order.shuffle_size = config.sample_shuffle_size = 1;
  const bool resampled = config.order.mode == ShardMode::kResampled;
  require(options.upsampling_factors.empty() || resampled || !options.training,
          "--train-data-upsampling-factors needs --dataset-resampled");
  const auto shards = std::make_shared<const ShardList>(
      options.data, resampled ? options.upsampling_factors : std::string());
  OpenedSource opened;
  if (!options.training) {
    opened.epoch = validation_size(options.num_samples, options.batch_size);
  } else {
    if (!resampled) require_shard_for_each(*shards, shares_of(options));
    opened.epoch = shard_epoch(training_samples(*shards, options.num_samples, options.precedence),
                               shares_of(options));
  }
  opened.workers = make_workers(options, [&](const WorkerId& id) {
    return std::make_unique<WebdatasetSource>(shards, config, id, on_fault);
  });
  return opened;
}

std::shared_ptr<const SampleTable> open_table(const SourceOptions& options, SourceKind kind,
                                              const OnFault& on_fault) {
  switch (kind) {
    case SourceKind::kCsv:
      return std::make_shared<CsvTable>(options.data, options.csv, on_fault);
    case SourceKind::kFolder:
      return std::make_shared<CaptionFolder>(options.data, on_fault);
    default:
      return std::make_shared<SyntheticTable>(options.num_samples);
  }
}

}  // namespace

SourceKind source_kind(const std::string& data, const std::string& type) {
  if (type == "webdataset") return SourceKind::kWebdataset;
  if (type == "csv") return SourceKind::kCsv;
  if (type == "folder") return SourceKind::kFolder;
  if (type == "synthetic") return SourceKind::kSynthetic;
  require(type == "auto", "--dataset-type ", type,
          ": expected webdataset, csv, folder, synthetic or auto");
  if (data.ends_with(".csv") || data.ends_with(".tsv")) return SourceKind::kCsv;
  if (data.ends_with(".tar")) return SourceKind::kWebdataset;
  std::error_code ignored;
  if (std::filesystem::is_directory(data, ignored)) return SourceKind::kFolder;
  fail("\"", data,
       "\" does not end in .csv, .tsv or .tar, nor is it a folder: say what it is by "
       "--dataset-type");
}

OpenedSource open_source(const SourceOptions& options, const OnFault& on_fault) {
  const SourceKind kind = source_kind(options.data, options.type);
  require(options.rank >= 0 && options.rank < options.world, "rank ", options.rank, " of ",
          options.world);
  if (kind == SourceKind::kWebdataset) return open_shards(options, on_fault);
  const std::shared_ptr<const SampleTable> table = open_table(options, kind, on_fault);
  const TableOrder order = {.training = options.training,
                            .shuffled = !options.in_order,
                            .seed = options.seed,
                            .block = options.batch_size};
  OpenedSource opened;
  opened.epoch = options.training ? table_epoch(table->size(), shares_of(options))
                                  : validation_size(table->size(), options.batch_size);
  opened.workers = make_workers(options, [&](const WorkerId& id) {
    return std::make_unique<TableSource>(table, order, id, on_fault);
  });
  return opened;
}

}  // namespace clipnext::data
