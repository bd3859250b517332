// Where training samples come from, whatever they are stored in: pairs of encoded image and
// caption.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "data/stop.h"

namespace clipnext::data {

struct RawSample {
  std::string name;     // for messages: shard and key, or file
  std::string image;    // encoded bytes as stored; empty: a black picture (synthetic)
  std::string caption;  // UTF-8
};

/// Which part of a data set a source gives: worker `worker` of `workers` on rank `rank` of `world`.
struct WorkerId {
  int64_t rank = 0;
  int64_t world = 1;
  int64_t worker = 0;
  int64_t workers = 1;
};

/// Hears of everything that was left out: where it lies, and why. Called from any thread.
using OnFault = std::function<void(const std::string& name, const std::string& reason)>;

/// The samples of one worker, in an order that depends on the seed, the worker and the epoch alone.
/// One thread at a time.
class SampleSource {
 public:
  virtual ~SampleSource() = default;
  /// Goes to the first sample of an epoch, counted from 0, and forgets what was left of another.
  virtual void begin_epoch(int64_t epoch) = 0;
  /// The next sample; nothing at the end of data that is gone through once (validation). Training
  /// data has no end: what runs out begins again in the same order. Throws Error if nothing can be
  /// read at all.
  virtual std::optional<RawSample> next() = 0;
  /// Gives next() a flag to look at wherever it may wait long: once it is set, next() throws
  /// Interrupted, and only begin_epoch() goes on from there. The flag must outlive the last next().
  virtual void stop_on(StopFlag /*stop*/) {}
};

}  // namespace clipnext::data
