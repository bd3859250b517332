// Shuffling a stream through a buffer of bounded size, as webdataset's pipelines do.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/random.h"

namespace clipnext::data {

/// While it grows, two elements come in for one that goes out; once `size` are held, one for one.
/// Nothing goes out before `initial` (at most `size`) are held. At the end of the stream what is
/// left goes out in random order.
template <class T>
class ShuffleBuffer {
 public:
  ShuffleBuffer(int64_t size, int64_t initial, uint64_t key)
      : size_(static_cast<size_t>(std::max<int64_t>(size, 0))),
        initial_(std::min(static_cast<size_t>(std::max<int64_t>(initial, 0)), size_)),
        random_(key) {}

  /// The next element; nothing at the end. `source()` gives an optional<T>, nothing at its end,
  /// after which it is not asked again. What it throws passes through, and the buffer can go on.
  template <class Source>
  std::optional<T> next(const Source& source) {
    while (!ended_) {
      if (!take(source)) break;
      if (held_.size() < size_) take(source);
      if (held_.size() >= initial_) return pick();
    }
    if (held_.empty()) return std::nullopt;
    return pick();
  }

 private:
  template <class Source>
  bool take(const Source& source) {
    std::optional<T> element = source();
    ended_ = !element;
    if (element) held_.push_back(std::move(*element));
    return !ended_;
  }

  T pick() {
    const auto i = static_cast<size_t>(random_.below(static_cast<int64_t>(held_.size())));
    std::swap(held_[i], held_.back());
    T element = std::move(held_.back());
    held_.pop_back();
    return element;
  }

  size_t size_;
  size_t initial_;
  RandomStream random_;
  std::vector<T> held_;
  bool ended_ = false;
};

}  // namespace clipnext::data
