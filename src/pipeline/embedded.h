// What embedding a list of items gives: vectors of the good ones, reasons for the bad ones.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace clipnext::pipeline {

struct BadItem {
  int64_t index = 0;   // in the list
  std::string reason;  // begins with the item's name
};

struct Embedded {
  std::vector<float> vectors;  // [good.size(), dim], unit length
  std::vector<int64_t> good;   // indices into the list, ascending
  std::vector<BadItem> bad;    // ascending
};

/// What to do with an item that cannot be used: the first one (in the order of the list) is thrown
/// as an Error, or all are left out and listed.
enum class OnBad : uint8_t { kFail, kSkip };

/// Called after each batch with the number of items it took.
using BatchDone = std::function<void(int64_t)>;

}  // namespace clipnext::pipeline
