#include "base/workspace.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <utility>

#include "base/checked.h"

namespace clipnext {
namespace {

constexpr int64_t kAlignment = 64;
constexpr int64_t kHugePage = int64_t{2} << 20;

int64_t round_up(int64_t value, int64_t unit) {
  return checked_add(value, unit - 1, "buffer size") / unit * unit;
}

}  // namespace

void Buffer::Free::operator()(float* p) const noexcept { std::free(p); }

float* Buffer::ensure(int64_t count) {
  if (count <= capacity_) return data_.get();
  data_.reset();
  capacity_ = 0;
  const int64_t bytes = checked_mul(count, sizeof(float), "buffer size");
  const int64_t alignment = bytes >= kHugePage ? kHugePage : kAlignment;
  const int64_t size = round_up(bytes, alignment);
  void* memory = std::aligned_alloc(static_cast<size_t>(alignment), static_cast<size_t>(size));
  if (memory == nullptr) throw std::bad_alloc();
  // Only a hint: where it is refused the buffer works all the same.
  if (alignment == kHugePage) madvise(memory, static_cast<size_t>(size), MADV_HUGEPAGE);
  data_.reset(static_cast<float*>(memory));
  capacity_ = size / static_cast<int64_t>(sizeof(float));
  return data_.get();
}

ScratchPool::Lease::Lease(ScratchPool& pool, int64_t count) : pool_(pool) {
  {
    const std::lock_guard lock(pool_.mutex_);
    // The smallest that is large enough, or the largest.
    const auto better = [count](const Buffer& a, const Buffer& b) {
      const bool enough = b.capacity() >= count;
      if ((a.capacity() >= count) != enough) return !enough;
      return enough ? a.capacity() < b.capacity() : a.capacity() > b.capacity();
    };
    const auto best = std::min_element(pool_.free_.begin(), pool_.free_.end(), better);
    if (best != pool_.free_.end()) {
      buffer_ = std::move(*best);
      *best = std::move(pool_.free_.back());
      pool_.free_.pop_back();
    }
  }
  buffer_.ensure(count);
}

ScratchPool::Lease::~Lease() {
  const std::lock_guard lock(pool_.mutex_);
  pool_.free_.push_back(std::move(buffer_));
}

}  // namespace clipnext
