// The published weights that open_clip knows by tag, for listing and for advice.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace clipnext::model {

/// One entry of configs/pretrained.json.
struct PretrainedTag {
  std::string config;       // "ViT-B-32"
  std::string tag;          // "laion2b_s34b_b79k"
  std::string repo;         // Hugging Face repository, "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
  bool quick_gelu = false;  // trained with QuickGELU: right only with the -quickgelu config
  Json preprocess;          // preprocess_cfg members that differ from the defaults, {} for most
};

/// Every tag of the configs inside the program, configs in natural order.
const std::vector<PretrainedTag>& pretrained_tags();

/// Tags compare as open_clip compares them: lower case, '-' as '_'. Null if there is none.
const PretrainedTag* find_pretrained(std::string_view config, std::string_view tag);

}  // namespace clipnext::model
