// c10d's process groups. The only source that sees them, since their headers change with every
// release, and Gloo's are older than the library inside the wheel.
#include "train/group.h"

#include <c10/util/intrusive_ptr.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <thread>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <utility>
#include <vector>
#ifdef CLIPNEXT_CUDA
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

#include "base/error.h"

namespace clipnext::train {
namespace {

constexpr const char* kFailure = "clipnext/failure";
constexpr const char* kGoodbye = "clipnext/goodbye";
constexpr std::chrono::seconds kWatch{3};
constexpr int kFailed = 1;

c10::intrusive_ptr<c10d::Backend> make_backend(const Meeting& meeting,
                                               const c10::intrusive_ptr<c10d::Store>& store) {
  const auto rank = static_cast<int>(meeting.rank);
  const auto size = static_cast<int>(meeting.size);
  if (meeting.backend == "gloo") {
    auto options = c10d::ProcessGroupGloo::Options::create(meeting.timeout);
    const bool local = meeting.host == "127.0.0.1" || meeting.host == "localhost";
    const std::string interface = meeting.interface.empty() && local ? "lo" : meeting.interface;
    options->devices.push_back(interface.empty()
                                   ? c10d::ProcessGroupGloo::createDefaultDevice()
                                   : c10d::ProcessGroupGloo::createDeviceForInterface(interface));
    return c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, size, options);
  }
#ifdef CLIPNEXT_CUDA
  if (meeting.backend == "nccl") {
    auto options = c10d::ProcessGroupNCCL::Options::create(true);
    options->timeout = meeting.timeout;
    return c10::make_intrusive<c10d::ProcessGroupNCCL>(store, rank, size, options);
  }
#endif
  fail("--dist-backend ", meeting.backend, " is not in this program; it has gloo",
#ifdef CLIPNEXT_CUDA
       " and nccl"
#else
       " (nccl comes with a CUDA build)"
#endif
  );
}

}  // namespace

struct Group::Links {
  Links(const Meeting& meeting, std::string who_) : who(std::move(who_)) {
    try {
      c10d::TCPStoreOptions options;
      options.port = static_cast<uint16_t>(meeting.port);
      options.isServer = meeting.rank == 0;
      options.numWorkers = static_cast<size_t>(meeting.size);
      options.timeout = meeting.timeout;
      store = c10::make_intrusive<c10d::TCPStore>(meeting.host, options);
      backend =
          make_backend(meeting, c10::make_intrusive<c10d::PrefixStore>("clipnext/backend", store));
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      fail(who, " could not meet the other ", meeting.size - 1, " processes at ", meeting.host, ":",
           meeting.port, " within ", meeting.timeout.count(), " s: ", first_line(error.what()),
           "; is rank 0 running there, and the port free?");
    }
    // Its own connection: the other one may be waiting for an answer.
    watched = store->clone();
    watcher = std::thread([this] { watch(); });
  }

  ~Links() { stop_watching(); }

  void stop_watching() {
    if (!watcher.joinable()) return;
    {
      const std::lock_guard lock(mutex);
      stop = true;
    }
    wake.notify_all();
    watcher.join();
  }

  static std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

  /// What another process said before it ended; empty if none did, or nobody can be asked.
  std::string failure() noexcept {
    try {
      if (!watched->check({kFailure})) return {};
      const auto bytes = watched->get(kFailure);
      return {bytes.begin(), bytes.end()};
    } catch (...) {
      return "the process that the others meet at (rank 0) is gone";
    }
  }

  /// A process may be computing, or waiting for one that is gone, when another fails.
  void watch() {
    std::unique_lock lock(mutex);
    while (!wake.wait_for(lock, kWatch, [this] { return stop; })) {
      lock.unlock();
      const std::string reason = failure();
      lock.lock();
      if (stop || reason.empty()) continue;
      std::fprintf(stderr, "clipnext: %s stops: %s\n", who.c_str(), reason.c_str());
      std::fflush(stderr);
      std::_Exit(kFailed);
    }
  }

  template <class F>
  void guarded(const F& work) {
    try {
      work();
    } catch (const std::exception& error) {
      std::string reason = failure();
      if (reason.empty()) {
        // The other's last words may be on their way.
        std::this_thread::sleep_for(std::chrono::seconds(1));
        reason = failure();
      }
      if (reason.empty()) reason = "another process is gone (" + first_line(error.what()) + ")";
      fail(who, " stops: ", reason);
    }
  }

  void wait(const c10::intrusive_ptr<c10d::Work>& work) {
    guarded([&] { work->wait(); });
  }

  std::string who;
  c10::intrusive_ptr<c10d::Store> store, watched;
  c10::intrusive_ptr<c10d::Backend> backend;
  std::mutex mutex;
  std::condition_variable wake;
  bool stop = false;
  std::thread watcher;
};

Group::Group() = default;

Group::Group(const Meeting& meeting) : rank_(meeting.rank), size_(meeting.size) {
  require(size_ > 0 && rank_ >= 0 && rank_ < size_, "rank ", rank_, " of ", size_,
          " processes; ranks go from 0 to one less than their number");
  if (size_ > 1 && meeting.backend != "fake") {
    links_ = std::make_unique<Links>(meeting, "rank " + std::to_string(rank_));
  }
}

Group::~Group() {
  if (!links_) return;
  // Rank 0 holds the store that the others look at until they say that they no longer do.
  links_->stop_watching();
  try {
    const auto done = links_->store->add(kGoodbye, 1);
    while (first() && done < size_ && links_->store->add(kGoodbye, 0) < size_ &&
           links_->failure().empty()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  } catch (const std::exception&) {  // they are gone already
  }
}

void Group::all_reduce(at::Tensor& tensor) { start_all_reduce(tensor).wait(); }

Pending Group::start_all_reduce(at::Tensor& tensor) {
  if (!links_) {
    if (size_ > 1) tensor.mul_(size_);
    return Pending([] {});
  }
  std::vector<at::Tensor> tensors = {tensor};
  c10::intrusive_ptr<c10d::Work> work;
  links_->guarded([&] { work = links_->backend->allreduce(tensors); });
  return Pending([links = links_.get(), work] { links->wait(work); });
}

at::Tensor Group::all_gather(const at::Tensor& local) {
  require(local.dim() > 0, "all_gather of a scalar");
  if (!links_) return size_ == 1 ? local : at::cat(std::vector<at::Tensor>(size_, local));
  at::Tensor in = local.contiguous();
  auto shape = in.sizes().vec();
  shape[0] *= size_;
  at::Tensor all = at::empty(shape, in.options());
  std::vector<std::vector<at::Tensor>> outputs = {all.chunk(size_)};
  std::vector<at::Tensor> inputs = {in};
  c10::intrusive_ptr<c10d::Work> work;
  links_->guarded([&] { work = links_->backend->allgather(outputs, inputs); });
  links_->wait(work);
  return all;
}

void Group::broadcast(at::Tensor& tensor, int64_t root) {
  if (!links_) return;
  std::vector<at::Tensor> tensors = {tensor};
  c10d::BroadcastOptions options;
  options.rootRank = root;
  c10::intrusive_ptr<c10d::Work> work;
  links_->guarded([&] { work = links_->backend->broadcast(tensors, options); });
  links_->wait(work);
}

std::string Group::broadcast(const std::string& text, int64_t root) {
  if (!links_) return text;
  const auto device = links_->backend->getBackendName() == "nccl" ? at::kCUDA : at::kCPU;
  at::Tensor size = at::tensor({static_cast<int64_t>(text.size())}, at::kLong).to(device);
  broadcast(size, root);
  at::Tensor bytes = at::zeros({size.item<int64_t>()}, at::kByte);
  if (rank_ == root) std::copy(text.begin(), text.end(), bytes.data_ptr<uint8_t>());
  if (bytes.numel() == 0) return {};
  at::Tensor sent = bytes.to(device);
  broadcast(sent, root);
  bytes = sent.to(at::kCPU);
  const auto* begin = bytes.data_ptr<uint8_t>();
  return {begin, begin + bytes.numel()};
}

void Group::barrier() {
  if (!links_) return;
  c10::intrusive_ptr<c10d::Work> work;
  links_->guarded([&] { work = links_->backend->barrier(); });
  links_->wait(work);
}

void Group::tell_failure() noexcept {
  if (!links_) return;
  try {
    const std::string text = links_->who + " failed";
    links_->watched->compareSet(kFailure, std::string(), text);
    // The reason lies with rank 0, and the others look now and then.
    if (first()) std::this_thread::sleep_for(kWatch + std::chrono::seconds(1));
  } catch (...) {  // rank 0 is gone, which the others see
  }
}

}  // namespace clipnext::train
