// Zero-shot classification on plain vectors, for comparing two models' answers.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/kernels.h"

namespace clipnext::infer {

/// A prediction and how far, in cosine, it is ahead of the second.
struct Guess {
  int64_t label = 0;
  float margin = 0;
};

/// Of each image, images [n, dim] unit vectors, the class whose prompts' mean is nearest; prompts
/// [classes * templates, dim] unit vectors, class by class.
std::vector<Guess> guess(const kernels::Kernels& kernels, std::span<const float> images,
                         std::span<const float> prompts, int64_t templates, int64_t dim);

/// Share of the guesses that are these labels.
double accuracy(std::span<const Guess> guesses, std::span<const int64_t> labels);

}  // namespace clipnext::infer
