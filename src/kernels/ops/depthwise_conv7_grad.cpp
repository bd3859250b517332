// Gradient of the depthwise 7x7's weight, one vector of channels at a time: for each pair of a
// picture row and a result row 7 sums stay in registers over a run of columns; each gradient and
// each input of the run is loaded once and used up to 7 times.
#include "kernels/kernels.h"
#include "kernels/ops/tile.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {
namespace {

constexpr int64_t kMaxRun = kLanes == 16 ? 16 : 8;  // with 7 sums and an input, the registers

/// A row of inputs and one of gradients, at one vector of channels.
struct RowPair {
  const float* x;
  const float* g;
  int64_t w, c;
  int64_t channels;  // how many of the vector's there are; >= kLanes for all
};

/// Adds columns [column, column + kRun) to sums[j] of tap j.
template <int kRun, bool kWhole>
void run(const RowPair& p, int64_t column, f32v* sums) {
  const auto load_channels = [&p](const float* at) {
    return kWhole ? load(at) : load(first_lanes(p.channels), at);
  };
  f32v g[kRun];
#pragma GCC unroll 16
  for (int i = 0; i < kRun; ++i) g[i] = load_channels(p.g + (column + i) * p.c);
  f32v part[7];
#pragma GCC unroll 7
  for (int j = 0; j < 7; ++j) part[j] = sums[j];
#pragma GCC unroll 22
  for (int i = 0; i < kRun + 6; ++i) {
    const int64_t in_column = column + i - 3;
    if (in_column < 0 || in_column >= p.w) continue;
    const f32v x = load_channels(p.x + in_column * p.c);
#pragma GCC unroll 7
    for (int j = 0; j < 7; ++j) {
      if (i - j >= 0 && i - j < kRun) part[j] = fma(x, g[i - j], part[j]);
    }
  }
#pragma GCC unroll 7
  for (int j = 0; j < 7; ++j) sums[j] = part[j];
}

using Run = void(const RowPair&, int64_t, f32v*);

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

/// Sum over the columns of a row of gradients.
f32v row_sum(const RowPair& p) {
  f32v total = zero();
  for (int64_t i = 0; i < p.w; ++i) total = add(total, load_first(p.g + i * p.c, p.channels));
  return total;
}

/// One vector of channels of a picture: the 49 taps' sums and the bias's behind them.
void sum_picture(const float* x, const float* g, int64_t h, int64_t w, int64_t c, int64_t channels,
                 f32v* totals) {
  const int64_t runs = (w + kMaxRun - 1) / kMaxRun;
  const auto& by_length = kRuns[channels >= kLanes ? 1 : 0];
  for (int64_t i = 0; i < 50; ++i) totals[i] = zero();
  for (int64_t row = 0; row < h; ++row) {
    for (int64_t i = row < 3 ? 3 - row : 0; i < 7 && row + i - 3 < h; ++i) {
      const RowPair pair{x + (row + i - 3) * w * c, g + row * w * c, w, c, channels};
      f32v sums[7] = {zero(), zero(), zero(), zero(), zero(), zero(), zero()};
      for (int64_t part = 0; part < runs; ++part) {
        const int64_t column = part_begin(w, runs, part);
        by_length[part_begin(w, runs, part + 1) - column - 1](pair, column, sums);
      }
      for (int64_t j = 0; j < 7; ++j) totals[i * 7 + j] = add(totals[i * 7 + j], sums[j]);
    }
    totals[49] = add(totals[49], row_sum({nullptr, g + row * w * c, w, c, channels}));
  }
}

}  // namespace

void depthwise_conv7_grad(const float* x, const float* g, int64_t h, int64_t w, int64_t c,
                          float* weight_grad, float* bias_grad) noexcept {
  for (int64_t i = 0; i < c; i += kLanes) {
    f32v totals[50];
    sum_picture(x + i, g + i, h, w, c, c - i, totals);
    for (int64_t tap = 0; tap < 49; ++tap) {
      store_first(weight_grad + tap * c + i, totals[tap], c - i);
    }
    store_first(bias_grad + i, totals[49], c - i);
  }
}

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE
