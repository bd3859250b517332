// What a tower computes with, and how each operation is split over threads. Splits depend on shapes
// and thread count only, and no result depends on the split: a kernel's row does not know its
// neighbours.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "base/workspace.h"
#include "infer/pack.h"
#include "infer/rows.h"
#include "kernels/kernels.h"

namespace clipnext::infer {

/// Receives intermediate results by their PyTorch module path, maps as [n, h, w, c]; empty in
/// ordinary runs.
using Trace =
    std::function<void(const std::string& name, const float* data, const weights::Shape& shape)>;

struct Engine {
  const kernels::Kernels& kernels;
  ThreadPool& pool;
  ScratchPool scratch;
};

/// [0, count) in `parts` pieces whose sizes differ by at most one unit.
struct Pieces {
  int64_t count = 0;
  int64_t parts = 1;
  int64_t unit = 1;

  int64_t begin(int64_t i) const {
    const int64_t units = (count + unit - 1) / unit;
    const int64_t at = units * i / parts * unit;
    return at < count ? at : count;
  }
  int64_t end(int64_t i) const { return begin(i + 1); }
};

/// c [m, w.n] = epilogue(a [m, w.k] times w transposed), a in the type of w; rows of c ldc apart, c
/// is not a.
void linear(Engine& engine, const Rows& a, int64_t m, const Weight& w,
            const kernels::Epilogue& epilogue, float* c, int64_t ldc);
/// The same from f32 rows lda apart, which are rounded to the type of w.
void linear(Engine& engine, const float* a, int64_t lda, int64_t m, const Weight& w,
            const kernels::Epilogue& epilogue, float* c, int64_t ldc);

/// x [m, c] += scale * (fc2 act(fc1 y + b1) + b2), y [m, c] in the type of fc1; scale [c] or null.
/// The hidden layer of a few rows at a time stays in cache.
struct Mlp {
  const Weight& fc1;
  const Weight& fc1_bias;
  kernels::Act act = kernels::Act::kGelu;
  const Weight& fc2;
  const Weight& fc2_bias;
  const float* scale = nullptr;
};
void add_mlp(Engine& engine, const Mlp& mlp, const Rows& y, int64_t m, float* x);

/// LayerNorm of rows x [rows, cols] into y, both dense; y may be x.
void norm_rows(Engine& engine, const model::Norm<Weight>& norm, float eps, const float* x,
               int64_t rows, int64_t cols, float* y);
/// The same into y's type.
void norm_rows(Engine& engine, const model::Norm<Weight>& norm, float eps, const float* x,
               int64_t rows, int64_t cols, const Rows& y);

/// Convolution as a product over patches: y [rows, w.n] = epilogue(patches times w transposed),
/// where gather(begin, end, out) writes patches [end - begin, w.k]. Patches are made a slab at a
/// time, so that their memory does not grow with the batch.
template <class Gather>
void convolve(Engine& engine, int64_t rows, const Weight& w, const kernels::Epilogue& epilogue,
              float* y, const Gather& gather) {
  constexpr int64_t kSlabFloats = int64_t{4} << 20;
  const int64_t slab = kSlabFloats / w.k + 1;
  ScratchPool::Lease patches(engine.scratch, (rows < slab ? rows : slab) * w.k);
  for (int64_t begin = 0; begin < rows; begin += slab) {
    const int64_t count = rows - begin < slab ? rows - begin : slab;
    const Pieces pieces{count, engine.pool.size() * int64_t{4}};
    engine.pool.parallel_for(pieces.parts, [&](int64_t i) {
      if (pieces.begin(i) == pieces.end(i)) return;
      gather(begin + pieces.begin(i), begin + pieces.end(i),
             patches.data() + pieces.begin(i) * w.k);
    });
    kernels::Epilogue part = epilogue;
    if (part.residual != nullptr) part.residual += begin * part.ld_residual;
    linear(engine, patches.data(), w.k, count, w, part, y + begin * w.n, w.n);
  }
}

}  // namespace clipnext::infer
