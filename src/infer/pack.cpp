#include "infer/pack.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "base/checked.h"

namespace clipnext::infer {
namespace {

using model::Role;
using weights::Tensor;

constexpr double kBatchNormEps = 1e-5;  // torch.nn.BatchNorm2d's default

/// Rows [begin, begin + rows) of t seen as [rows, cols], as float32.
void copy_rows(const Tensor& t, int64_t begin, int64_t rows, int64_t cols, float* out) {
  const auto row_bytes = static_cast<size_t>(cols * weights::dtype_size(t.dtype));
  const Tensor part{
      t.dtype,
      {rows, cols},
      t.data.subspan(static_cast<size_t>(begin) * row_bytes, static_cast<size_t>(rows) * row_bytes),
      nullptr};
  weights::copy_as_f32(part, out);
}

/// Packs a matrix in parallel; fill(begin, rows, out) writes rows of it, [rows, k] dense.
template <class Fill>
void pack_matrix(Weight& weight, int64_t n, int64_t k, const kernels::Kernels& kernels,
                 ThreadPool& pool, const Fill& fill) {
  const int64_t panel = kernels.gemm_panel;
  const int64_t panels = (n + panel - 1) / panel;
  weight.n = n;
  weight.k = k;
  weight.values.ensure(panels * panel * k);
  // About 64 KiB of source a task: it stays in cache between conversion and packing.
  const int64_t chunk = std::max<int64_t>(1, 16384 / (panel * k));
  ScratchPool scratch;
  pool.parallel_for((panels + chunk - 1) / chunk, [&](int64_t i) {
    const int64_t begin = i * chunk * panel;
    const int64_t rows = std::min(chunk * panel, n - begin);
    ScratchPool::Lease part(scratch, rows * k);
    fill(begin, rows, part.data());
    kernels.pack_f32(part.data(), k, rows, k, weight.values.data() + begin * k);
  });
}

/// [o, i, kh, kw] with rows reordered to (kh, kw, i).
void pack_convolution(Weight& weight, const Tensor& t, const kernels::Kernels& kernels,
                      ThreadPool& pool) {
  const int64_t n = t.shape[0];
  const int64_t channels = t.shape[1];
  const int64_t taps = t.shape[2] * t.shape[3];
  const int64_t k = channels * taps;
  pack_matrix(weight, n, k, kernels, pool, [&](int64_t begin, int64_t rows, float* out) {
    std::vector<float> source(static_cast<size_t>(rows * k));
    copy_rows(t, begin, rows, k, source.data());
    const float* x = source.data();
    for (int64_t row = 0; row < rows; ++row, out += k) {
      for (int64_t c = 0; c < channels; ++c) {
        for (int64_t tap = 0; tap < taps; ++tap) out[tap * channels + c] = *x++;
      }
    }
  });
}

/// [k, n], used untransposed.
void pack_transposed(Weight& weight, const Tensor& t, const kernels::Kernels& kernels,
                     ThreadPool& pool) {
  const int64_t k = t.shape[0];
  const int64_t n = t.shape[1];
  const std::vector<float> source = weights::to_f32(t);
  pack_matrix(weight, n, k, kernels, pool, [&](int64_t begin, int64_t rows, float* out) {
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t i = 0; i < k; ++i) *out++ = source[static_cast<size_t>(i * n + begin + row)];
    }
  });
}

/// [c, 1, 7, 7] to [49, c].
void pack_depthwise(Weight& weight, const Tensor& t) {
  const int64_t c = t.shape[0];
  const int64_t taps = t.shape[2] * t.shape[3];
  const std::vector<float> source = weights::to_f32(t);
  float* out = weight.values.ensure(taps * c);
  for (int64_t tap = 0; tap < taps; ++tap) {
    for (int64_t i = 0; i < c; ++i) *out++ = source[static_cast<size_t>(i * taps + tap)];
  }
}

bool is_depthwise(const weights::Shape& shape) { return shape[1] == 1; }

// The two matrices that open_clip multiplies from the right.
bool is_transposed(std::string_view name) {
  return name == "text_projection" || name == "visual.proj";
}

void pack_one(Weight& weight, const Tensor& t, const model::ParamInfo& info,
              const kernels::Kernels& kernels, ThreadPool& pool) {
  if (info.role == Role::kEmbedding) {
    weight.table = t;
  } else if (info.role == Role::kConv) {
    is_depthwise(t.shape) ? pack_depthwise(weight, t) : pack_convolution(weight, t, kernels, pool);
  } else if (info.role == Role::kLinear && is_transposed(info.name)) {
    pack_transposed(weight, t, kernels, pool);
  } else if (info.role == Role::kLinear) {
    const int64_t n = t.shape[0];
    const int64_t k = t.numel() / n;  // [n, k], or [n, k, 1, 1] of conv_mlp
    pack_matrix(weight, n, k, kernels, pool, [&](int64_t begin, int64_t rows, float* out) {
      copy_rows(t, begin, rows, k, out);
    });
  } else {
    weights::copy_as_f32(t, weight.values.ensure(t.numel()));
  }
}

void fold_batch_norms(model::ResNetParams<Tensor>& p) {
  for (auto& conv : p.stem) fold_batch_norm(conv);
  for (auto& layer : p.layers) {
    for (auto& block : layer) {
      fold_batch_norm(block.conv1);
      fold_batch_norm(block.conv2);
      fold_batch_norm(block.conv3);
      if (!block.downsample.weight.shape.empty()) fold_batch_norm(block.downsample);
    }
  }
}

}  // namespace

std::span<const std::byte> packed_bytes(const Weight& weight, const model::ParamInfo& info,
                                        const kernels::Kernels& kernels) {
  if (info.role == Role::kEmbedding) return weight.table.data;
  const int64_t panel = kernels.gemm_panel;
  const int64_t floats = weight.n > 0 ? (weight.n + panel - 1) / panel * panel * weight.k
                                      : checked_numel(info.shape, "parameter");
  return std::as_bytes(std::span(weight.data(), static_cast<size_t>(floats)));
}

void fold_batch_norm(model::ConvNorm<Tensor>& conv) {
  std::vector<float> weight = weights::to_f32(conv.weight);
  std::vector<float> bias = weights::to_f32(conv.bias);
  const std::vector<float> gain = weights::to_f32(conv.gain);
  const std::vector<float> mean = weights::to_f32(conv.mean);
  const std::vector<float> var = weights::to_f32(conv.var);
  const size_t row = weight.size() / bias.size();
  for (size_t i = 0; i < bias.size(); ++i) {
    const double scale = double{gain[i]} / std::sqrt(double{var[i]} + kBatchNormEps);
    for (size_t j = i * row; j < (i + 1) * row; ++j) {
      weight[j] = static_cast<float>(double{weight[j]} * scale);
    }
    bias[i] = static_cast<float>(double{bias[i]} - double{mean[i]} * scale);
  }
  conv.weight = weights::make_tensor(conv.weight.shape, weight);
  conv.bias = weights::make_tensor(conv.bias.shape, bias);
}

Params pack(const model::ClipConfig& config, model::ClipParams<Tensor> tensors,
            const kernels::Kernels& kernels, ThreadPool& pool) {
  if (auto* resnet = std::get_if<model::ResNetParams<Tensor>>(&tensors.vision)) {
    fold_batch_norms(*resnet);
  }
  std::vector<Tensor> sources;  // in visiting order, which is the same for both trees
  model::visit(tensors, config,
               [&](Tensor& t, const model::ParamInfo&) { sources.push_back(std::move(t)); });
  auto params = model::make_params<Weight>(config);
  size_t next = 0;
  model::visit(params, config, [&](Weight& weight, const model::ParamInfo& info) {
    const Tensor source = std::move(sources[next++]);
    if (info.role != Role::kStatistic) pack_one(weight, source, info, kernels, pool);
  });
  return params;
}

}  // namespace clipnext::infer
