// Packed files for people: which types their matrices have, and what was measured of them.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/json.h"
#include "infer/packed_file.h"

namespace clipnext::cli {

/// How many matrices are computed in each type: {"bf16": 12, "int8": 120}.
std::map<std::string, int64_t> count_types(const model::ClipConfig& config, infer::Params& params);

/// "120 int8, 12 bf16".
std::string format_counts(const std::map<std::string, int64_t>& counts);

/// The calibration in a few lines, each ended.
std::string calibration_lines(const infer::CalibrationRecord& record);

}  // namespace clipnext::cli
