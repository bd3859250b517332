#include "data/shard_order.h"

namespace clipnext::data {
namespace {

uint64_t shuffle_key(const ShardOrderConfig& config, const WorkerId& id, int64_t epoch) {
  if (config.seed >= 0) return stream_key(config.seed, Purpose::kShardOrder, {epoch});
  return stream_key(config.seed, Purpose::kShardOrder, {id.rank, id.worker, epoch});
}

}  // namespace

// Every world-th shard from the rank's on, of those every workers-th from the worker's on.
ShardOrder::ShardOrder(const ShardList& shards, const ShardOrderConfig& config, const WorkerId& id,
                       int64_t epoch)
    : shards_(shards),
      mode_(config.mode),
      first_(mode_ == ShardMode::kOnce ? id.worker : id.rank + id.worker * id.world),
      stride_(mode_ == ShardMode::kOnce ? id.workers : id.world * id.workers),
      shuffle_(config.shuffle_size, config.shuffle_initial, shuffle_key(config, id, epoch)),
      draws_(stream_key(config.seed, Purpose::kShardDraw, {id.rank, id.worker, epoch})) {}

std::optional<int64_t> ShardOrder::next_of_all() {
  const auto list = [this]() -> std::optional<int64_t> {
    if (listed_ == shards_.size()) return std::nullopt;
    return listed_++;
  };
  return mode_ == ShardMode::kOnce ? list() : shuffle_.next(list);
}

std::optional<int64_t> ShardOrder::next() {
  if (mode_ == ShardMode::kResampled) return shards_.draw(draws_);
  while (const auto shard = next_of_all()) {
    if (place_++ % stride_ == first_) return shard;
  }
  return std::nullopt;
}

}  // namespace clipnext::data
