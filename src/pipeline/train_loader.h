// Batches for training: samples read, decoded, augmented and tokenized by threads of their own, ahead
// of whoever trains on them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "data/sample_source.h"
#include "image/augment.h"
#include "model/embedder.h"
#include "text/tokenizer.h"

namespace clipnext::pipeline {

/// How far a loader is in an epoch: enough for another one to go on with the next batch.
struct LoaderPosition {
  int64_t batches = 0;                // handed out
  std::vector<int64_t> taken;         // samples that each worker's source gave for them
};

struct TrainBatch {
  int64_t n = 0;
  std::vector<float> pixels;  // [n, h, w, 3] normalised
  model::TokenRows tokens;    // n rows, each up to its end-of-text token
  LoaderPosition after;
};

struct TrainLoaderConfig {
  image::PreprocessConfig preprocess;
  std::optional<image::AugmentConfig> augment;  // nothing: the evaluation transform
  int64_t context_length = 77;
  int64_t batch_size = 64;
  bool keep_partial = false;      // validation: each worker's last batch may be short
  int64_t batches_per_epoch = 0;  // 0: until the sources end
  int64_t max_image_pixels = 25'000'000;  // 0: no limit
  uint64_t seed = 0;
  int64_t rank = 0;
  int threads = 0;  // 0: one for each worker; decoding of one worker may use several
  int64_t prefetch = 2;  // batches held for each worker
};

/// Batch i of an epoch comes from worker i modulo workers, as in the reference, whatever the
/// number of threads; its pixels depend on seed, rank, worker, epoch and sample alone. A sample
/// that cannot be decoded is told to `on_fault` and the next one takes its place.
class TrainLoader {
 public:
  TrainLoader(std::vector<std::unique_ptr<data::SampleSource>> workers,
              std::shared_ptr<const text::Tokenizer> tokenizer, const TrainLoaderConfig& config,
              data::OnFault on_fault);
  ~TrainLoader();
  TrainLoader(const TrainLoader&) = delete;
  TrainLoader& operator=(const TrainLoader&) = delete;

  /// From the first batch of an epoch, or the one after `from`, a position in this epoch, whose
  /// samples are read again but not decoded.
  void begin_epoch(int64_t epoch, const LoaderPosition& from = {});
  /// The next batch; nothing after the last of the epoch. Throws what a source threw, Interrupted.
  std::optional<TrainBatch> next();

 private:
  struct Workers;
  std::unique_ptr<Workers> workers_;
};

}  // namespace clipnext::pipeline
