// A batch that several threads fill at once with the samples of one stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pipeline/train_loader.h"

namespace clipnext::pipeline {

/// The first `batch_size` good samples of a stream, in its order, whichever are ready first: a
/// place whose sample was bad is given to the stream's next one, and finish() puts all in order.
/// All calls under one lock but those on places of one's own and, once nothing is pending,
/// finish().
class BatchFiller {
 public:
  BatchFiller(int64_t batch_size, size_t sample_floats);

  /// Whether the batch needs a further sample of the stream, should those pending be good.
  bool wants() const { return good_ + pending_ < size_; }
  /// A place for the stream's next sample; only if wants().
  size_t begin(int64_t number);
  float* pixels(size_t place) { return batch_.pixels.data() + place * sample_floats_; }
  void done(size_t place, std::vector<int32_t> tokens);
  void failed(size_t place);
  int64_t pending() const { return pending_; }
  bool full() const { return good_ == size_; }

  /// The good samples in the stream's order, `after` apart; only if none are pending.
  TrainBatch finish();

 private:
  struct Place {
    int64_t number = INT64_MAX;  // empty places are sorted last
    std::vector<int32_t> tokens;
  };

  void sort();

  const int64_t size_;
  const size_t sample_floats_;
  TrainBatch batch_;
  std::vector<Place> places_;
  std::vector<size_t> free_;  // the next one last
  int64_t good_ = 0;
  int64_t pending_ = 0;
};

}  // namespace clipnext::pipeline
