#include "infer/pack.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "base/checked.h"
#include "base/workspace.h"

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

/// Memory of `floats` for what `weight` holds.
float* allocate(Weight& weight, int64_t floats) {
  const auto buffer = std::make_shared<Buffer>(floats);
  weight.bytes = std::as_bytes(std::span(buffer->data(), static_cast<size_t>(floats)));
  weight.owner = buffer;
  return buffer->data();
}

/// Where in a packed int8 matrix its columns' scales begin, in bytes.
int64_t s8_panels(int64_t n, int64_t k) {
  return kernels::packed_columns(n) * kernels::packed_depth<int8_t>(k);
}

/// Packs rows [begin, begin + rows) of the matrix, w [rows, k], to where they belong in `packed`,
/// which holds all of it; begin is a multiple of kPackedColumns.
void pack_rows(const Weight& weight, const kernels::Kernels& kernels, const float* w, int64_t begin,
               int64_t rows, float* packed) {
  const int64_t k = weight.k;
  if (weight.type == ComputeType::kFp32) {
    kernels.pack_f32(w, k, rows, k, packed + begin * k);
  } else if (weight.type == ComputeType::kBf16) {
    auto* panels = reinterpret_cast<kernels::Bf16*>(packed);
    kernels.pack_bf16(w, k, rows, k, panels + begin * kernels::packed_depth<kernels::Bf16>(k));
  } else {
    auto* panels = reinterpret_cast<int8_t*>(packed);
    auto* scales = reinterpret_cast<float*>(panels + s8_panels(weight.n, k));
    auto* sums = reinterpret_cast<int32_t*>(scales + kernels::packed_columns(weight.n));
    kernels.pack_s8(w, k, rows, k, panels + begin * kernels::packed_depth<int8_t>(k),
                    scales + begin, sums + begin);
  }
}

/// Packs a matrix in parallel; fill(begin, rows, out) writes rows of it, [rows, k] dense.
template <class Fill>
void pack_matrix(Weight& weight, int64_t n, int64_t k, const kernels::Kernels& kernels,
                 ThreadPool& pool, const Fill& fill) {
  constexpr int64_t kPanel = kernels::kPackedColumns;
  const int64_t panels = kernels::packed_columns(n) / kPanel;
  weight.n = n;
  weight.k = k;
  float* packed = allocate(weight, packed_size(weight.type, n, k) / 4);
  // About 64 KiB of source a task: it stays in cache between conversion and packing.
  const int64_t chunk = std::max<int64_t>(1, 16384 / (kPanel * k));
  ScratchPool scratch;
  pool.parallel_for((panels + chunk - 1) / chunk, [&](int64_t i) {
    const int64_t begin = i * chunk * kPanel;
    const int64_t rows = std::min(chunk * kPanel, n - begin);
    ScratchPool::Lease part(scratch, rows * k);
    fill(begin, rows, part.data());
    pack_rows(weight, kernels, part.data(), begin, rows, packed);
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
  float* out = allocate(weight, taps * c);
  for (int64_t tap = 0; tap < taps; ++tap) {
    for (int64_t i = 0; i < c; ++i) *out++ = source[static_cast<size_t>(i * taps + tap)];
  }
}

bool is_depthwise(const weights::Shape& shape) { return shape[1] == 1; }

// The two matrices that open_clip multiplies from the right.
bool is_transposed(std::string_view name) {
  return name == "text_projection" || name == "visual.proj";
}

}  // namespace

kernels::S8Weights Weight::s8() const {
  const auto* panels = reinterpret_cast<const int8_t*>(bytes.data());
  const auto* scales = reinterpret_cast<const float*>(panels + s8_panels(n, k));
  return {.packed = panels,
          .scales = scales,
          .sums = reinterpret_cast<const int32_t*>(scales + kernels::packed_columns(n))};
}

int64_t packed_size(ComputeType type, int64_t n, int64_t k) {
  const char* what = "packed matrix";
  const int64_t columns = kernels::packed_columns(n);
  if (type == ComputeType::kBf16) {
    return checked_mul(checked_mul(columns, kernels::packed_depth<kernels::Bf16>(k), what), 2,
                       what);
  }
  if (type == ComputeType::kInt8) {
    return checked_mul(columns, checked_add(kernels::packed_depth<int8_t>(k), 8, what), what);
  }
  return checked_mul(checked_mul(columns, k, what), 4, what);
}

MatrixShape matrix_shape(const model::ParamInfo& info) {
  const bool linear = info.role == Role::kLinear;
  if (!linear && (info.role != Role::kConv || is_depthwise(info.shape))) return {};
  if (linear && is_transposed(info.name)) return {.n = info.shape[1], .k = info.shape[0]};
  const int64_t n = info.shape[0];
  return {.n = n, .k = checked_numel(info.shape, "parameter") / n};
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

Weight pack_weight(const Tensor& t, const model::ParamInfo& info, ComputeType type,
                   const kernels::Kernels& kernels, ThreadPool& pool) {
  Weight weight;
  const MatrixShape shape = matrix_shape(info);  // [n, k], or [n, k, 1, 1] of conv_mlp
  if (shape.n > 0) weight.type = type;
  if (info.role == Role::kEmbedding) {
    weight.table = t;
  } else if (info.role == Role::kConv) {
    is_depthwise(t.shape) ? pack_depthwise(weight, t) : pack_convolution(weight, t, kernels, pool);
  } else if (info.role == Role::kLinear && is_transposed(info.name)) {
    pack_transposed(weight, t, kernels, pool);
  } else if (info.role == Role::kLinear) {
    pack_matrix(
        weight, shape.n, shape.k, kernels, pool,
        [&](int64_t begin, int64_t rows, float* out) { copy_rows(t, begin, rows, shape.k, out); });
  } else {
    weights::copy_as_f32(t, allocate(weight, t.numel()));
  }
  return weight;
}

void fold_batch_norms(model::ClipParams<Tensor>& tensors) {
  auto* resnet = std::get_if<model::ResNetParams<Tensor>>(&tensors.vision);
  if (resnet == nullptr) return;
  for (auto& conv : resnet->stem) fold_batch_norm(conv);
  for (auto& layer : resnet->layers) {
    for (auto& block : layer) {
      fold_batch_norm(block.conv1);
      fold_batch_norm(block.conv2);
      fold_batch_norm(block.conv3);
      if (!block.downsample.weight.shape.empty()) fold_batch_norm(block.downsample);
    }
  }
}

Params pack(const model::ClipConfig& config, model::ClipParams<Tensor> tensors,
            const LayerTypes& types, const kernels::Kernels& kernels, ThreadPool& pool) {
  fold_batch_norms(tensors);
  std::vector<Tensor> sources;  // in visiting order, which is the same for both trees
  model::visit(tensors, config,
               [&](Tensor& t, const model::ParamInfo&) { sources.push_back(std::move(t)); });
  auto params = model::make_params<Weight>(config);
  size_t next = 0;
  model::visit(params, config, [&](Weight& weight, const model::ParamInfo& info) {
    const Tensor source = std::move(sources[next++]);
    if (info.role == Role::kStatistic) return;
    weight = pack_weight(source, info, layer_type(types, info.name), kernels, pool);
  });
  return params;
}

}  // namespace clipnext::infer
