#include "pipeline/decode_ahead.h"

#include <algorithm>
#include <cstring>
#include <system_error>

#include "base/error.h"
#include "base/interrupt.h"

namespace clipnext::pipeline {

DecodeAhead::DecodeAhead(std::span<const ImageSource> sources,
                         const image::PreprocessConfig& config, const ImageOptions& options,
                         int64_t batch_size, int threads)
    : sources_(sources),
      config_(config),
      options_(options),
      batch_size_(static_cast<size_t>(batch_size)),
      image_bytes_(static_cast<size_t>(config.height) * static_cast<size_t>(config.width) * 3) {
  for (size_t i = 0; i < slots_.size(); ++i) open_batch();
  const auto useful = static_cast<int64_t>(sources.size());
  try {
    for (int64_t i = 1; i < std::min<int64_t>(threads, useful); ++i) {
      workers_.emplace_back([this] { work(); });
    }
  } catch (const std::system_error&) {
    // Fewer threads than wanted do the same work, even none: the caller decodes too.
  }
}

DecodeAhead::~DecodeAhead() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  opened_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

DecodeAhead::Batch* DecodeAhead::next() {
  std::unique_lock lock(mutex_);
  const size_t first = given_;
  if (first == sources_.size()) return nullptr;
  if (first > 0) {  // the batch before this one is done with
    open_batch();
    opened_.notify_all();
  }
  given_ = std::min(first + batch_size_, sources_.size());
  Slot& slot = slot_of(first);
  while (slot.missing > 0 && !error_) {
    if (next_ < given_) {
      decode_one(lock);
    } else {
      decoded_.wait(lock);
    }
  }
  if (error_) std::rethrow_exception(error_);
  return &slot.batch;
}

/// Makes room for the pictures from limit_ on, in the slot of the batch that was used longest ago.
void DecodeAhead::open_batch() {
  const size_t size = std::min(batch_size_, sources_.size() - limit_);
  if (size == 0) return;
  Slot& slot = slot_of(limit_);
  slot.batch.first = limit_;
  slot.batch.pixels.resize(size * image_bytes_);
  slot.batch.reasons.assign(size, std::nullopt);
  slot.missing = size;
  limit_ += size;
}

/// Takes the next picture and decodes it with the lock released.
void DecodeAhead::decode_one(std::unique_lock<std::mutex>& lock) {
  const size_t index = next_++;
  Slot& slot = slot_of(index);
  const size_t place = index - slot.batch.first;
  uint8_t* const out = slot.batch.pixels.data() + place * image_bytes_;
  lock.unlock();
  std::exception_ptr error;
  std::optional<std::string> reason;
  try {
    reason = decode(index, out);
  } catch (...) {
    error = std::current_exception();
  }
  lock.lock();
  slot.batch.reasons[place] = std::move(reason);
  --slot.missing;
  if (error && !error_) error_ = error;
  if (slot.missing == 0 || error_) decoded_.notify_all();
}

/// Why the picture is bad, if it is.
std::optional<std::string> DecodeAhead::decode(size_t index, uint8_t* out) const {
  throw_if_interrupted();
  try {
    const image::Image source =
        load_image(sources_[index], decode_limits(config_, options_.fast_decode));
    const image::Image pixels = preprocess(source, config_, options_.convert);
    std::memcpy(out, pixels.data.data(), image_bytes_);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    return error.what();
  }
  return std::nullopt;
}

void DecodeAhead::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    opened_.wait(lock, [this] { return stop_ || error_ || next_ < limit_; });
    if (stop_ || error_) return;
    decode_one(lock);
  }
}

}  // namespace clipnext::pipeline
