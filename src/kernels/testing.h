// What the kernel tests share: random data, unaligned and guarded buffers, comparison.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "kernels/kernels.h"

namespace clipnext::kernels {

/// available(), and kernels of other processors over emulated instructions; emulated_test.cpp.
const std::vector<Kernels>& all_tables();

/// count normal deviates; the same seed gives the same ones.
inline std::vector<float> normal(int64_t count, uint32_t seed, float scale = 1) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> distribution(0, scale);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& v : values) v = distribution(generator);
  return values;
}

inline std::vector<double> widen(const std::vector<float>& v) { return {v.begin(), v.end()}; }

/// Scratch and packed weights, 64-byte aligned as the ops ask for, full of NaN.
class Aligned {
 public:
  explicit Aligned(int64_t count)
      : storage_(static_cast<size_t>(count) + 16, std::numeric_limits<float>::quiet_NaN()) {}
  float* data() {
    void* p = storage_.data();
    size_t space = storage_.size() * sizeof(float);
    return static_cast<float*>(std::align(64, 4, p, space));
  }

 private:
  std::vector<float> storage_;
};

/// A destination that lies 4 bytes off any alignment between guard values that must stay.
class Guarded {
 public:
  explicit Guarded(int64_t count) : storage_(static_cast<size_t>(count) + 2 * kGuard, kValue) {}
  explicit Guarded(const std::vector<float>& values) : Guarded(std::ssize(values)) {
    std::copy(values.begin(), values.end(), storage_.begin() + kGuard);
  }
  float* data() { return storage_.data() + kGuard; }
  [[nodiscard]] std::vector<float> values() const {
    return {storage_.begin() + kGuard, storage_.end() - kGuard};
  }
  [[nodiscard]] bool intact() const {
    for (size_t i = 0; i < kGuard; ++i) {
      if (storage_[i] != kValue || storage_[storage_.size() - 1 - i] != kValue) return false;
    }
    return true;
  }

  static constexpr float kValue = -12345.5F;

 private:
  static constexpr size_t kGuard = 33;
  std::vector<float> storage_;
};

/// The largest |a - b| / (1 + |b|); infinite where one of the two is not a number.
inline double error(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double e = std::abs(double{a[i]} - double{b[i]}) / (1 + std::abs(double{b[i]}));
    worst = std::isnan(e) ? std::numeric_limits<double>::infinity() : std::max(worst, e);
  }
  return worst;
}

/// Whether two arrays hold the same bits.
inline bool same_bits(const float* a, const float* b, int64_t count) {
  return std::memcmp(a, b, static_cast<size_t>(count) * sizeof(float)) == 0;
}

}  // namespace clipnext::kernels
