// How many batches and steps a run has: spec training.md 2.6.
#pragma once

#include <cstdint>

namespace clipnext::run {

struct EpochSize {
  int64_t batches = 0;     // of each process
  int64_t samples = 0;     // of all processes, as the console shows them
  int64_t per_worker = 0;  // batches that each loader worker gives
};

/// Of webdataset data: every worker gives the same number of batches, rounded up. All counts are 64
/// bits; overflow is an Error.
EpochSize streamed_epoch(int64_t num_samples, int64_t batch_size, int64_t world, int64_t workers);

/// Of data with rows (CSV, folder, synthetic): each process takes its share of the rows, padded to
/// a multiple of them; an incomplete batch is left out. `samples` is the number of rows, as the
/// reference reports it.
EpochSize indexed_epoch(int64_t rows, int64_t batch_size, int64_t world);

/// Optimizer steps of an epoch: batches // accum_freq. The rest of the batches is left out.
int64_t steps_per_epoch(const EpochSize& epoch, int64_t accum_freq);

}  // namespace clipnext::run
