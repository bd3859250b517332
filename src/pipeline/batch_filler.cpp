#include "pipeline/batch_filler.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace clipnext::pipeline {

BatchFiller::BatchFiller(int64_t batch_size, size_t sample_floats)
    : size_(batch_size),
      sample_floats_(sample_floats),
      places_(static_cast<size_t>(batch_size)),
      free_(places_.size()) {
  batch_.pixels.resize(places_.size() * sample_floats);
  for (size_t i = 0; i < free_.size(); ++i) free_[i] = free_.size() - 1 - i;
}

size_t BatchFiller::begin(int64_t number) {
  assert(wants());
  const size_t place = free_.back();
  free_.pop_back();
  places_[place].number = number;
  ++pending_;
  return place;
}

void BatchFiller::done(size_t place, std::vector<int32_t> tokens) {
  places_[place].tokens = std::move(tokens);
  --pending_;
  ++good_;
}

void BatchFiller::failed(size_t place) {
  places_[place] = {};
  free_.push_back(place);
  --pending_;
}

/// Selection sort: no sample moves more than once in each direction, and batches are short.
void BatchFiller::sort() {
  for (size_t i = 0; i < places_.size(); ++i) {
    size_t least = i;
    for (size_t j = i + 1; j < places_.size(); ++j) {
      if (places_[j].number < places_[least].number) least = j;
    }
    if (least == i) continue;
    std::swap(places_[i], places_[least]);
    std::swap_ranges(pixels(i), pixels(i) + sample_floats_, pixels(least));
  }
}

TrainBatch BatchFiller::finish() {
  assert(pending_ == 0);
  const auto in_order = [](const Place& a, const Place& b) { return a.number < b.number; };
  if (!std::is_sorted(places_.begin(), places_.end(), in_order)) sort();
  batch_.n = good_;
  batch_.pixels.resize(static_cast<size_t>(good_) * sample_floats_);
  for (size_t i = 0; i < static_cast<size_t>(good_); ++i) {
    batch_.tokens.add(places_[i].tokens);
    batch_.numbers.push_back(places_[i].number);
  }
  return std::move(batch_);
}

}  // namespace clipnext::pipeline
