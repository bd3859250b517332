#include "infer/compute_type.h"

#include "base/error.h"

namespace clipnext::infer {

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

ComputeType layer_type(const LayerTypes& types, std::string_view name) {
  const auto found = types.find(name);
  return found == types.end() ? ComputeType::kFp32 : found->second;
}

}  // namespace clipnext::infer
