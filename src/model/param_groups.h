// Which parameters are trained, with which weight decay and which share of the learning rate.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model/params.h"

namespace clipnext::model {

/// An optimizer's parameters by plain name, group by group, in the order in which it numbers them.
using ParamGroups = std::vector<std::vector<std::string>>;

/// Which parameters take no weight decay.
enum class DecayRule : uint8_t {
  /// open_clip_train 3.3.0: fewer than two dimensions, or `bn`, `ln`, `bias` or `logit_scale` in
  /// the name. Positional and token embeddings decay.
  kByName,
  /// Its timm optimizers, and its successors: one dimension at most, a name that ends in `.bias`,
  /// or one of the model's own list (positional and class embeddings of text tower and ViT).
  kByModel
};

/// The optimizer's two groups, [0] without decay and [1] with, each in the order of `params`.
std::array<std::vector<ParamInfo>, 2> decay_groups(const ClipConfig& config,
                                                   const std::vector<ParamInfo>& params,
                                                   DecayRule rule);

/// What locking the image tower does with the head behind a timm trunk.
enum class HeadLock : uint8_t {
  kFree,    // open_clip 3.3.0: the head is never locked, groups are the trunk's
  kGrouped  // its successors: the projection is the last group, as with the other towers
};

/// Freezing of whole towers (LiT, arXiv:2111.07991). The last n groups of a locked tower stay
/// trainable; groups are those of layer_groups().
struct Locking {
  bool image = false;
  int64_t image_unlocked_groups = 0;
  bool text = false;
  int64_t text_unlocked_groups = 0;
  HeadLock head = HeadLock::kFree;
};

/// The parameters that are trained, in the order of ordered_params(); the logit scale and bias
/// always are. Throws Error for a number of groups below 0, and for any but 0 of a ModifiedResNet,
/// which has no groups in the reference.
std::vector<ParamInfo> trained_params(const ClipConfig& config, const Locking& locking);

/// The group of each parameter among its tower's, counted from 0 without gaps: stem or embeddings,
/// then each block (a stage's downsampling with its first block, ln_post and ln_final with the
/// last), then what follows. The logit scale and bias belong to no tower and are left out.
std::map<std::string, int, std::less<>> layer_groups(const ClipConfig& config);

/// Layer-wise learning rates: decay^(last - group), 1 for a tower's last group, by name. A decay
/// of 1 leaves a tower as it is. Throws Error unless both are in (0, 1].
std::map<std::string, double, std::less<>> layer_lr_scales(const ClipConfig& config,
                                                           double image_decay, double text_decay);

}  // namespace clipnext::model
