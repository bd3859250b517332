#include "kernels/ref/narrow.h"

#include "kernels/ref/ref.h"

namespace clipnext::kernels::ref {
namespace {

constexpr int64_t kPanel = 16;

/// The sums of a row times kPanel packed columns, products exact in Wide.
template <class Wide, class A, class T, class WidenA, class WidenT>
void panel_sums(const A* a, const T* panel, int64_t k, Wide* sums, WidenA widen_a, WidenT widen) {
  constexpr int64_t g = 4 / sizeof(T);
  std::fill_n(sums, kPanel, Wide{});
  for (int64_t p = 0; p < k; ++p) {
    const T* column = panel + p / g * kPanel * g + p % g;
    const Wide x = widen_a(a[p]);
    for (int64_t j = 0; j < kPanel; ++j) sums[j] += x * widen(column[j * g]);
  }
}

/// store(row, column, sum) for every output of bf16 operands.
template <class Store>
void multiply_bf16(const Bf16* a, int64_t lda, const Bf16* packed, int64_t m, int64_t n, int64_t k,
                   Store store) {
  const auto widen = [](Bf16 x) { return double{from_bf16(x)}; };
  double sums[kPanel];
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j0 = 0; j0 < n; j0 += kPanel) {
      panel_sums(a + i * lda, packed + j0 * packed_depth<Bf16>(k), k, sums, widen, widen);
      for (int64_t j = j0; j < std::min(n, j0 + kPanel); ++j) store(i, j, sums[j - j0]);
    }
  }
}

/// store(row, column, value) for every output of int8 operands, brought back to f32.
template <class Store>
void multiply_u8s8(const uint8_t* a, int64_t lda, const RowScale* rows, const S8Weights& w,
                   int64_t m, int64_t n, int64_t k, Store store) {
  const auto widen = [](auto x) { return int32_t{x}; };
  int32_t sums[kPanel];
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j0 = 0; j0 < n; j0 += kPanel) {
      panel_sums(a + i * lda, w.packed + j0 * packed_depth<int8_t>(k), k, sums, widen, widen);
      for (int64_t j = j0; j < std::min(n, j0 + kPanel); ++j) {
        const int32_t sum = sums[j - j0] - rows[i].zero * w.sums[j];
        store(i, j, static_cast<float>(sum) * (rows[i].scale * w.scales[j]));
      }
    }
  }
}

}  // namespace

void pack_bf16(const float* w, int64_t ldw, int64_t n, int64_t k, Bf16* packed) noexcept {
  std::fill_n(packed, packed_columns(n) * packed_depth<Bf16>(k), Bf16{0});
  for (int64_t j = 0; j < n; ++j) {
    for (int64_t p = 0; p < k; ++p) packed[packed_at<Bf16>(j, p, k)] = to_bf16(w[j * ldw + p]);
  }
}

void rows_to_bf16(const float* x, int64_t ldx, int64_t rows, int64_t cols, Bf16* y,
                  int64_t ldy) noexcept {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < cols; ++i) y[r * ldy + i] = to_bf16(x[r * ldx + i]);
  }
}

void gemm_bf16(const Bf16* a, int64_t lda, const Bf16* packed, int64_t m, int64_t n, int64_t k,
               const Epilogue& epilogue, float* c, int64_t ldc) noexcept {
  multiply_bf16(a, lda, packed, m, n, k, [&](int64_t i, int64_t j, double sum) {
    c[i * ldc + j] = static_cast<float>(finish(sum, i, j, epilogue));
  });
}

void gemm_bf16_to_bf16(const Bf16* a, int64_t lda, const Bf16* packed, int64_t m, int64_t n,
                       int64_t k, const Epilogue& epilogue, Bf16* c, int64_t ldc) noexcept {
  multiply_bf16(a, lda, packed, m, n, k, [&](int64_t i, int64_t j, double sum) {
    c[i * ldc + j] = to_bf16(static_cast<float>(finish(sum, i, j, epilogue)));
  });
}

void pack_s8(const float* w, int64_t ldw, int64_t n, int64_t k, int8_t* packed, float* scales,
             int32_t* sums) noexcept {
  const int64_t columns = packed_columns(n);
  std::fill_n(packed, columns * packed_depth<int8_t>(k), int8_t{0});
  std::fill_n(scales, columns, 0.0F);
  std::fill_n(sums, columns, 0);
  for (int64_t j = 0; j < n; ++j) {
    const float* row = w + j * ldw;
    float top = 0;
    for (int64_t p = 0; p < k; ++p) {
      const float size = std::abs(row[p]);
      top = size > top || std::isnan(size) ? size : top;
    }
    const bool usable = top > 1e-30F && std::isfinite(top);
    const float inverse = usable ? 127 / top : 0;
    scales[j] = usable ? top / 127 : top - top;  // NaN for a column that is not finite
    for (int64_t p = 0; usable && p < k; ++p) {
      const auto value = static_cast<int8_t>(std::nearbyint(row[p] * inverse));
      packed[packed_at<int8_t>(j, p, k)] = value;
      sums[j] += value;
    }
  }
}

void quantize(const float* x, int64_t ldx, int64_t rows, int64_t cols, int32_t levels, uint8_t* y,
              int64_t ldy, RowScale* scales) noexcept {
  for (int64_t r = 0; r < rows; ++r) {
    scales[r] = quantize_row(x + r * ldx, cols, levels, y + r * ldy);
  }
}

void quantize_bf16(const Bf16* x, int64_t ldx, int64_t rows, int64_t cols, int32_t levels,
                   uint8_t* y, int64_t ldy, RowScale* scales) noexcept {
  std::vector<float> row(static_cast<size_t>(cols));
  for (int64_t r = 0; r < rows; ++r) {
    std::transform(x + r * ldx, x + r * ldx + cols, row.begin(), from_bf16);
    scales[r] = quantize_row(row.data(), cols, levels, y + r * ldy);
  }
}

void gemm_u8s8(const uint8_t* a, int64_t lda, const RowScale* rows, const S8Weights& w, int64_t m,
               int64_t n, int64_t k, const Epilogue& epilogue, float* c, int64_t ldc) noexcept {
  multiply_u8s8(a, lda, rows, w, m, n, k, [&](int64_t i, int64_t j, double y) {
    c[i * ldc + j] = static_cast<float>(finish(y, i, j, epilogue));
  });
}

void gemm_u8s8_to_bf16(const uint8_t* a, int64_t lda, const RowScale* rows, const S8Weights& w,
                       int64_t m, int64_t n, int64_t k, const Epilogue& epilogue, Bf16* c,
                       int64_t ldc) noexcept {
  multiply_u8s8(a, lda, rows, w, m, n, k, [&](int64_t i, int64_t j, double y) {
    c[i * ldc + j] = to_bf16(static_cast<float>(finish(y, i, j, epilogue)));
  });
}

void layer_norm_bf16(const float* x, int64_t ldx, const float* gain, const float* bias,
                     int64_t rows, int64_t cols, float eps, Bf16* y, int64_t ldy) noexcept {
  std::vector<float> row(static_cast<size_t>(cols));
  for (int64_t r = 0; r < rows; ++r) {
    layer_norm<float>(x + r * ldx, cols, gain, bias, 1, cols, eps, row.data(), cols);
    std::transform(row.begin(), row.end(), y + r * ldy, to_bf16);
  }
}

void layer_norm_u8(const float* x, int64_t ldx, const float* gain, const float* bias, int64_t rows,
                   int64_t cols, float eps, int32_t levels, uint8_t* y, int64_t ldy,
                   RowScale* scales) noexcept {
  std::vector<float> row(static_cast<size_t>(cols));
  for (int64_t r = 0; r < rows; ++r) {
    layer_norm<float>(x + r * ldx, cols, gain, bias, 1, cols, eps, row.data(), cols);
    scales[r] = quantize_row(row.data(), cols, levels, y + r * ldy);
  }
}

}  // namespace clipnext::kernels::ref
