// Packed files: a model laid out as the kernels read it, in a safetensors container that maps and
// runs without work at start, with its configuration and what was measured of it (docs/formats.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/thread_pool.h"
#include "infer/calibrate.h"
#include "infer/pack.h"
#include "kernels/kernels.h"
#include "model/source.h"
#include "weights/tensor.h"

namespace clipnext::infer {

/// What was measured of an int8 model when it was made.
struct CalibrationRecord {
  double asked_cosine = 0;  // the contract: CalibrationOptions::min_cosine
  int64_t image_count = 0;  // measured on
  int64_t text_count = 0;
  bool smoothed = false;  // Calibration::smoothed
  Fidelity images{}, texts{};
  std::optional<Accuracy> accuracy{};
  std::vector<Widened> widened{};
};

/// What a packed file says of itself.
struct PackedInfo {
  std::string model;                      // what it was made from, as people call it
  std::string source_hash;                // hash_weights of that
  ComputeType type = ComputeType::kFp32;  // asked for; single matrices may be wider
  std::optional<CalibrationRecord> calibration{};
};

/// A hash over names, types, shapes and values.
std::string hash_weights(const weights::TensorMap& tensors, ThreadPool& pool);

/// Writes `params`, as pack made them for `model`, so that model::open_model and load_packed read
/// them. `merges`: text::Tokenizer::own_merges. `written` hears of each tensor.
void write_packed(const std::filesystem::path& path, const model::Model& model, Params& params,
                  const PackedInfo& info, std::string_view merges,
                  const std::function<void()>& written = {});

/// What a packed file says of itself; nothing of any other checkpoint. Throws Error, beginning with
/// `source`, for another version of the format and for what does not read.
std::optional<PackedInfo> read_packed_info(const weights::Checkpoint& checkpoint,
                                           const std::string& source);

/// The parameters of a packed file as views into it: nothing is copied, little of it read. Throws
/// Error that names the tensor if one is missing, unexpected, or not as the config wants it.
Params load_packed(const model::ClipConfig& config, const weights::Checkpoint& checkpoint,
                   const std::string& source);

/// As it stands in the file.
OrderedJson to_json(const CalibrationRecord& record);
OrderedJson to_json(const PackedInfo& info);

}  // namespace clipnext::infer
