// What the towers of reference.h are made of: values in double, weights converted where used.
#pragma once

#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/ref/ref.h"
#include "model/params.h"
#include "weights/tensor.h"

namespace clipnext::infer::reference {

using kernels::Act;
using weights::Tensor;
using Doubles = std::vector<double>;

/// One picture's map [h, w, c], or rows [h, c] with w = 1.
struct Map {
  int64_t h = 0, w = 1, c = 0;
  Doubles values;

  int64_t rows() const { return h * w; }
};

Doubles to_doubles(const Tensor& tensor);

/// Normalised pixels, each the float32 that the reference model is given.
Map normalize_pixels(const image::PreprocessConfig& config, const uint8_t* pixels, int64_t h,
                     int64_t w);

/// act(x wᵀ + bias) per row; w [n, k] or [n, k, 1, 1]; bias may be empty.
Map linear(ThreadPool& pool, const Map& x, const Tensor& w, const Tensor& bias,
           Act act = Act::kNone);
/// x w, w [k, n].
Map multiply(ThreadPool& pool, const Map& x, const Tensor& w);
/// w [n, c, size, size], bias may be empty.
Map convolve(ThreadPool& pool, const Map& x, const Tensor& w, const Tensor& bias, int64_t stride,
             int64_t padding);
/// w [c, 1, 7, 7].
Map convolve_depthwise(ThreadPool& pool, const Map& x, const Tensor& w, const Tensor& bias);
Map layer_norm(const Map& x, const model::Norm<Tensor>& norm, double eps);
/// Mean over all positions.
Map mean(const Map& x);
/// x += y * scale per channel; scale may be empty.
void add(Map& x, const Map& y, const Tensor& scale = {});

/// softmax(q kᵀ / sqrt(d)) v per head; q, k, v [t, c].
Map attention(ThreadPool& pool, const Map& q, const Map& k, const Map& v, int64_t heads,
              bool causal);
/// Pre-norm blocks over x [t, width].
void transform(ThreadPool& pool, Map& x, const std::vector<model::TransformerBlock<Tensor>>& blocks,
               int64_t heads, model::Activation activation, bool causal);

Map embed_convnext(ThreadPool& pool, const model::ConvNextConfig& config,
                   const model::ConvNextParams<Tensor>& params, const Map& pixels);
Map embed_vit(ThreadPool& pool, const model::VitConfig& config,
              const model::VitParams<Tensor>& params, const Map& pixels);
Map embed_resnet(ThreadPool& pool, const model::ResNetConfig& config,
                 const model::ResNetParams<Tensor>& params, const Map& pixels);

}  // namespace clipnext::infer::reference
