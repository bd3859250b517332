// Memory to compute in: buffers that grow once and are then reused, so that a steady stream
// of pictures allocates nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace clipnext {

/// Floats on a 64-byte boundary (2 MiB and huge pages when large), not initialised.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(int64_t count) { ensure(count); }

  /// At least `count` floats; what it held is lost if it must grow.
  float* ensure(int64_t count);
  float* data() { return data_.get(); }
  const float* data() const { return data_.get(); }
  int64_t capacity() const { return capacity_; }

 private:
  struct Free {
    void operator()(float* p) const noexcept;
  };

  std::unique_ptr<float, Free> data_;
  int64_t capacity_ = 0;
};

/// Buffers that the tasks of a loop borrow: as many as ever run at once.
class ScratchPool {
 public:
  /// One buffer, given back on destruction.
  class Lease {
   public:
    Lease(ScratchPool& pool, int64_t count);
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    float* data() { return buffer_.data(); }

   private:
    ScratchPool& pool_;
    Buffer buffer_;
  };

 private:
  std::mutex mutex_;
  std::vector<Buffer> free_;
};

}  // namespace clipnext
