// What a forward pass depends on besides parameters and data.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"

namespace clipnext::train {

class Group;

/// Shows an intermediate result by the name that infer's trace and the reference's modules have;
/// maps are [n, h, w, c].
using Trace = std::function<void(const std::string& name, const at::Tensor& value)>;

/// The default is evaluation in the parameters' own type.
struct Mode {
  bool training = false;  // drop path, dropouts, batch statistics
  bool checkpoint =
      false;  // gradient checkpointing: a block's inside is computed again in backward
  bool freeze_batch_norm = false;     // running statistics also in training, and unchanged
  Group* batch_norm_group = nullptr;  // whose samples make batch statistics; null: one's own
  std::optional<at::ScalarType> autocast = std::nullopt;  // bfloat16 or float16
  /// The stream that all random masks of this pass are drawn from; training gives each pass one of
  /// its own: pass_key.
  uint64_t random = 0;
  Trace trace = nullptr;  // whole last blocks are computed, not only pooled rows
};

/// The key of pass `pass` (0 unless batches are accumulated) of a step on a rank.
constexpr uint64_t pass_key(uint64_t seed, int64_t rank, int64_t step, int64_t pass = 0) {
  constexpr uint64_t kForward = 0x666f7277617264;  // what the stream is for
  uint64_t key = random_key(seed, kForward);
  for (const int64_t number : {rank, step, pass})
    key = random_key(key, static_cast<uint64_t>(number));
  return key;
}

/// What a mask is for.
enum class Mask : uint64_t { kDropPath = 1, kHeadDropout = 2, kPatchDropout = 3 };

/// The stream of one mask: of the block or layer `index`.
constexpr uint64_t mask_key(const Mode& mode, Mask purpose, int64_t index = 0) {
  return random_key(random_key(mode.random, static_cast<uint64_t>(purpose)),
                    static_cast<uint64_t>(index));
}

/// Each element 0 with probability `rate`, else 1 / (1 - rate); of like's type, on its device.
/// Drawn on the CPU, so that every device has the same. Undefined outside training and for rate 0.
at::Tensor keep_mask(const Mode& mode, Mask purpose, int64_t index, double rate,
                     at::IntArrayRef shape, const at::Tensor& like);

/// Which of n rows' `count` patches each keeps: i64 [n, kept], increasing along a row; kept as in
/// open_clip, max(1, int(count * (1 - rate))).
at::Tensor kept_patches(const Mode& mode, double rate, int64_t n, int64_t count, at::Device device);

/// Drop path of each of a trunk's blocks: timm's float32 linspace from 0 to `last`.
std::vector<double> drop_path_rates(double last, int64_t blocks);

/// Autocast on one kind of device while this lives, as Python's torch.autocast: nothing without a
/// type. Casts of parameters are kept until the outermost ends.
class Autocast {
 public:
  Autocast(at::Device device, std::optional<at::ScalarType> type);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  at::DeviceType device_;
  bool active_;
  bool enabled_before_ = false;
  at::ScalarType type_before_ = at::kFloat;
};

/// Whether a kind of device is under autocast, and to which type.
std::optional<at::ScalarType> current_autocast(at::Device device);

}  // namespace clipnext::train
