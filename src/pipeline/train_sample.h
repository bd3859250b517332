// One raw sample to what the towers are trained on.
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "data/sample_source.h"
#include "pipeline/train_loader.h"
#include "text/tokenizer.h"

namespace clipnext::pipeline {

/// Decodes and transforms the picture to pixels [h, w, 3] and returns the caption's tokens, start
/// and end included. A sample without a picture has a black one of the input's size. Throws Error
/// that says what is wrong with the sample, without its name.
std::vector<int32_t> prepare_sample(const data::RawSample& sample, const TrainLoaderConfig& config,
                                    const text::Tokenizer& tokenizer, RandomStream random,
                                    float* pixels);

}  // namespace clipnext::pipeline
