// The model that another is distilled from.
#pragma once

#include <ATen/ATen.h>

#include <optional>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/embedder.h"
#include "run/options.h"
#include "train/loss.h"
#include "train/params.h"
#include "train/setup.h"

namespace clipnext::train {

/// A model whose features guide a student's. It sees the student's batches (its pictures as they
/// were cropped and normalised, its tokens), always evaluates, and is never changed.
struct Teacher {
  model::ClipConfig config;
  Params params;

  /// Of a batch: normalised pixels [n, h, w, 3] and n token rows.
  TeacherFeatures features(const at::Tensor& pixels, const model::TokenRows& tokens,
                           std::optional<at::ScalarType> autocast) const;
};

/// --distill-model with the weights of --distill-pretrained, in the precision of the run; nothing
/// without these options. Throws Error where the student's batches do not suit it; what looks wrong
/// is in `notes`.
std::optional<Teacher> open_teacher(const run::TrainOptions& options,
                                    const model::ClipConfig& student, const Precision& precision,
                                    at::Device device, std::vector<std::string>& notes);

}  // namespace clipnext::train
