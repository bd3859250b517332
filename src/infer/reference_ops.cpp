#include "infer/reference_ops.h"

#include <algorithm>

#include "image/preprocess.h"

namespace clipnext::infer::reference {
namespace {

namespace ref = kernels::ref;

/// c [m, n] = act(a [m, k] wᵀ + bias), rows shared out over the pool.
Map product(ThreadPool& pool, const Doubles& a, int64_t k, const Doubles& w, const Doubles& bias,
            Act act) {
  const auto m = static_cast<int64_t>(a.size()) / k;
  const auto n = static_cast<int64_t>(w.size()) / k;
  Map y{m, 1, n, Doubles(static_cast<size_t>(m * n))};
  constexpr int64_t kRows = 64;
  constexpr int64_t kColumns = 256;
  const int64_t row_parts = (m + kRows - 1) / kRows;
  const int64_t column_parts = (n + kColumns - 1) / kColumns;
  pool.parallel_for(row_parts * column_parts, [&](int64_t i) {
    const int64_t row = i % row_parts * kRows;
    const int64_t column = i / row_parts * kColumns;
    const kernels::BasicEpilogue<double> epilogue{
        .bias = bias.empty() ? nullptr : bias.data() + column, .act = act};
    ref::gemm(a.data() + row * k, k, w.data() + column * k, k, std::min(kRows, m - row),
              std::min(kColumns, n - column), k, epilogue, y.values.data() + row * n + column, n);
  });
  return y;
}

Act kernel_act(model::Activation activation) {
  return activation == model::Activation::kQuickGelu ? Act::kQuickGelu : Act::kGelu;
}

}  // namespace

Doubles to_doubles(const Tensor& tensor) {
  if (tensor.data.empty()) return {};
  const std::vector<float> values = weights::to_f32(tensor);
  return {values.begin(), values.end()};
}

Map normalize_pixels(const image::PreprocessConfig& config, const uint8_t* pixels, int64_t h,
                     int64_t w) {
  const auto table = image::normalization_table(config);
  Map x{h, w, 3, Doubles(static_cast<size_t>(h * w * 3))};
  for (size_t i = 0; i < x.values.size(); ++i) x.values[i] = table[i % 3][pixels[i]];
  return x;
}

Map linear(ThreadPool& pool, const Map& x, const Tensor& w, const Tensor& bias, Act act) {
  Map y = product(pool, x.values, x.c, to_doubles(w), to_doubles(bias), act);
  y.h = x.h;
  y.w = x.w;
  return y;
}

Map multiply(ThreadPool& pool, const Map& x, const Tensor& w) {
  const Doubles stored = to_doubles(w);
  const int64_t k = w.shape[0];
  const int64_t n = w.shape[1];
  Doubles turned(stored.size());
  for (int64_t i = 0; i < k; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      turned[static_cast<size_t>(j * k + i)] = stored[static_cast<size_t>(i * n + j)];
    }
  }
  return product(pool, x.values, k, turned, {}, Act::kNone);
}

Map convolve(ThreadPool& pool, const Map& x, const Tensor& w, const Tensor& bias, int64_t stride,
             int64_t padding) {
  const int64_t size = w.shape[2];
  const int64_t h = (x.h + 2 * padding - size) / stride + 1;
  const int64_t width = (x.w + 2 * padding - size) / stride + 1;
  const int64_t k = x.c * size * size;
  Doubles patches(static_cast<size_t>(h * width * k));  // [h * w, (c, ky, kx)]
  pool.parallel_for(h, [&](int64_t row) {
    double* out = patches.data() + row * width * k;
    for (int64_t column = 0; column < width; ++column) {
      for (int64_t c = 0; c < x.c; ++c) {
        for (int64_t tap = 0; tap < size * size; ++tap) {
          const int64_t at_row = row * stride - padding + tap / size;
          const int64_t at_column = column * stride - padding + tap % size;
          const bool inside = at_row >= 0 && at_row < x.h && at_column >= 0 && at_column < x.w;
          *out++ =
              inside ? x.values[static_cast<size_t>((at_row * x.w + at_column) * x.c + c)] : 0.0;
        }
      }
    }
  });
  Map y = product(pool, patches, k, to_doubles(w), to_doubles(bias), Act::kNone);
  y.h = h;
  y.w = width;
  return y;
}

Map convolve_depthwise(ThreadPool& pool, const Map& x, const Tensor& w, const Tensor& bias) {
  const Doubles stored = to_doubles(w);
  const Doubles shift = to_doubles(bias);
  Doubles taps(stored.size());  // [49, c]
  for (int64_t c = 0; c < x.c; ++c) {
    for (int64_t tap = 0; tap < 49; ++tap) {
      taps[static_cast<size_t>(tap * x.c + c)] = stored[static_cast<size_t>(c * 49 + tap)];
    }
  }
  Map y{x.h, x.w, x.c, Doubles(x.values.size())};
  pool.parallel_for(x.h, [&](int64_t row) {
    ref::depthwise_conv7(x.values.data(), x.h, x.w, x.c, taps.data(), shift.data(), row, row + 1,
                         y.values.data());
  });
  return y;
}

Map layer_norm(const Map& x, const model::Norm<Tensor>& norm, double eps) {
  const Doubles gain = to_doubles(norm.weight);
  const Doubles bias = to_doubles(norm.bias);
  Map y{x.h, x.w, x.c, Doubles(x.values.size())};
  ref::layer_norm(x.values.data(), x.c, gain.data(), bias.data(), x.rows(), x.c, eps,
                  y.values.data(), x.c);
  return y;
}

Map mean(const Map& x) {
  Map y{1, 1, x.c, Doubles(static_cast<size_t>(x.c))};
  ref::mean_rows(x.values.data(), x.rows(), x.c, y.values.data());
  return y;
}

void add(Map& x, const Map& y, const Tensor& scale) {
  const Doubles factor = to_doubles(scale);
  for (size_t i = 0; i < x.values.size(); ++i) {
    x.values[i] += y.values[i] * (factor.empty() ? 1.0 : factor[i % factor.size()]);
  }
}

Map attention(ThreadPool& pool, const Map& q, const Map& k, const Map& v, int64_t heads,
              bool causal) {
  const int64_t d = q.c / heads;
  Map y{q.h, 1, q.c, Doubles(q.values.size())};
  pool.parallel_for(heads, [&](int64_t head) {
    const int64_t at = head * d;
    ref::attention(q.values.data() + at, k.values.data() + at, v.values.data() + at, q.c, q.h, k.h,
                   d, causal, y.values.data() + at, q.c);
  });
  return y;
}

void transform(ThreadPool& pool, Map& x, const std::vector<model::TransformerBlock<Tensor>>& blocks,
               int64_t heads, model::Activation activation, bool causal) {
  constexpr double kEps = 1e-5;
  for (const auto& p : blocks) {
    const Map qkv = linear(pool, layer_norm(x, p.ln_1, kEps), p.in_proj_weight, p.in_proj_bias);
    std::array<Map, 3> parts;  // q, k, v [t, width]
    for (size_t part = 0; part < 3; ++part) {
      parts[part] = {x.h, 1, x.c, {}};
      for (int64_t t = 0; t < x.h; ++t) {
        const auto begin = qkv.values.begin() + t * 3 * x.c + static_cast<int64_t>(part) * x.c;
        parts[part].values.insert(parts[part].values.end(), begin, begin + x.c);
      }
    }
    const Map attended = attention(pool, parts[0], parts[1], parts[2], heads, causal);
    add(x, linear(pool, attended, p.out_proj_weight, p.out_proj_bias), p.gamma_1);
    const Map hidden =
        linear(pool, layer_norm(x, p.ln_2, kEps), p.fc_weight, p.fc_bias, kernel_act(activation));
    add(x, linear(pool, hidden, p.proj_weight, p.proj_bias), p.gamma_2);
  }
}

}  // namespace clipnext::infer::reference
