#include "run/epoch_size.h"

#include <algorithm>

#include "base/checked.h"
#include "base/error.h"

namespace clipnext::run {
namespace {

int64_t divide_up(int64_t a, int64_t b) { return a / b + (a % b != 0 ? 1 : 0); }

}  // namespace

EpochSize streamed_epoch(int64_t num_samples, int64_t batch_size, int64_t world, int64_t workers) {
  require(num_samples > 0 && batch_size > 0 && world > 0, "an epoch of ", num_samples,
          " samples in batches of ", batch_size, " on ", world, " processes has no batch");
  const int64_t global = checked_mul(batch_size, world, "samples of a step");
  const int64_t sources = std::max<int64_t>(workers, 1);
  const int64_t per_worker = divide_up(divide_up(num_samples, global), sources);
  const int64_t batches = checked_mul(per_worker, sources, "batches of an epoch");
  return {.batches = batches,
          .samples = checked_mul(batches, global, "samples of an epoch"),
          .per_worker = per_worker};
}

EpochSize indexed_epoch(int64_t rows, int64_t batch_size, int64_t world) {
  require(rows > 0 && batch_size > 0 && world > 0, "an epoch of ", rows, " rows in batches of ",
          batch_size, " on ", world, " processes has no batch");
  const int64_t batches = divide_up(rows, world) / batch_size;
  return {.batches = batches, .samples = rows, .per_worker = batches};
}

int64_t steps_per_epoch(const EpochSize& epoch, int64_t accum_freq) {
  return epoch.batches / accum_freq;
}

}  // namespace clipnext::run
