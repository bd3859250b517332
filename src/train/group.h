// The processes that train one model together, and what they send each other.
#pragma once

#include <ATen/ATen.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace clipnext::train {

/// Where the processes of a run meet, and which of them this one is.
struct Meeting {
  int64_t rank = 0;
  int64_t size = 1;
  std::string host = "127.0.0.1";  // where rank 0 listens
  int port = 29500;
  std::string backend = "gloo";  // or nccl; "fake": nobody else is there, all are taken to be alike
  std::string interface = "";    // that Gloo sends over; empty: the one that leads to host
  at::Device device = at::kCPU;  // of nccl, which sends nothing else
  std::chrono::seconds timeout{1800};
};

/// Why a process ends before the others do.
enum class Leaving { kFailed, kInterrupted };

/// Something under way between the processes.
class Pending {
 public:
  explicit Pending(std::function<void()> wait) : wait_(std::move(wait)) {}
  /// Throws Error if a process is gone.
  void wait() { wait_(); }

 private:
  std::function<void()> wait_;
};

/// Every process calls the same functions in the same order. All throw Error that says so when
/// another process is gone or has failed, and Interrupted when it was interrupted. Tensors may lie
/// anywhere, but for start_all_reduce's, and stay there. With one process they do nothing.
class Group {
 public:
  /// This process alone.
  Group();
  /// Waits for all others; throws Error naming the address if they do not come in time.
  explicit Group(const Meeting& meeting);
  ~Group();
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  int64_t rank() const { return rank_; }
  int64_t size() const { return size_; }
  bool first() const { return rank_ == 0; }

  /// The sum of all processes' tensors, in each.
  void all_reduce(at::Tensor& tensor);
  /// On the device that the backend sends from.
  Pending start_all_reduce(at::Tensor& tensor);
  /// local [b, ...] of each process, one after the other: [size * b, ...].
  at::Tensor all_gather(const at::Tensor& local);
  /// Root's tensor in all; shapes and types agree beforehand.
  void broadcast(at::Tensor& tensor, int64_t root = 0);
  /// Root's text in all.
  std::string broadcast(const std::string& text, int64_t root = 0);
  void barrier();

  /// Tells the others, once, that this process ends; they do so too within seconds, with exit
  /// status 1 or, of an interruption, 130, and say whom they follow. The reason is shown here
  /// alone.
  void tell_others(Leaving why) noexcept;

 private:
  struct Links;
  at::Tensor on_wire(const at::Tensor& tensor) const;

  int64_t rank_ = 0;
  int64_t size_ = 1;
  std::optional<at::Device> wire_;  // where tensors must lie to be sent, if that is not all one
  std::unique_ptr<Links> links_;
};

}  // namespace clipnext::train
