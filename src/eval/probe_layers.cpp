// Scores are computed transposed, classes by samples: then the weights, which change at every step,
// are the operand that needs no packing, the errors come out as the gradient's product wants them,
// and softmax runs over whole rows of samples.
#include "eval/probe_layers.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "base/checked.h"
#include "base/error.h"
#include "base/random.h"

namespace clipnext::eval {
namespace {

constexpr int64_t kBlock = kernels::kPackedColumns;  // samples of one forward task

// exp(x) for x <= 0 within 2e-7 of itself: Cephes' expf, which unlike the library's is the same
// everywhere and runs in vectors. Below -60 it stays at 9e-27, which adds nothing to a sum of at
// least 1 and is nothing beside AdamW's eps, so that no subnormal numbers slow the products.
inline float exp_of(float x) {
  x = x > -60.0f ? x : -60.0f;
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number
  const float shifted = x * 1.44269504088896341f + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const float mantissa = p * r * r + r + 1.0f;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(mantissa) +
                              (std::bit_cast<uint32_t>(shifted) << 23));
}

}  // namespace

ProbeLayers::ProbeLayers(int64_t layers, int64_t layer_classes, int64_t layer_dim)
    : count(layers),
      classes(layer_classes),
      dim(layer_dim),
      weights(static_cast<size_t>(
          checked_mul(checked_mul(layers, layer_classes, "layers"), layer_dim, "layers"))),
      biases(static_cast<size_t>(layers * layer_classes)) {}

LinearClasses ProbeLayers::layer(int64_t i) const {
  return {.weights = {weights.data() + i * classes * dim, static_cast<size_t>(classes * dim)},
          .bias = {biases.data() + i * classes, static_cast<size_t>(classes)},
          .dim = dim};
}

bool ProbeLayers::converged(int64_t i) const {
  const LinearClasses one = layer(i);
  const auto sane = [](float v) { return std::abs(v) < 1e15f; };
  return std::all_of(one.weights.begin(), one.weights.end(), sane) &&
         std::all_of(one.bias.begin(), one.bias.end(), sane);
}

void init_layers(ProbeLayers& layers, uint64_t seed) {
  const uint64_t stream = stream_seed(seed, RandomStream::kInit);
  const double bound = 1 / std::sqrt(static_cast<double>(layers.dim));
  const auto weights = static_cast<size_t>(layers.classes * layers.dim);
  const auto classes = static_cast<size_t>(layers.classes);
  const auto value = [&](size_t i) {
    return static_cast<float>(bound * (2 * random_unit(stream, i) - 1));
  };
  for (size_t i = 0; i < weights; ++i) layers.weights[i] = value(i);
  for (size_t i = 0; i < classes; ++i) layers.biases[i] = value(weights + i);
  for (size_t l = 1; l < static_cast<size_t>(layers.count); ++l) {
    std::copy_n(layers.weights.data(), weights, layers.weights.data() + l * weights);
    std::copy_n(layers.biases.data(), classes, layers.biases.data() + l * classes);
  }
}

void ProbeBatch::gather(const SamplePool& samples, std::span<const int64_t> ids) {
  count_ = static_cast<int64_t>(ids.size());
  dim_ = samples.dim;
  labels_.resize(ids.size());
  rows_.ensure(kernels::packed_columns(count_) * dim_);
  columns_.ensure(kernels::packed_columns(dim_) * count_);
  pool_.parallel_for((count_ + kBlock - 1) / kBlock,
                     [&](int64_t block) { gather_panel(samples, ids, block * kBlock); });
}

void ProbeBatch::gather_panel(const SamplePool& samples, std::span<const int64_t> ids,
                              int64_t begin) {
  const int64_t end = std::min(count_, begin + kBlock);
  ScratchPool::Lease gathered(scratch_, kBlock * dim_);
  const int64_t padded = kernels::packed_columns(dim_);
  for (int64_t b = begin; b < end; ++b) {
    const int64_t id = ids[static_cast<size_t>(b)];
    labels_[static_cast<size_t>(b)] = samples.label(id);
    const float* from = samples.features(id);
    std::copy_n(from, dim_, gathered.data() + (b - begin) * dim_);
    // Row b of each panel of the transpose is 16 neighbouring features of sample b.
    for (int64_t d = 0; d < padded; d += kPanel) {
      float* to = columns_.data() + d * count_ + b * kPanel;
      const int64_t there = std::clamp<int64_t>(dim_ - d, 0, kPanel);
      std::copy_n(from + std::min(d, dim_), there, to);
      std::fill(to + there, to + kPanel, 0.0f);
    }
  }
  kernels::kernels().pack_f32(gathered.data(), dim_, end - begin, dim_,
                              rows_.data() + begin * dim_);
}

void ProbeBatch::forward(const ProbeLayers& layers, double divisor, double* losses) {
  errors_.ensure(checked_mul(layers.count * layers.classes, count_, "scores"));
  const int64_t blocks = (count_ + kBlock - 1) / kBlock;
  pool_.parallel_for(layers.count * blocks, [&](int64_t task) {
    const int64_t layer = task / blocks;
    forward_block(layers, layer, task % blocks * kBlock, divisor, layer == 0 ? losses : nullptr);
  });
}

void ProbeBatch::forward_block(const ProbeLayers& layers, int64_t layer, int64_t begin,
                               double divisor, double* losses) {
  const int64_t n = std::min(kBlock, count_ - begin);
  const LinearClasses linear = layers.layer(layer);
  float* errors = errors_.data() + layer * layers.classes * count_ + begin;
  kernels::kernels().gemm_f32(linear.weights.data(), dim_, rows_.data() + begin * dim_,
                              layers.classes, n, dim_, {}, errors, count_);
  float most[kBlock], sum[kBlock] = {}, own[kBlock];
  std::fill_n(most, kBlock, -INFINITY);
  for (int64_t c = 0; c < layers.classes; ++c) {
    float* row = errors + c * count_;
    const float bias = linear.bias[static_cast<size_t>(c)];
    for (int64_t b = 0; b < n; ++b) {
      row[b] += bias;
      most[b] = row[b] > most[b] ? row[b] : most[b];
    }
  }
  for (int64_t b = 0; b < n; ++b) {
    own[b] = errors[labels_[static_cast<size_t>(begin + b)] * count_ + b];
  }
  for (int64_t c = 0; c < layers.classes; ++c) {
    float* row = errors + c * count_;
    for (int64_t b = 0; b < n; ++b) {
      row[b] = exp_of(row[b] - most[b]);
      sum[b] += row[b];
    }
  }
  const auto share = static_cast<float>(1 / divisor);
  float scale[kBlock];
  for (int64_t b = 0; b < n; ++b) scale[b] = share / sum[b];
  for (int64_t c = 0; c < layers.classes; ++c) {
    float* row = errors + c * count_;
    for (int64_t b = 0; b < n; ++b) row[b] *= scale[b];
  }
  for (int64_t b = 0; b < n; ++b) {
    errors[labels_[static_cast<size_t>(begin + b)] * count_ + b] -= share;
    if (losses == nullptr) continue;
    losses[begin + b] =
        std::log(static_cast<double>(sum[b])) + (static_cast<double>(most[b]) - own[b]);
  }
}

}  // namespace clipnext::eval
