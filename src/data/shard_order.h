// Which shards a worker reads, one after another.
#pragma once

#include <cstdint>
#include <optional>

#include "base/random.h"
#include "data/random_purpose.h"
#include "data/sample_source.h"
#include "data/shard_list.h"
#include "data/shuffle_buffer.h"

namespace clipnext::data {

enum class ShardMode : uint8_t {
  kShuffled,   // training: one order of all shards for all workers, dealt out rank by rank, then
               // worker by worker
  kResampled,  // training: each worker draws from all shards, without end
  kOnce,       // validation: in order, dealt out to the workers of each rank alike
};

struct ShardOrderConfig {
  ShardMode mode = ShardMode::kShuffled;
  /// Below 0: each worker has an order of its own, so shards come more than once, as in the
  /// reference.
  int64_t seed = 0;
  int64_t shuffle_size = 2000;  // of kShuffled: how far a shard moves, see ShuffleBuffer
  int64_t shuffle_initial = 500;
};

/// A pure function of list, configuration, worker and epoch. The list must outlive it.
class ShardOrder {
 public:
  ShardOrder(const ShardList& shards, const ShardOrderConfig& config, const WorkerId& id,
             int64_t epoch);

  /// The next shard's number in the list; nothing at the end of a pass (never if resampled).
  std::optional<int64_t> next();

 private:
  std::optional<int64_t> next_of_all();

  const ShardList& shards_;
  ShardMode mode_;
  int64_t first_;  // of each `stride_` shards, which is the worker's
  int64_t stride_;
  ShuffleBuffer<int64_t> shuffle_;
  RandomStream draws_;
  int64_t listed_ = 0;  // shards taken from the list
  int64_t place_ = 0;   // in the order of all workers
};

}  // namespace clipnext::data
