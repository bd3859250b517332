// A fixed set of threads that share the indices of a loop.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace clipnext {

/// Runs loops on `size()` threads, the caller's among them. One loop at a time; a loop started from
/// inside a loop runs on the thread that started it. Which thread runs an index is not fixed, so an
/// index must compute the same thing wherever it runs.
class ThreadPool {
 public:
  /// threads = 0: usable_cpus(). Throws Error if the system cannot start that many.
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  /// body(i) for each i in [0, count), in any order; the first exception is rethrown here once all
  /// running bodies have ended.
  template <class F>
  void parallel_for(int64_t count, const F& body) {
    run(
        count, [](const void* f, int64_t i) { (*static_cast<const F*>(f))(i); }, &body);
  }

 private:
  using Body = void (*)(const void*, int64_t);

  void run(int64_t count, Body body, const void* context);
  void work();
  void stop();
  void worker_loop();

  std::vector<std::thread> workers_;
  std::mutex run_mutex_;  // one loop at a time
  std::mutex mutex_;
  std::condition_variable start_, done_;
  uint64_t generation_ = 0;
  int active_ = 0;
  bool stop_ = false;

  Body body_ = nullptr;
  const void* context_ = nullptr;
  int64_t count_ = 0;
  std::atomic<int64_t> next_{0};
  std::exception_ptr error_;
};

/// CPUs this process may use: its affinity mask, cut to the cgroup's quota; at least 1.
int usable_cpus();

}  // namespace clipnext
