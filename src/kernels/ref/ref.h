// The definition of correct: every op as its formula reads, accumulating in double, over any
// storage type T. With T = float it is the `ref` table; with T = double throughout it is the
// float64 evaluation of a tower that the fast kernels are judged by. Loops are only ordered so that
// a compiler can vectorise them for any x86-64.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

#include "kernels/kernels.h"

namespace clipnext::kernels::ref {

/// z Φ(z) for kGelu (exact, by erfc, which keeps the left tail), z sigmoid(1.702 z) for kQuickGelu;
/// at minus infinity their limit, 0.
inline double activate(double z, Act act) {
  if (act != Act::kNone && z == -std::numeric_limits<double>::infinity()) return 0;
  switch (act) {
    case Act::kNone:
      return z;
    case Act::kGelu:
      return 0.5 * z * std::erfc(-z / std::numbers::sqrt2);
    case Act::kQuickGelu:
      return z / (1 + std::exp(-1.702 * z));
    case Act::kRelu:
      return z < 0 ? 0 : z;  // so that NaN stays
  }
  return z;
}

/// BasicEpilogue for the sum of row i, column j.
template <class T>
double finish(double sum, int64_t i, int64_t j, const BasicEpilogue<T>& e) {
  double y = sum + (e.bias != nullptr ? double{e.bias[j]} : 0.0);
  if (!e.relu_after) y = activate(y, e.act);
  if (e.scale != nullptr) y *= double{e.scale[j]};
  if (e.residual != nullptr) y += double{e.residual[i * e.ld_residual + j]};
  return e.relu_after ? activate(y, Act::kRelu) : y;
}

/// c [m, n] = epilogue(a [m, k] times w [n, k] transposed), where weight(j, p) is w[j][p]; rows
/// lda, ldc apart. Small blocks of w are turned around so that the inner loop runs along memory.
template <class T, class Weight>
void gemm(const T* a, int64_t lda, const Weight& weight, int64_t m, int64_t n, int64_t k,
          const BasicEpilogue<T>& epilogue, T* c, int64_t ldc) {
  constexpr int64_t kRows = 64, kColumns = 8, kDepth = 128;
  for (int64_t i0 = 0; i0 < m; i0 += kRows) {
    const int64_t rows = std::min(kRows, m - i0);
    for (int64_t j0 = 0; j0 < n; j0 += kColumns) {
      const int64_t columns = std::min(kColumns, n - j0);
      double sum[kRows][kColumns] = {};
      for (int64_t p0 = 0; p0 < k; p0 += kDepth) {
        const int64_t depth = std::min(kDepth, k - p0);
        double block[kDepth][kColumns] = {};
        for (int64_t j = 0; j < columns; ++j) {
          for (int64_t p = 0; p < depth; ++p) block[p][j] = weight(j0 + j, p0 + p);
        }
        for (int64_t i = 0; i < rows; ++i) {
          const T* row = a + (i0 + i) * lda + p0;
          double acc[kColumns] = {};
          for (int64_t p = 0; p < depth; ++p) {
            const double x = row[p];
            for (int64_t j = 0; j < kColumns; ++j) acc[j] += x * block[p][j];
          }
          for (int64_t j = 0; j < kColumns; ++j) sum[i][j] += acc[j];
        }
      }
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < columns; ++j) {
          c[(i0 + i) * ldc + j0 + j] = static_cast<T>(finish(sum[i][j], i0 + i, j0 + j, epilogue));
        }
      }
    }
  }
}

/// The same for w as it is, rows ldw apart.
template <class T>
void gemm(const T* a, int64_t lda, const T* w, int64_t ldw, int64_t m, int64_t n, int64_t k,
          const BasicEpilogue<T>& epilogue, T* c, int64_t ldc) {
  const auto weight = [=](int64_t j, int64_t p) { return w[j * ldw + p]; };
  gemm(a, lda, weight, m, n, k, epilogue, c, ldc);
}

/// See LayerNormFn.
template <class T>
void layer_norm(const T* x, int64_t ldx, const T* gain, const T* bias, int64_t rows, int64_t cols,
                double eps, T* y, int64_t ldy) {
  for (int64_t r = 0; r < rows; ++r, x += ldx, y += ldy) {
    double sum = 0;
    for (int64_t i = 0; i < cols; ++i) sum += x[i];
    const double mean = sum / static_cast<double>(cols);
    double squares = 0;
    for (int64_t i = 0; i < cols; ++i) squares += (x[i] - mean) * (x[i] - mean);
    const double scale = 1 / std::sqrt(squares / static_cast<double>(cols) + eps);
    for (int64_t i = 0; i < cols; ++i) {
      y[i] = static_cast<T>((x[i] - mean) * scale * double{gain[i]} + double{bias[i]});
    }
  }
}

/// See DepthwiseConv7Fn.
template <class T>
void depthwise_conv7(const T* x, int64_t h, int64_t w, int64_t c, const T* weight, const T* bias,
                     int64_t row_begin, int64_t row_end, T* y) {
  constexpr int64_t kChannels = 32;
  for (int64_t row = row_begin; row < row_end; ++row) {
    for (int64_t column = 0; column < w; ++column) {
      for (int64_t c0 = 0; c0 < c; c0 += kChannels) {
        const int64_t channels = std::min(kChannels, c - c0);
        double sum[kChannels] = {};
        for (int64_t i = 0; i < channels; ++i) sum[i] = bias[c0 + i];
        for (int64_t tap = 0; tap < 49; ++tap) {
          const int64_t in_row = row + tap / 7 - 3;
          const int64_t in_column = column + tap % 7 - 3;
          if (in_row < 0 || in_row >= h || in_column < 0 || in_column >= w) continue;
          const T* in = x + (in_row * w + in_column) * c + c0;
          const T* weights = weight + tap * c + c0;
          for (int64_t i = 0; i < channels; ++i) sum[i] += double{in[i]} * double{weights[i]};
        }
        T* out = y + (row * w + column) * c + c0;
        for (int64_t i = 0; i < channels; ++i) out[i] = static_cast<T>(sum[i]);
      }
    }
  }
}

/// See DepthwiseConv7GradFn.
template <class T>
void depthwise_conv7_grad(const T* x, const T* g, int64_t h, int64_t w, int64_t c, T* weight_grad,
                          T* bias_grad) {
  for (int64_t channel = 0; channel < c; ++channel) {
    double sums[50] = {};
    for (int64_t row = 0; row < h; ++row) {
      for (int64_t column = 0; column < w; ++column) {
        const double y = g[(row * w + column) * c + channel];
        sums[49] += y;
        for (int64_t tap = 0; tap < 49; ++tap) {
          const int64_t in_row = row + tap / 7 - 3;
          const int64_t in_column = column + tap % 7 - 3;
          if (in_row < 0 || in_row >= h || in_column < 0 || in_column >= w) continue;
          sums[tap] += y * double{x[(in_row * w + in_column) * c + channel]};
        }
      }
    }
    for (int64_t tap = 0; tap < 49; ++tap) {
      weight_grad[tap * c + channel] = static_cast<T>(sums[tap]);
    }
    bias_grad[channel] = static_cast<T>(sums[49]);
  }
}

/// Sum of a[i] * b[i], i < count.
template <class T>
double dot(const T* a, const T* b, int64_t count) {
  double part[4] = {};
  int64_t i = 0;
  for (; i + 4 <= count; i += 4) {
    for (int64_t j = 0; j < 4; ++j) part[j] += double{a[i + j]} * double{b[i + j]};
  }
  for (; i < count; ++i) part[0] += double{a[i]} * double{b[i]};
  return (part[0] + part[1]) + (part[2] + part[3]);
}

/// See AttentionFn. Without scratch: q·k is computed once for the maximum and again for the sum.
template <class T>
void attention(const T* q, const T* k, const T* v, int64_t ld_qkv, int64_t tq, int64_t tk,
               int64_t d, bool causal, T* out, int64_t ld_out) {
  constexpr int64_t kColumns = 128;
  const double scale = 1 / std::sqrt(static_cast<double>(d));
  for (int64_t i = 0; i < tq; ++i) {
    const T* query = q + i * ld_qkv;
    const int64_t visible = causal ? i + tk - tq + 1 : tk;
    double max = -std::numeric_limits<double>::infinity();
    for (int64_t j = 0; j < visible; ++j) {
      max = std::max(max, scale * dot(query, k + j * ld_qkv, d));
    }
    for (int64_t e0 = 0; e0 < d; e0 += kColumns) {
      const int64_t columns = std::min(kColumns, d - e0);
      double sum = 0;
      double weighted[kColumns] = {};
      for (int64_t j = 0; j < visible; ++j) {
        const double p = std::exp(scale * dot(query, k + j * ld_qkv, d) - max);
        const T* value = v + j * ld_qkv + e0;
        sum += p;
        for (int64_t e = 0; e < columns; ++e) weighted[e] += p * double{value[e]};
      }
      for (int64_t e = 0; e < columns; ++e) {
        out[i * ld_out + e0 + e] = static_cast<T>(weighted[e] / sum);
      }
    }
  }
}

/// See ActivationFn.
template <class T>
void activation(const T* x, int64_t count, Act act, T* y) {
  for (int64_t i = 0; i < count; ++i) y[i] = static_cast<T>(activate(double{x[i]}, act));
}

/// See GeluGradFn.
template <class T>
void gelu_grad(const T* z, const T* g, int64_t count, T* y, T* dz) {
  constexpr double kDensity = 0.5 * std::numbers::inv_sqrtpi * std::numbers::sqrt2;
  for (int64_t i = 0; i < count; ++i) {
    const double v = z[i];
    const double slope = 0.5 * std::erfc(-v / std::numbers::sqrt2) +
                         (v * v < 1e4 ? v * kDensity * std::exp(-0.5 * v * v) : 0);
    dz[i] = static_cast<T>(double{g[i]} * slope);
    y[i] = static_cast<T>(activate(v, Act::kGelu));
  }
}

/// See MeanRowsFn.
template <class T>
void mean_rows(const T* x, int64_t rows, int64_t c, T* out) {
  for (int64_t i = 0; i < c; ++i) {
    double sum = 0;
    for (int64_t r = 0; r < rows; ++r) sum += x[r * c + i];
    out[i] = static_cast<T>(sum / static_cast<double>(rows));
  }
}

/// See L2NormalizeFn.
template <class T>
void l2_normalize(T* x, int64_t rows, int64_t cols) {
  for (int64_t r = 0; r < rows; ++r, x += cols) {
    const double norm = std::max(std::sqrt(dot(x, x, cols)), 1e-12);
    for (int64_t i = 0; i < cols; ++i) x[i] = static_cast<T>(x[i] / norm);
  }
}

ResampleRowsFn resample_rows;        // ref/resample_rows.cpp
ResampleColumnsFn resample_columns;  // ref/resample_columns.cpp

}  // namespace clipnext::kernels::ref
