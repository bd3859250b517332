// How many batches and samples an epoch has.
#pragma once

#include <cstdint>
#include <optional>

#include "data/shard_list.h"

namespace clipnext::data {

/// As the schedule of the learning rate and the log count them.
struct EpochSize {
  int64_t batches = 0;  // of each rank
  int64_t samples = 0;  // of all ranks

  bool operator==(const EpochSize&) const = default;
};

/// Who shares an epoch. All at least 1 (`workers` is what --workers gives, 0 counting as 1).
struct EpochShares {
  int64_t batch_size = 1;  // of a rank
  int64_t world = 1;
  int64_t workers = 1;  // of a rank
};

/// Training on shards: as many batches as hold num_samples, rounded up to whole batches and then to
/// as many for each worker, so workers change the number of steps; samples are rounded up alike.
/// Throws Error unless all are at least 1, and on overflow.
EpochSize shard_epoch(int64_t num_samples, const EpochShares& shares);

/// Training on a table of rows: a rank's rows (see TableOrder) in whole batches; `samples` is the
/// number of rows. Throws Error if there is not one whole batch.
EpochSize table_epoch(int64_t rows, const EpochShares& shares);

/// Validation, on one rank, last batch partial; 0 samples: unknown.
EpochSize validation_size(int64_t num_samples, int64_t batch_size);

/// What is known of a list of shards, in the folder of its first: the counts of sizes.json (a JSON
/// object from shard name to count) for all of them together, or else the number that __len__
/// holds; nothing if neither file is there. Throws Error naming the file if it is malformed or
/// lacks a shard.
std::optional<int64_t> find_num_samples(const ShardList& shards);

/// Of the two numbers of samples that an epoch may have, the one that counts.
enum class SizePrecedence : uint8_t {
  kOption,  // open_clip 2.22 and later: --train-num-samples, then files
  kFiles,   // before
};

/// The number for training; `given` 0: no option. Throws Error if there is none, and as
/// find_num_samples.
int64_t training_samples(const ShardList& shards, int64_t given,
                         SizePrecedence precedence = SizePrecedence::kOption);

/// Throws Error unless each worker of each rank has a shard of its own, which training without
/// resampling needs.
void require_shard_for_each(const ShardList& shards, const EpochShares& shares);

}  // namespace clipnext::data
