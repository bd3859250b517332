#include "infer/attend.h"

#include <algorithm>

namespace clipnext::infer {
namespace {

constexpr int64_t kPartsPerThread = 8;

/// One head over consecutive sequences. The kernel wants a sequence's positions evenly apart, so
/// one that shares some is copied together in `chain`; from a sequence to the next only what is new
/// is copied.
class HeadTask {
 public:
  HeadTask(Engine& engine, const Attention& shape, std::span<const Sequence> sequences,
           const float* qkv, int64_t head, int64_t longest)
      : engine_(engine),
        width_(shape.width),
        d_(shape.width / shape.heads),
        column_(head * d_),
        causal_(shape.causal),
        sequences_(sequences),
        qkv_(qkv),
        scratch_(engine.scratch, engine.kernels.attention_scratch(longest, d_)),
        chain_(engine.scratch, longest * 3 * d_) {}

  void run(size_t begin, size_t end, Queries queries, float* out) {
    if (begin < end) copy_shared(begin);
    for (size_t i = begin; i < end; ++i) {
      const Sequence& s = sequences_[i];
      const bool shares = s.shared > 0;
      if (shares || (i + 1 < end && sequences_[i + 1].shared > 0)) copy(s, s.shared, s.length());
      const float* first = shares ? chain_.data() : qkv_ + s.begin * 3 * width_ + column_;
      const int64_t side = shares ? d_ : width_;  // from a query to its key
      const int64_t at = queries == Queries::kAll     ? s.shared
                         : queries == Queries::kFirst ? 0
                                                      : s.length() - 1;
      const int64_t count = queries == Queries::kAll ? s.end - s.begin : 1;
      const int64_t row = queries == Queries::kAll ? s.begin : static_cast<int64_t>(i);
      const int64_t keys = causal_ ? at + count : s.length();
      engine_.kernels.attention(first + at * 3 * side, first + side, first + 2 * side, 3 * side,
                                count, keys, d_, causal_, scratch_.data(),
                                out + row * width_ + column_, width_);
    }
  }

 private:
  /// Positions [from, to) of s, of which it has rows, into the chain.
  void copy(const Sequence& s, int64_t from, int64_t to) {
    for (int64_t t = from; t < to; ++t) {
      const float* row = qkv_ + (s.begin + t - s.shared) * 3 * width_ + column_;
      float* to_row = chain_.data() + t * 3 * d_;
      for (int64_t part = 0; part < 3; ++part) {
        std::copy_n(row + part * width_, d_, to_row + part * d_);
      }
    }
  }

  /// What sequence i shares, from the sequences before it.
  void copy_shared(size_t i) {
    for (int64_t lacking = sequences_[i].shared; lacking > 0;) {
      const Sequence& s = sequences_[--i];
      if (s.shared >= lacking) continue;
      copy(s, s.shared, lacking);
      lacking = s.shared;
    }
  }

  Engine& engine_;
  int64_t width_, d_, column_;
  bool causal_;
  std::span<const Sequence> sequences_;
  const float* qkv_;
  ScratchPool::Lease scratch_;
  ScratchPool::Lease chain_;
};

}  // namespace

void attend(Engine& engine, const Attention& shape, std::span<const Sequence> sequences,
            const float* qkv, Queries queries, float* out) {
  int64_t longest = 0;
  for (const Sequence& s : sequences) longest = std::max(longest, s.length());
  const auto count = static_cast<int64_t>(sequences.size());
  const Pieces pieces{count, std::min<int64_t>(count, engine.pool.size() * kPartsPerThread)};
  engine.pool.parallel_for(pieces.parts * shape.heads, [&](int64_t i) {
    const int64_t part = i / shape.heads;
    HeadTask(engine, shape, sequences, qkv, i % shape.heads, longest)
        .run(static_cast<size_t>(pieces.begin(part)), static_cast<size_t>(pieces.end(part)),
             queries, out);
  });
}

}  // namespace clipnext::infer
