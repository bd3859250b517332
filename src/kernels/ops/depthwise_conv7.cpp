// Depthwise 7x7, one vector of channels at a time: for a run of output columns the sums stay in
// registers; each of the 7 rows' 7 weights and each input is loaded once and used up to 7 times.
// Beyond the picture's left and right edge the inputs are zero vectors.
#include "kernels/kernels.h"
#include "kernels/ops/tile.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {
namespace {

constexpr int64_t kMaxRun = kLanes == 16 ? 16 : 8;  // with 7 weights and an input, the registers

/// One picture at one vector of channels.
struct Plane {
  const float* x;
  const float* weight;
  const float* bias;
  float* y;
  int64_t h, w, c;
  int64_t channels;  // how many of the vector's there are; >= kLanes for all
};

/// Output columns [column, column + kRun) of a row; kWhole: all lanes are channels.
template <int kRun, bool kWhole>
void run(const Plane& p, int64_t row, int64_t column) {
  const auto load_channels = [&p](const float* at) {
    return kWhole ? load(at) : load(first_lanes(p.channels), at);
  };
  f32v sums[kRun];
  const f32v bias = load_channels(p.bias);
#pragma GCC unroll 16
  for (int i = 0; i < kRun; ++i) sums[i] = bias;
  const int64_t row_end = smaller(p.h, row + 4);
  for (int64_t in_row = row < 3 ? 0 : row - 3; in_row < row_end; ++in_row) {
    const float* weight = p.weight + (in_row - row + 3) * 7 * p.c;
    f32v tap[7];
#pragma GCC unroll 7
    for (int i = 0; i < 7; ++i) tap[i] = load_channels(weight + i * p.c);
#pragma GCC unroll 22
    for (int i = 0; i < kRun + 6; ++i) {
      const int64_t in_column = column + i - 3;
      const bool inside = in_column >= 0 && in_column < p.w;
      const f32v x = inside ? load_channels(p.x + (in_row * p.w + in_column) * p.c) : zero();
#pragma GCC unroll 7
      for (int j = 0; j < 7; ++j) {
        if (i - j >= 0 && i - j < kRun) sums[i - j] = fma(x, tap[j], sums[i - j]);
      }
    }
  }
  float* y = p.y + (row * p.w + column) * p.c;
#pragma GCC unroll 16
  for (int i = 0; i < kRun; ++i) {
    if (kWhole) {
      store(y + i * p.c, sums[i]);
    } else {
      store(first_lanes(p.channels), y + i * p.c, sums[i]);
    }
  }
}

using Run = void(const Plane&, int64_t, int64_t);

#define CLIPNEXT_RUNS_8(whole)                                                              \
  run<1, whole>, run<2, whole>, run<3, whole>, run<4, whole>, run<5, whole>, run<6, whole>, \
      run<7, whole>, run<8, whole>
#ifdef CLIPNEXT_AVX512
#define CLIPNEXT_RUNS(whole)                                                             \
  CLIPNEXT_RUNS_8(whole), run<9, whole>, run<10, whole>, run<11, whole>, run<12, whole>, \
      run<13, whole>, run<14, whole>, run<15, whole>, run<16, whole>
#else
#define CLIPNEXT_RUNS(whole) CLIPNEXT_RUNS_8(whole)
#endif

constexpr Run* kRuns[2][kMaxRun] = {{CLIPNEXT_RUNS(false)}, {CLIPNEXT_RUNS(true)}};

}  // namespace

void depthwise_conv7(const float* x, int64_t h, int64_t w, int64_t c, const float* weight,
                     const float* bias, int64_t row_begin, int64_t row_end, float* y) noexcept {
  const int64_t runs = (w + kMaxRun - 1) / kMaxRun;
  for (int64_t i = 0; i < c; i += kLanes) {
    const Plane plane{x + i, weight + i, bias + i, y + i, h, w, c, c - i};
    const auto& by_length = kRuns[c - i >= kLanes ? 1 : 0];
    for (int64_t row = row_begin; row < row_end; ++row) {
      for (int64_t part = 0; part < runs; ++part) {
        const int64_t column = part_begin(w, runs, part);
        by_length[part_begin(w, runs, part + 1) - column - 1](plane, row, column);
      }
    }
  }
}

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE
