#include "model/synthetic.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "model/params.h"

namespace clipnext::model {
namespace {

/// Values lie in [centre - spread, centre + spread).
struct Range {
  double centre, spread;
};

Range range_of(std::string_view name, const weights::Shape& shape) {
  double numel = 1;
  for (const int64_t side : shape) numel *= static_cast<double>(side);
  if (name == "logit_scale") return {4.5, 0};
  if (name.ends_with("running_var")) return {1, 0.25};
  if (name.ends_with("running_mean")) return {0, 0.1};
  if (name.ends_with("gamma")) return {0.5, 0.25};
  if (name.ends_with("positional_embedding") || name.ends_with("class_embedding")) return {0, 0.1};
  if (name.ends_with("token_embedding.weight")) return {0, 0.5};
  if (shape.size() == 1) return name.ends_with("bias") ? Range{0, 0.1} : Range{1, 0.25};
  if (shape.empty()) return {0, 0.1};
  const auto rows = static_cast<double>(shape[0]);
  if (name.ends_with("text_projection") || name.ends_with("visual.proj")) {
    return {0, std::sqrt(3.0 / rows)};
  }
  return {0, std::sqrt(3.0 * rows / numel)};
}

}  // namespace

uint64_t hash_name(std::string_view name) {
  uint64_t hash = 14695981039346656037u;
  for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211u;
  return hash;
}

weights::Tensor synthetic_tensor(const std::string& name, const weights::Shape& shape,
                                 ThreadPool& pool) {
  const Range range = range_of(name, shape);
  size_t numel = 1;
  for (const int64_t side : shape) numel *= static_cast<size_t>(side);
  auto [tensor, bytes] = weights::allocate_tensor(weights::DType::kF32, shape);
  auto* const values = reinterpret_cast<float*>(bytes.data());
  const uint64_t seed = hash_name(name);
  constexpr size_t kChunk = 65536;
  pool.parallel_for(static_cast<int64_t>((numel + kChunk - 1) / kChunk), [=](int64_t chunk) {
    const size_t begin = static_cast<size_t>(chunk) * kChunk;
    for (size_t i = begin; i < std::min(numel, begin + kChunk); ++i) {
      values[i] = static_cast<float>(range.centre + range.spread * (2 * random_unit(seed, i) - 1));
    }
  });
  return tensor;
}

weights::TensorMap synthetic_weights(const ClipConfig& config, ThreadPool& pool) {
  weights::TensorMap tensors;
  for (const ParamInfo& info : list_params(config)) {
    tensors.emplace(info.name, synthetic_tensor(info.name, info.shape, pool));
  }
  return tensors;
}

std::vector<uint8_t> synthetic_picture(int64_t h, int64_t w, int64_t shift) {
  std::vector<uint8_t> pixels;
  pixels.reserve(static_cast<size_t>(h * w * 3));
  for (int64_t y = 0; y < h; ++y) {
    for (int64_t x = 0; x < w; ++x) {
      for (int64_t c = 0; c < 3; ++c) {
        const int64_t value = 37 * c + 17 * y + 29 * x + (x * y) % 251 + 41 * shift;
        pixels.push_back(static_cast<uint8_t>(value % 256));
      }
    }
  }
  return pixels;
}

}  // namespace clipnext::model
