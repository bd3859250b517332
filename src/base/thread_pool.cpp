#include "base/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/cgroup.h"
#include "base/error.h"

namespace clipnext {
namespace {

thread_local bool inside_loop = false;

}  // namespace

int usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int cpus = sched_getaffinity(0, sizeof set, &set) == 0
                 ? CPU_COUNT(&set)
                 : static_cast<int>(std::thread::hardware_concurrency());
  if (const int quota = cgroup_cpus(); quota > 0) cpus = std::min(cpus, quota);
  return std::max(cpus, 1);
}

ThreadPool::ThreadPool(int threads) {
  const int total = threads > 0 ? threads : usable_cpus();
  try {
    for (int i = 1; i < total; ++i) workers_.emplace_back([this] { worker_loop(); });
  } catch (const std::system_error& error) {
    const size_t started = workers_.size() + 1;
    stop();  // threads that wait would keep the condition variables from being destroyed
    fail(total, " threads: the system started only ", started, " (", error.what(), ")");
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  start_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void ThreadPool::run(int64_t count, Body body, const void* context) {
  if (count <= 0) return;
  if (inside_loop || workers_.empty() || count == 1) {
    for (int64_t i = 0; i < count; ++i) body(context, i);
    return;
  }
  const std::lock_guard one_at_a_time(run_mutex_);
  {
    const std::lock_guard lock(mutex_);
    body_ = body;
    context_ = context;
    count_ = count;
    next_.store(0, std::memory_order_relaxed);
    error_ = nullptr;
    active_ = static_cast<int>(workers_.size());
    ++generation_;
  }
  start_.notify_all();
  work();
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return active_ == 0; });
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void ThreadPool::work() {
  inside_loop = true;
  while (true) {
    const int64_t i = next_.fetch_add(1, std::memory_order_relaxed);
    if (i >= count_) break;
    try {
      body_(context_, i);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
      next_.store(count_, std::memory_order_relaxed);
    }
  }
  inside_loop = false;
}

void ThreadPool::worker_loop() {
  uint64_t seen = 0;
  std::unique_lock lock(mutex_);
  while (true) {
    start_.wait(lock, [&] { return stop_ || generation_ != seen; });
    if (stop_) return;
    seen = generation_;
    lock.unlock();
    work();
    lock.lock();
    if (--active_ == 0) done_.notify_one();
  }
}

}  // namespace clipnext
