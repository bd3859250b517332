#include "soup/pass.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/sha.h"
#include "soup/mean.h"

namespace clipnext::soup {
namespace {

using weights::Tensor;

constexpr int64_t kPiece = int64_t{1} << 20;  // elements
constexpr size_t kWindow = size_t{8} << 20;   // bytes hashed at a time

// ---- pages of mapped files ----

std::span<const std::byte> whole_pages(std::span<const std::byte> bytes) {
  static const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<uintptr_t>(bytes.data());
  const uintptr_t first = (begin + page - 1) / page * page;
  const uintptr_t last = (begin + bytes.size()) / page * page;
  if (last <= first) return {};
  return bytes.subspan(first - begin, last - first);
}

// Begins to read them from the disk.
void ask_for(std::span<const std::byte> bytes) {
  const auto pages = whole_pages(bytes);
  if (!pages.empty()) madvise(const_cast<std::byte*>(pages.data()), pages.size(), MADV_WILLNEED);
}

// Takes them out of this process; the system keeps them while it has room. Only for mapped files:
// other memory would lose its content.
void let_go(std::span<const std::byte> bytes) {
  const auto pages = whole_pages(bytes);
  if (!pages.empty()) madvise(const_cast<std::byte*>(pages.data()), pages.size(), MADV_DONTNEED);
}

bool lies_in(std::span<const std::byte> part, std::span<const std::byte> whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

// ---- hashes beside the walk ----

/// Hashes files on threads of its own until it is done or destroyed.
class Hashes {
 public:
  Hashes(std::span<const Ingredient> ingredients, int threads)
      : ingredients_(ingredients), hex_(ingredients.size()) {
    const auto count = std::min<size_t>(ingredients.size(), static_cast<size_t>(threads));
    for (size_t i = 0; i < count; ++i) workers_.emplace_back([this] { work(); });
  }
  ~Hashes() {
    stop_ = true;
    join();
  }
  Hashes(const Hashes&) = delete;
  Hashes& operator=(const Hashes&) = delete;

  std::vector<std::string> wait() {
    join();
    throw_if_interrupted();
    return hex_;
  }

 private:
  void work() {
    for (size_t i = next_++; i < ingredients_.size(); i = next_++) {
      Sha256 hash;
      auto bytes = ingredients_[i].bytes;
      while (!bytes.empty() && !stop_ && !interrupted()) {
        const auto window = bytes.first(std::min(kWindow, bytes.size()));
        bytes = bytes.subspan(window.size());
        ask_for(bytes.first(std::min(kWindow, bytes.size())));
        hash.add({reinterpret_cast<const char*>(window.data()), window.size()});
        let_go(window);
      }
      hex_[i] = hash.hex();
    }
  }
  void join() {
    for (std::thread& worker : workers_) {
      if (worker.joinable()) worker.join();
    }
  }

  std::span<const Ingredient> ingredients_;
  std::vector<std::string> hex_;
  std::atomic<size_t> next_{0};
  std::atomic<bool> stop_{false};
  std::vector<std::thread> workers_;
};

// ---- the walk ----

struct Piece {
  size_t tensor;
  int64_t begin, count;  // elements
};

std::vector<Piece> pieces_of(const Plan& plan) {
  std::vector<Piece> pieces;
  for (size_t t = 0; t < plan.tensors.size(); ++t) {
    const int64_t numel = plan.tensors[t].numel();
    for (int64_t begin = 0; begin < numel; begin += kPiece) {
      pieces.push_back({t, begin, std::min(kPiece, numel - begin)});
    }
  }
  return pieces;
}

class Walk {
 public:
  Walk(const Plan& plan, std::span<const Ingredient> ingredients, const PassOptions& options,
       ThreadPool& pool, const Sink& sink)
      : plan_(plan),
        ingredients_(ingredients),
        options_(options),
        pool_(pool),
        sink_(sink),
        pieces_(pieces_of(plan)),
        measures_(options.distances && ingredients.size() > 1) {
    for (const PlannedTensor& tensor : plan.tensors) {
      const std::string group = group_of(tensor.name);
      const auto found = std::find(groups_.begin(), groups_.end(), group);
      group_of_.push_back(static_cast<size_t>(found - groups_.begin()));
      if (found == groups_.end()) groups_.push_back(group);
    }
    for (const double weight : plan.weights) convex_ = convex_ && weight >= 0 && weight <= 1;
  }

  PassResult run() {
    std::vector<DistanceSums> sums;
    if (measures_) {
      sums.assign(pieces_.size(), DistanceSums(ingredients_.size(), 1, options_.base != nullptr));
    }
    pool_.parallel_for(static_cast<int64_t>(pieces_.size()), [&](int64_t index) {
      throw_if_interrupted();
      const auto i = static_cast<size_t>(index);
      const size_t ahead = i + 2 * static_cast<size_t>(pool_.size());
      if (ahead < pieces_.size()) for_each_range(pieces_[ahead], ask_for);
      take(pieces_[i], measures_ ? &sums[i] : nullptr);
      for_each_range(pieces_[i], let_go);
    });
    return finish(sums);
  }

 private:
  // The bytes of a piece in every mapped file.
  template <class F>
  void for_each_range(const Piece& piece, const F& f) const {
    const auto one = [&](const Tensor& tensor, const Ingredient& owner) {
      const auto item = static_cast<size_t>(weights::dtype_size(tensor.dtype));
      const auto bytes = tensor.data.subspan(static_cast<size_t>(piece.begin) * item,
                                             static_cast<size_t>(piece.count) * item);
      if (lies_in(bytes, owner.bytes)) f(bytes);
    };
    const PlannedTensor& planned = plan_.tensors[piece.tensor];
    if (!planned.averaged) return;
    for (size_t i = 0; i < ingredients_.size(); ++i) one(planned.sources[i], ingredients_[i]);
    if (options_.base != nullptr) one(options_.base->tensors.at(planned.name), *options_.base);
  }

  void take(const Piece& piece, DistanceSums* sums) {
    const PlannedTensor& planned = plan_.tensors[piece.tensor];
    const int64_t item = weights::dtype_size(planned.dtype);
    Block block(planned.sources.size() + 1);
    std::vector<std::byte> out(static_cast<size_t>(piece.count * item));
    std::vector<int64_t> nonfinite(planned.sources.size());
    for (int64_t at = 0; at < piece.count; at += kBlock) {
      const int64_t count = std::min(kBlock, piece.count - at);
      std::byte* to = out.data() + at * item;
      make_values(plan_, planned, piece.begin + at, count, block, to);
      if (!weights::is_float(planned.dtype)) continue;
      int64_t found = 0;
      for (size_t i = 0; i < planned.sources.size(); ++i) {
        const int64_t of_one = count_nonfinite(block.row(i), count);
        nonfinite[i] += of_one;
        found += of_one;
      }
      if (found == 0) check_range(planned, count, to);
      if (sums == nullptr || !planned.averaged) continue;
      if (options_.base != nullptr) {
        widen(options_.base->tensors.at(planned.name), piece.begin + at, count,
              block.row(ingredients_.size()));
      }
      sums->add(0, block.rows.data(), count);
    }
    if (sink_) sink_(piece.tensor, piece.begin * item, out);
    note(planned, nonfinite);
    if (options_.progress) options_.progress(source_bytes(piece));
  }

  // Finite values must stay finite.
  void check_range(const PlannedTensor& planned, int64_t count, std::byte* bytes) const {
    const bool same = std::all_of(planned.sources.begin(), planned.sources.end(),
                                  [&](const Tensor& s) { return s.dtype == planned.dtype; });
    if (same && convex_) return;
    Tensor values;
    values.dtype = planned.dtype;
    values.data = {bytes, static_cast<size_t>(count * weights::dtype_size(planned.dtype))};
    std::vector<double> wide(static_cast<size_t>(count));
    widen(values, 0, count, wide.data());
    require(count_nonfinite(wide.data(), count) == 0, "tensor ", planned.name,
            ": averages are beyond the range of ", weights::dtype_name(planned.dtype),
            "; choose a wider --dtype");
  }

  void note(const PlannedTensor& planned, const std::vector<int64_t>& nonfinite) {
    const std::lock_guard lock(mutex_);
    for (size_t i = 0; i < nonfinite.size(); ++i) {
      if (nonfinite[i] > 0) nonfinite_[{planned.name, i}] += nonfinite[i];
    }
  }

  int64_t source_bytes(const Piece& piece) const {
    int64_t bytes = 0;
    for (const Tensor& source : plan_.tensors[piece.tensor].sources) {
      bytes += piece.count * weights::dtype_size(source.dtype);
    }
    return bytes;
  }

  PassResult finish(const std::vector<DistanceSums>& sums) {
    PassResult result;
    for (const PlannedTensor& planned : plan_.tensors) {
      for (size_t i = 0; i < planned.settled_from.size(); ++i) {
        const std::vector<float> values = weights::to_f32(planned.settled_from[i]);
        const std::vector<double> wide(values.begin(), values.end());
        const int64_t count = count_nonfinite(wide.data(), std::ssize(wide));
        if (count > 0) nonfinite_[{planned.name, i}] = count;
      }
    }
    for (const auto& [place, count] : nonfinite_) {
      result.nonfinite.push_back(
          {.ingredient = place.second, .tensor = place.first, .count = count});
    }
    if (!measures_) return result;
    DistanceSums total(ingredients_.size(), groups_.size(), options_.base != nullptr);
    for (size_t i = 0; i < sums.size(); ++i) total.add(group_of_[pieces_[i].tensor], sums[i]);
    result.distances = distances_of(total, groups_);
    return result;
  }

  const Plan& plan_;
  std::span<const Ingredient> ingredients_;
  const PassOptions& options_;
  ThreadPool& pool_;
  const Sink& sink_;
  std::vector<Piece> pieces_;
  std::vector<std::string> groups_;
  std::vector<size_t> group_of_;  // of each tensor
  bool measures_;
  bool convex_ = true;
  std::mutex mutex_;
  std::map<std::pair<std::string, size_t>, int64_t> nonfinite_;
};

}  // namespace

PassResult run_pass(const Plan& plan, std::span<const Ingredient> ingredients,
                    const PassOptions& options, ThreadPool& pool, const Sink& sink) {
  Hashes hashes(options.hashes ? ingredients : std::span<const Ingredient>(), pool.size());
  PassResult result = Walk(plan, ingredients, options, pool, sink).run();
  result.sha256 = hashes.wait();
  return result;
}

void require_finite(std::span<const NonFinite> found, std::span<const Ingredient> ingredients) {
  constexpr size_t kShown = 20;
  if (found.empty()) return;
  std::string text;
  for (size_t i = 0; i < std::min(found.size(), kShown); ++i) {
    text += "\n  " + ingredients[found[i].ingredient].given + ": tensor " + found[i].tensor +
            " has " + std::to_string(found[i].count);
  }
  if (found.size() > kShown) text += "\n  and " + std::to_string(found.size() - kShown) + " more";
  fail("values that are NaN or infinite:", text,
       "\n  average others, or take them as they are with --allow-nonfinite");
}

std::string hash_mapped(std::span<const std::byte> bytes) {
  Sha256 hash;
  while (!bytes.empty()) {
    throw_if_interrupted();
    const auto window = bytes.first(std::min(kWindow, bytes.size()));
    hash.add({reinterpret_cast<const char*>(window.data()), window.size()});
    let_go(window);
    bytes = bytes.subspan(window.size());
  }
  return hash.hex();
}

weights::TensorMap make_tensors(const Plan& plan, std::span<const Ingredient> ingredients,
                                ThreadPool& pool) {
  std::vector<weights::NewTensor> made;
  made.reserve(plan.tensors.size());
  for (const PlannedTensor& planned : plan.tensors) {
    made.push_back(weights::allocate_tensor(planned.dtype, planned.shape));
  }
  PassOptions options;
  options.distances = false;
  options.hashes = false;
  const PassResult result =
      run_pass(plan, ingredients, options, pool,
               [&](size_t t, int64_t begin, std::span<const std::byte> bytes) {
                 std::memcpy(made[t].bytes.data() + begin, bytes.data(), bytes.size());
               });
  require_finite(result.nonfinite, ingredients);
  weights::TensorMap tensors;
  for (size_t t = 0; t < made.size(); ++t) {
    tensors.emplace(plan.tensors[t].output_name, std::move(made[t].tensor));
  }
  return tensors;
}

}  // namespace clipnext::soup
