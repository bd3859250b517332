// From what the command line says of a data set to the sources of a rank's workers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/csv_table.h"
#include "data/epoch_size.h"
#include "data/sample_source.h"
#include "data/shard_reader.h"

namespace clipnext::data {

enum class SourceKind : uint8_t { kWebdataset, kCsv, kFolder, kSynthetic };

/// What --dataset-type says: webdataset, csv, folder, synthetic; `auto` goes by the end of `data`:
/// .csv and .tsv, .tar, or an existing folder. Throws Error for any other.
SourceKind source_kind(const std::string& data, const std::string& type);

struct SourceOptions {
  std::string data;  // --train-data or --val-data; not used by synthetic data
  std::string type = "auto";
  bool training = true;
  int64_t shuffle_buffer = 5000;  // encoded samples held to shuffle
  bool in_order = false;          // training without any shuffling, for comparisons
  int64_t num_samples = 0;        // --train-num-samples or --val-num-samples; 0: not given
  SizePrecedence precedence = SizePrecedence::kOption;
  bool resampled = false;
  std::string upsampling_factors;
  CsvOptions csv;
  std::string image_key = "jpg;png;jpeg;webp";  // these three: names joined by ';'
  std::string text_key = "txt";
  std::string json_text_key;
  std::vector<double> json_text_key_probs;
  int64_t batch_size = 64;
  int64_t workers = 4;  // 0 counts as 1
  int64_t rank = 0;
  int64_t world = 1;
  int64_t seed = 0;
};

struct OpenedSource {
  std::vector<std::unique_ptr<SampleSource>> workers;  // of this rank, each at epoch 0
  EpochSize epoch;  // validation on shards: as --val-num-samples says, 0 if it does not
};

/// Opens a data set; buffer sizes of shards come from the environment (read_buffer_sizes). Throws
/// Error for what ShardList, CsvTable, CaptionFolder and epoch_size.h refuse, and for factors
/// without resampling.
OpenedSource open_source(const SourceOptions& options, const OnFault& on_fault);

}  // namespace clipnext::data
