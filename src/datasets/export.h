// Writing a data set as a webdataset folder, which clip_benchmark reads (its
// clip_benchmark_export_wds 1.6.2 writes the like).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "datasets/dataset.h"
#include "image/encode.h"

namespace clipnext::datasets {

struct ExportOptions {
  std::filesystem::path output;  // the root; made if it is not there
  std::string split = "test";
  /// Of pictures whose own format is none of the layout's (webp, png, jpg); others are copied byte
  /// for byte.
  image::Encoding encoding = image::Encoding::kWebp;
  int64_t max_count = 10'000;         // samples of a shard
  int64_t max_size = 1'000'000'000;   // bytes after which a shard takes no further sample
  std::function<void(int64_t)> done;  // hears of the samples written
};

struct Exported {
  int64_t samples = 0;
  int64_t shards = 0;
  int64_t encoded = 0;                // pictures that were not copied
  std::vector<std::string> warnings;  // what will read back otherwise than it is here
};

/// Writes `set` to output/split, and its names, templates and kind to the root, where another split
/// may have left the same ones. nshards.txt, without which the split is no set, comes last: a run
/// that was interrupted is finished by running it again. Throws Error if the split is there
/// already, the root holds another set's names, a list does not survive the layout, the set is one
/// of caption selection, or a picture cannot be read.
Exported export_wds(const Dataset& set, const ExportOptions& options, ThreadPool& pool);

}  // namespace clipnext::datasets
