#include "train/mode.h"

#include <ATen/autocast_mode.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "train/device.h"

namespace clipnext::train {

at::Tensor keep_mask(const Mode& mode, Mask purpose, int64_t index, double rate,
                     at::IntArrayRef shape, const at::Tensor& like) {
  if (!mode.training || rate <= 0) return {};
  at::Tensor mask = at::empty(shape, at::kFloat);
  RandomStream random(mask_key(mode, purpose, index));
  const auto kept = static_cast<float>(1 / (1 - rate));
  float* out = mask.data_ptr<float>();
  for (int64_t i = 0; i < mask.numel(); ++i) out[i] = random.unit() < rate ? 0.0f : kept;
  return send(mask.to(like.scalar_type()), like.device());
}

at::Tensor kept_patches(const Mode& mode, double rate, int64_t n, int64_t count,
                        at::Device device) {
  const auto kept =
      std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(count) * (1 - rate)));
  at::Tensor indices = at::empty({n, kept}, at::kLong);
  RandomStream random(mask_key(mode, Mask::kPatchDropout));
  std::vector<int64_t> order(static_cast<size_t>(count));
  for (int64_t i = 0; i < n; ++i) {
    std::iota(order.begin(), order.end(), int64_t{0});
    for (int64_t j = 0; j < kept; ++j) {  // Fisher and Yates, as far as needed
      std::swap(order[static_cast<size_t>(j)],
                order[static_cast<size_t>(j + random.below(count - j))]);
    }
    std::sort(order.begin(), order.begin() + kept);
    std::copy_n(order.begin(), kept, indices.data_ptr<int64_t>() + i * kept);
  }
  return send(indices, device);
}

std::vector<double> drop_path_rates(double last, int64_t blocks) {
  const at::Tensor rates = at::linspace(0, last, blocks, at::kFloat);
  const float* begin = rates.const_data_ptr<float>();
  return {begin, begin + blocks};
}

Autocast::Autocast(at::Device device, std::optional<at::ScalarType> type)
    : device_(device.type()), active_(type.has_value()) {
  if (!active_) return;
  enabled_before_ = at::autocast::is_autocast_enabled(device_);
  type_before_ = at::autocast::get_autocast_dtype(device_);
  at::autocast::set_autocast_enabled(device_, true);
  at::autocast::set_autocast_dtype(device_, *type);
  at::autocast::increment_nesting();
}

Autocast::~Autocast() {
  if (!active_) return;
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(device_, enabled_before_);
  at::autocast::set_autocast_dtype(device_, type_before_);
}

std::optional<at::ScalarType> current_autocast(at::Device device) {
  if (!at::autocast::is_autocast_enabled(device.type())) return std::nullopt;
  return at::autocast::get_autocast_dtype(device.type());
}

}  // namespace clipnext::train
