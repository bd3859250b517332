#include "model/param_groups.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "model/param_order.h"

namespace clipnext::model {
namespace {

bool is_image(std::string_view name) { return name.starts_with("visual."); }
bool has_tower(const ParamInfo& info) { return info.role != Role::kLogitScale; }
bool contains(std::string_view name, std::string_view part) {
  return name.find(part) != std::string_view::npos;
}

bool escapes_decay(const ClipConfig& config, const ParamInfo& info, DecayRule rule) {
  const std::string& name = info.name;
  if (info.shape.size() < 2) return true;
  if (rule == DecayRule::kByName) {
    return contains(name, "bn") || contains(name, "ln") || contains(name, "bias") ||
           contains(name, "logit_scale");
  }
  // A class embedding has one dimension.
  return name == "positional_embedding" || (std::holds_alternative<VitConfig>(config.vision) &&
                                            name == "visual.positional_embedding");
}

// ParamInfo::depth, but for what timm's ConvNeXt groups otherwise: a norm before the pooling goes
// with the last block, a classifier of the trunk's own with the norm before it.
int group_depth(const ParamInfo& info) {
  const std::string_view name = info.name;
  const bool early =
      name.starts_with("visual.trunk.norm_pre.") || name.starts_with("visual.trunk.head.fc.");
  return early ? info.depth - 1 : info.depth;
}

int last_group(const std::map<std::string, int, std::less<>>& groups, const auto& chosen) {
  int last = -1;
  for (const auto& [name, group] : groups) {
    if (chosen(name)) last = std::max(last, group);
  }
  return last;
}

}  // namespace

std::array<std::vector<ParamInfo>, 2> decay_groups(const ClipConfig& config,
                                                   const std::vector<ParamInfo>& params,
                                                   DecayRule rule) {
  std::array<std::vector<ParamInfo>, 2> groups;
  for (const ParamInfo& info : params) {
    groups[escapes_decay(config, info, rule) ? 0 : 1].push_back(info);
  }
  return groups;
}

std::map<std::string, int, std::less<>> layer_groups(const ClipConfig& config) {
  std::map<std::string, int, std::less<>> groups;
  std::map<bool, std::map<int, int>> ranks;  // of each tower: its depths, numbered
  const std::vector<ParamInfo> params = ordered_params(config);
  for (const ParamInfo& info : params) {
    if (has_tower(info)) ranks[is_image(info.name)][group_depth(info)] = 0;
  }
  for (auto& [image, depths] : ranks) {
    int next = 0;
    for (auto& [depth, rank] : depths) rank = next++;
  }
  for (const ParamInfo& info : params) {
    if (has_tower(info)) groups[info.name] = ranks[is_image(info.name)][group_depth(info)];
  }
  return groups;
}

std::vector<ParamInfo> trained_params(const ClipConfig& config, const Locking& locking) {
  require(locking.image_unlocked_groups >= 0 && locking.text_unlocked_groups >= 0,
          "the number of unlocked groups is below 0");
  require(!locking.image || locking.image_unlocked_groups == 0 ||
              !std::holds_alternative<ResNetConfig>(config.vision),
          config.name,
          ": a ModifiedResNet is locked whole or not at all; leave out "
          "--lock-image-unlocked-groups");
  const auto groups = layer_groups(config);
  const bool free_head =
      locking.head == HeadLock::kFree && std::holds_alternative<ConvNextConfig>(config.vision);
  const auto in_image = [&](std::string_view name) {
    return is_image(name) && !(free_head && name.starts_with("visual.head."));
  };
  const auto in_text = [](std::string_view name) { return !is_image(name); };
  const int64_t image_last = last_group(groups, in_image) - locking.image_unlocked_groups;
  const int64_t text_last = last_group(groups, in_text) - locking.text_unlocked_groups;

  std::vector<ParamInfo> params = ordered_params(config);
  std::erase_if(params, [&](const ParamInfo& info) {
    if (!has_tower(info)) return false;
    const int group = groups.at(info.name);
    return is_image(info.name) ? locking.image && in_image(info.name) && group <= image_last
                               : locking.text && group <= text_last;
  });
  return params;
}

std::map<std::string, double, std::less<>> layer_lr_scales(const ClipConfig& config,
                                                           double image_decay, double text_decay) {
  for (const double decay : {image_decay, text_decay}) {
    require(decay > 0 && decay <= 1, "layer decay is ", decay, ", expected above 0 and at most 1");
  }
  const auto groups = layer_groups(config);
  const int image_last = last_group(groups, is_image);
  const int text_last = last_group(groups, [](std::string_view name) { return !is_image(name); });
  std::map<std::string, double, std::less<>> scales;
  for (const auto& [name, group] : groups) {
    scales[name] = is_image(name) ? std::pow(image_decay, image_last - group)
                                  : std::pow(text_decay, text_last - group);
  }
  return scales;
}

}  // namespace clipnext::model
