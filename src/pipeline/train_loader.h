// Batches for training: samples read, decoded, augmented and tokenized by threads of their own,
// ahead of whoever trains on them.
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
  int64_t batches = 0;         // handed out
  std::vector<int64_t> taken;  // samples that each worker's source gave for them

  bool operator==(const LoaderPosition&) const = default;
};

struct TrainBatch {
  int64_t n = 0;
  std::vector<float> pixels;     // [n, h, w, 3] normalised
  model::TokenRows tokens;       // n rows, each up to its end-of-text token
  std::vector<int64_t> numbers;  // of the n samples in the epoch, bad ones counted: increasing
  LoaderPosition after;
};

struct TrainLoaderConfig {
  image::PreprocessConfig preprocess;
  std::optional<image::AugmentConfig> augment;  // nothing: the evaluation transform
  int64_t context_length = 77;
  int64_t batch_size = 64;
  bool keep_partial = false;      // validation: each worker's last batch may be short
  int64_t batches_per_epoch = 0;  // 0: until the sources end
  /// Pictures with more are left out, by their header; 0: Pillow's own limit, 178,956,970.
  int64_t max_image_pixels = 25'000'000;
  uint64_t seed = 0;
  int64_t rank = 0;
  /// So many ranks, of which this is one, take turns in each worker's samples, a batch's worth at a
  /// time, and decode none of the others': validation of data that every rank reads whole.
  int64_t shared_by = 1;
  int threads = 0;       // 0: one for each worker; any number gives the same batches
  int64_t prefetch = 2;  // batches that a worker holds at most, the one it fills included
};

/// Batch i of an epoch comes from worker i modulo workers, as in the reference, whatever the
/// number of threads, and a worker whose data ended is passed over; its pixels depend on seed,
/// rank, worker, epoch and sample alone. A sample that cannot be decoded or tokenized is told to
/// `on_fault` (from the thread that met it) and the worker's next one takes its place. One thread
/// at a time.
class TrainLoader {
 public:
  /// One source for each worker. Throws Error if the configuration has no meaning or no thread can
  /// be started. There are no batches before begin_epoch().
  TrainLoader(std::vector<std::unique_ptr<data::SampleSource>> workers,
              std::shared_ptr<const text::Tokenizer> tokenizer, const TrainLoaderConfig& config,
              data::OnFault on_fault);
  /// Waits for the samples that are being read and decoded, not for sources that wait for data.
  ~TrainLoader();
  TrainLoader(const TrainLoader&) = delete;
  TrainLoader& operator=(const TrainLoader&) = delete;

  /// From the first batch of an epoch, or the one after `from`, a position in this epoch of sources
  /// without an end, whose samples are read again but not decoded. What was left of another epoch
  /// is dropped. Throws Error if the position is of another number of workers.
  void begin_epoch(int64_t epoch, const LoaderPosition& from = {});
  /// The next batch; nothing after the last of the epoch. Throws, again and again until the next
  /// begin_epoch(), what the source of the worker whose turn it is threw, or another's if this one
  /// gives nothing for five seconds; Error if ten thousand samples in a row of it were bad;
  /// Interrupted.
  std::optional<TrainBatch> next();
  /// Ends the epoch, from any thread: next(), also one that waits, gives nothing until the next
  /// begin_epoch().
  void pause();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace clipnext::pipeline
