#include "infer/compute_type.h"

#include "base/error.h"
#include "infer/pack.h"
#include "model/params.h"

namespace clipnext::infer {
namespace {

// Fewer inputs than this are too few to win anything in 8 bits.
constexpr int64_t kFewInputs = 64;

/// A product of a block: not the stem, the adapter head or a projection.
bool is_inside(const model::ParamInfo& info) {
  const auto in = [&](std::string_view part) { return info.name.find(part) != std::string::npos; };
  return in(".blocks.") || in(".resblocks.") || in(".downsample.") || in("visual.layer");
}

}  // namespace

const char* compute_type_name(ComputeType type) {
  switch (type) {
    case ComputeType::kFp32:
      return "fp32";
    case ComputeType::kBf16:
      return "bf16";
    case ComputeType::kInt8:
      return "int8";
  }
  return "";
}

std::optional<ComputeType> parse_compute_type(std::string_view name) {
  if (name == "auto") return std::nullopt;
  for (const auto type : {ComputeType::kFp32, ComputeType::kBf16, ComputeType::kInt8}) {
    if (name == compute_type_name(type)) return type;
  }
  fail("'", name, "' is no type to compute in; there are auto, fp32, bf16 and int8");
}

LayerTypes choose_types(const model::ClipConfig& config, ComputeType type) {
  LayerTypes types;
  for (const model::ParamInfo& info : model::list_params(config)) {
    const MatrixShape shape = matrix_shape(info);
    if (shape.n == 0) continue;
    const bool narrow = is_inside(info) && shape.k >= kFewInputs;
    types[info.name] = type == ComputeType::kInt8 && !narrow ? ComputeType::kBf16 : type;
  }
  return types;
}

ComputeType layer_type(const LayerTypes& types, std::string_view name) {
  const auto found = types.find(name);
  return found == types.end() ? ComputeType::kFp32 : found->second;
}

}  // namespace clipnext::infer
