#include "infer/smooth.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

namespace clipnext::infer {
namespace {

using weights::Tensor;

constexpr std::string_view kGain = ".weight";

/// "ln_1" of "ln_1.weight".
std::string norm_name(const std::string& gain) {
  return gain.substr(0, gain.size() - std::min(gain.size(), kGain.size()));
}

void add_sizes(const float* x, const weights::Shape& shape, std::vector<float>& sizes) {
  const auto c = static_cast<size_t>(shape.back());
  sizes.resize(c);
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
  for (int64_t row = 0; row < rows; ++row, x += c) {
    for (size_t j = 0; j < c; ++j) sizes[j] = std::max(sizes[j], std::abs(x[j]));
  }
}

Trace size_trace(const model::ClipConfig& config, ChannelSizes& sizes) {
  return [norms = norm_names(config), &sizes](const std::string& name, const float* x,
                                              const weights::Shape& shape) {
    if (norms.contains(name)) add_sizes(x, shape, sizes[name]);
  };
}

/// Largest weight of each input channel of w [n, c, taps].
std::vector<float> weight_sizes(const std::vector<float>& w, size_t c, size_t taps) {
  std::vector<float> sizes(c);
  for (size_t i = 0; i < w.size(); ++i) {
    float& size = sizes[i / taps % c];
    size = std::max(size, std::abs(w[i]));
  }
  return sizes;
}

/// A power of two for each channel, by which its activations are divided.
std::vector<float> factors(const std::vector<float>& activations, const std::vector<float>& w) {
  std::vector<int> exponents(w.size());
  for (size_t j = 0; j < w.size(); ++j) {
    const double ratio = double{activations[j]} / double{w[j]};
    const bool usable = activations[j] > 0 && w[j] > 0 && std::isfinite(ratio);
    exponents[j] = usable ? static_cast<int>(std::lround(0.5 * std::log2(ratio))) : 0;
  }
  std::vector<int> sorted = exponents;
  const auto middle = sorted.begin() + static_cast<int64_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  std::vector<float> result(exponents.size());
  std::transform(exponents.begin(), exponents.end(), result.begin(),
                 [&](int e) { return std::ldexp(1.0F, e - *middle); });
  return result;
}

/// A norm and what it gives.
struct Source {
  std::string name;
  Tensor* gain = nullptr;
  Tensor* bias = nullptr;
  const std::vector<float>* sizes = nullptr;
};

void divide(Tensor& vector, const std::vector<float>& by) {
  std::vector<float> values = weights::to_f32(vector);
  for (size_t j = 0; j < values.size(); ++j) values[j] /= by[j];
  vector = weights::make_tensor(vector.shape, values);
}

/// weight [n, c] or [n, c, taps...].
void move_scale(const Source& source, Tensor& weight) {
  const auto c = static_cast<size_t>(weight.shape[1]);
  std::vector<float> w = weights::to_f32(weight);
  const size_t taps = w.size() / static_cast<size_t>(weight.shape[0]) / c;
  const std::vector<float> by = factors(*source.sizes, weight_sizes(w, c, taps));
  if (std::all_of(by.begin(), by.end(), [](float f) { return f == 1.0F; })) return;
  for (size_t i = 0; i < w.size(); ++i) w[i] *= by[i / taps % c];
  weight = weights::make_tensor(weight.shape, w);
  divide(*source.gain, by);
  divide(*source.bias, by);
}

}  // namespace

std::set<std::string> norm_names(const model::ClipConfig& config) {
  std::set<std::string> names;
  for (const model::ParamInfo& info : model::list_params(config)) {
    if (info.role == model::Role::kNorm) names.insert(norm_name(info.name));
  }
  return names;
}

void add_channels(Clip& clip, const model::PixelBatch& images, ChannelSizes& sizes) {
  std::vector<float> out(static_cast<size_t>(images.n * clip.config().embed_dim));
  clip.trace_images(images, out.data(), size_trace(clip.config(), sizes));
}

void add_channels(Clip& clip, std::span<const int32_t> text, ChannelSizes& sizes) {
  std::vector<float> out(static_cast<size_t>(clip.config().embed_dim));
  clip.trace_texts({&text, 1}, out.data(), size_trace(clip.config(), sizes));
}

void smooth(const model::ClipConfig& config, const ChannelSizes& sizes, const LayerTypes& types,
            model::ClipParams<Tensor>& tensors) {
  Source source;  // the norm whose result the next matrix reads, if it is known
  model::visit(tensors, config, [&](Tensor& tensor, const model::ParamInfo& info) {
    if (info.role == model::Role::kNorm) {
      source = {.name = norm_name(info.name), .gain = &tensor};
      const auto found = sizes.find(source.name);
      if (found != sizes.end()) source.sizes = &found->second;
    } else if (info.role == model::Role::kBias && info.name == source.name + ".bias") {
      source.bias = &tensor;
    } else if (matrix_shape(info).n > 0) {
      const bool known = source.sizes != nullptr && source.bias != nullptr &&
                         static_cast<int64_t>(source.sizes->size()) == info.shape[1];
      if (known && layer_type(types, info.name) == ComputeType::kInt8) move_scale(source, tensor);
      source = {};
    }
  });
}

}  // namespace clipnext::infer
