// The types that products are computed in.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "model/config.h"

namespace clipnext::infer {

/// Of a matrix: what its values and the activations they meet are rounded to. Sums, the residual
/// stream, norms and attention are fp32 in all of them. kInt8: 8-bit weights, a scale for each
/// output; activations in 8 bits, a range for each row.
enum class ComputeType : uint8_t { kFp32, kBf16, kInt8 };

/// "fp32", "bf16", "int8".
const char* compute_type_name(ComputeType type);

/// From the same; nothing for "auto". Throws Error for other names.
std::optional<ComputeType> parse_compute_type(std::string_view name);

/// The type of each matrix, by the name of its parameter; fp32 for those that are not there.
using LayerTypes = std::map<std::string, ComputeType, std::less<>>;

/// The types of a model computed in `type`, without looking at its values; the same on every
/// processor. kInt8: the large products in the blocks of both towers; the stem, the head and what
/// has few inputs are in bf16, which no processor computes slower than fp32.
LayerTypes choose_types(const model::ClipConfig& config, ComputeType type);

/// What `types` says of `name`.
ComputeType layer_type(const LayerTypes& types, std::string_view name);

}  // namespace clipnext::infer
