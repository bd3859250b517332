// Choosing the types of an int8 model by measurement: every matrix in 8 bits but those that the
// contract on the embeddings does not bear. What is chosen does well on every processor:
// activations are measured at the fewest levels that any of them computes with. How `clipnext
// convert --dtype int8 --calibrate` calls:
//
//   CalibrationSet set{.images = pixels, .texts = tokens_of(calibration_prompts())};
//   Calibration c = calibrate(config, checkpoint.tensors, set, {.min_cosine = 0.995}, pool, name);
//
// c.params are ready to be written, and the packed file's metadata carries c.types, c.images,
// c.texts and c.accuracy.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "infer/compute_type.h"
#include "infer/pack.h"
#include "kernels/kernels.h"
#include "model/embedder.h"
#include "weights/tensor.h"

namespace clipnext::infer {

/// What a model is tried on.
struct CalibrationSet {
  model::PixelBatch images;  // as preprocessing leaves them; 64 tell much, 500 are plenty
  model::TokenRows texts;    // each an ordinary prompt, calibration_prompts() if nothing is nearer
  /// With labels: the class of each image, and the prompts of the classes, `templates` rows for
  /// each, class by class.
  std::span<const int64_t> labels;
  model::TokenRows classes;
  int64_t templates = 1;
};

/// Sentences of many kinds, for who has none of their own.
std::span<const std::string_view> calibration_prompts();

struct CalibrationOptions {
  double min_cosine = 0.995;  // of each image and text
  /// Hears how far each pass over the set, or over the matrices, has come.
  std::function<void(const std::string& pass, int64_t done, int64_t total)> progress{};
  std::function<void(const std::string& line)> report{};  // what passes found, for people
};

/// Cosines between a vector of the int8 model and the same of the fp32 model.
struct Fidelity {
  double min_cosine = 1;
  double mean_cosine = 1;
};

/// Zero-shot classification of the labelled images by both models, each with its own text tower.
struct Accuracy {
  double fp32 = 0;
  double int8 = 0;
  /// Share of equal predictions among those whose fp32 margin, first label over second, is above
  /// kClearMargin in cosine, and how many those are.
  double agreement = 1;
  int64_t clear = 0;
};
inline constexpr double kClearMargin = 0.02;

/// A matrix that choose_types has in 8 bits and the contract has not, and why.
struct Widened {
  std::string name;
  ComputeType type = ComputeType::kBf16;
  double error = 0;  // 1 - mean cosine of its tower with this matrix alone in 8 bits
};

struct Calibration {
  LayerTypes types;       // of every matrix
  Params params;          // packed in them
  bool smoothed = false;  // their channels are scaled (infer/smooth.h), as that came nearer to fp32
  std::vector<Widened> widened;
  Fidelity images, texts;
  std::optional<Accuracy> accuracy;  // with labels
};

/// Finds types for which every cosine is at least min_cosine. Throws Error if the set is empty or
/// does not fit, or if not even the widest types do it. `source` stands in messages.
Calibration calibrate(const model::ClipConfig& config, const weights::TensorMap& tensors,
                      const CalibrationSet& set, const CalibrationOptions& options,
                      ThreadPool& pool, const std::string& source = "checkpoint",
                      const kernels::Kernels& kernels = kernels::kernels());

}  // namespace clipnext::infer
