// c10d's process groups. The only source that sees them, since their headers change with every
// release, and Gloo's are older than the library inside the wheel.
#include "train/group.h"

#include <c10/util/intrusive_ptr.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <optional>
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
#include "base/file.h"

namespace clipnext::train {
namespace {

constexpr const char* kLeaving = "clipnext/leaving";
constexpr const char* kGoodbye = "clipnext/goodbye";
constexpr std::chrono::seconds kWatch{3};

/// What one process tells the others.
struct Notice {
  Leaving why = Leaving::kFailed;
  std::string text;

  std::string packed() const { return (why == Leaving::kInterrupted ? 'i' : 'f') + text; }
  static Notice unpacked(const std::string& packed) {
    return {packed.starts_with('i') ? Leaving::kInterrupted : Leaving::kFailed, packed.substr(1)};
  }
  int status() const { return why == Leaving::kInterrupted ? 130 : 1; }
};

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

  /// What another process said before it ended, if one did.
  std::optional<Notice> notice() noexcept {
    try {
      if (!watched->check({kLeaving})) return std::nullopt;
      const auto bytes = watched->get(kLeaving);
      return Notice::unpacked({bytes.begin(), bytes.end()});
    } catch (...) {
      return Notice{Leaving::kFailed, "the process that the others meet at (rank 0) is gone"};
    }
  }

  /// A process may be computing, or waiting for one that is gone, when another fails.
  void watch() {
    std::unique_lock lock(mutex);
    while (!wake.wait_for(lock, kWatch, [this] { return stop; })) {
      lock.unlock();
      const std::optional<Notice> heard = notice();
      lock.lock();
      if (stop || !heard) continue;
      std::fprintf(stderr, "clipnext: %s stops: %s\n", who.c_str(), heard->text.c_str());
      std::fflush(stderr);
      remove_temporary_files();
      std::_Exit(heard->status());
    }
  }

  template <class F>
  void guarded(const F& work) {
    try {
      work();
    } catch (const std::exception& error) {
      std::optional<Notice> heard = notice();
      if (!heard) {
        // The other's last words may be on their way.
        std::this_thread::sleep_for(std::chrono::seconds(1));
        heard = notice();
      }
      if (heard && heard->why == Leaving::kInterrupted) throw Interrupted();
      fail(who, " stops: ",
           heard ? heard->text : "another process is gone (" + first_line(error.what()) + ")");
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
    if (meeting.backend == "nccl") wire_ = meeting.device;
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
           !links_->notice()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  } catch (const std::exception&) {  // they are gone already
  }
}

at::Tensor Group::on_wire(const at::Tensor& tensor) const {
  return wire_ ? tensor.to(*wire_) : tensor;
}

void Group::all_reduce(at::Tensor& tensor) {
  at::Tensor sent = on_wire(tensor);
  start_all_reduce(sent).wait();
  if (!sent.is_same(tensor)) tensor.copy_(sent);
}

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
  at::Tensor in = on_wire(local.contiguous());
  auto shape = in.sizes().vec();
  shape[0] *= size_;
  at::Tensor all = at::empty(shape, in.options());
  std::vector<std::vector<at::Tensor>> outputs = {all.chunk(size_)};
  std::vector<at::Tensor> inputs = {in};
  c10::intrusive_ptr<c10d::Work> work;
  links_->guarded([&] { work = links_->backend->allgather(outputs, inputs); });
  links_->wait(work);
  return all.to(local.device());
}

void Group::broadcast(at::Tensor& tensor, int64_t root) {
  if (!links_) return;
  at::Tensor sent = on_wire(tensor);
  std::vector<at::Tensor> tensors = {sent};
  c10d::BroadcastOptions options;
  options.rootRank = root;
  c10::intrusive_ptr<c10d::Work> work;
  links_->guarded([&] { work = links_->backend->broadcast(tensors, options); });
  links_->wait(work);
  if (!sent.is_same(tensor)) tensor.copy_(sent);
}

std::string Group::broadcast(const std::string& text, int64_t root) {
  if (!links_) return text;
  at::Tensor size = at::tensor({static_cast<int64_t>(text.size())}, at::kLong);
  broadcast(size, root);
  at::Tensor bytes = at::zeros({size.item<int64_t>()}, at::kByte);
  if (rank_ == root) std::copy(text.begin(), text.end(), bytes.data_ptr<uint8_t>());
  if (bytes.numel() == 0) return {};
  broadcast(bytes, root);
  const auto* begin = bytes.data_ptr<uint8_t>();
  return {begin, begin + bytes.numel()};
}

void Group::barrier() {
  if (!links_) return;
  c10::intrusive_ptr<c10d::Work> work;
  links_->guarded([&] { work = links_->backend->barrier(); });
  links_->wait(work);
}

void Group::tell_others(Leaving why) noexcept {
  if (!links_ || !links_->watcher.joinable()) return;
  // This process itself is to hear nothing of it: it has more to say.
  links_->stop_watching();
  try {
    const Notice notice{why,
                        links_->who + (why == Leaving::kFailed ? " failed" : " was interrupted")};
    links_->watched->compareSet(kLeaving, std::string(), notice.packed());
    // The notice lies with rank 0, and the others look now and then.
    if (first()) std::this_thread::sleep_for(kWatch + std::chrono::seconds(1));
  } catch (...) {  // rank 0 is gone, which the others see
  }
}

}  // namespace clipnext::train
