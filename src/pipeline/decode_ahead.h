// Pictures decoded and preprocessed by threads of their own, a batch ahead of whoever computes with
// them, so that a tower does not wait for files.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "pipeline/embed_images.h"

namespace clipnext::pipeline {

/// Hands out the pictures of a list in order, a batch at a time. While the caller is busy with one
/// batch, threads - 1 threads decode the next one and then pause, so that two batches of pixels are
/// held and no more; a caller that comes too early decodes with them.
class DecodeAhead {
 public:
  struct Batch {
    size_t first = 0;                                 // index of its first picture in the list
    std::vector<uint8_t> pixels;                      // [n, h, w, 3]
    std::vector<std::optional<std::string>> reasons;  // [n], set where a picture is bad
  };

  /// The sources must outlive this.
  DecodeAhead(std::span<const ImageSource> sources, const image::PreprocessConfig& config,
              const ImageOptions& options, int64_t batch_size, int threads);
  /// Waits for the pictures that are being decoded.
  ~DecodeAhead();
  DecodeAhead(const DecodeAhead&) = delete;
  DecodeAhead& operator=(const DecodeAhead&) = delete;

  /// The next batch, whole, valid and the caller's to change until the next call; null after the
  /// last one. Throws Interrupted, and what decoding threw that is no Error.
  Batch* next();

 private:
  struct Slot {
    Batch batch;
    size_t missing = 0;  // pictures not decoded yet
  };

  Slot& slot_of(size_t index) { return slots_[index / batch_size_ % slots_.size()]; }
  void open_batch();
  void decode_one(std::unique_lock<std::mutex>& lock);
  std::optional<std::string> decode(size_t index, uint8_t* out) const;
  void work();

  const std::span<const ImageSource> sources_;
  const image::PreprocessConfig config_;
  const ImageOptions options_;
  const size_t batch_size_;
  const size_t image_bytes_;

  std::mutex mutex_;  // for all below but the inside of batches
  std::condition_variable opened_, decoded_;
  std::array<Slot, 2> slots_;
  size_t next_ = 0;   // the first picture that nobody has taken
  size_t limit_ = 0;  // the first one for which there is no room yet
  size_t given_ = 0;  // pictures handed out, the current batch included
  bool stop_ = false;
  std::exception_ptr error_;
  std::vector<std::thread> workers_;
};

}  // namespace clipnext::pipeline
