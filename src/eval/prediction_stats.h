// What a file of predictions says about a model: classes it knows, pairs it takes for each other,
// how far its probabilities can be believed, and where it is most surely wrong.
#pragma once

#include <cstdint>
#include <vector>

#include "eval/predictions.h"
#include "page/svg_chart.h"

namespace clipnext::eval {

/// Whether the first guess is a right one.
bool is_right(const PredictedImage& image);

struct ClassAccuracy {
  int64_t label = 0;
  int64_t images = 0;
  int64_t right = 0;
};

struct Confusion {
  int64_t label = 0, guess = 0;
  std::vector<size_t> images;  // into Predictions::images, surest first
};

struct PredictionStats {
  int64_t right = 0;
  std::vector<ClassAccuracy> classes;  // that occur, least accurate first; single-label sets only
  std::vector<Confusion> confusions;   // most frequent first; single-label sets only
  std::vector<page::Bin> bins;         // by probability, of equal width
  double calibration_error = 0;        // expected, over the bins (Guo et al., arXiv:1706.04599)
  std::vector<size_t> hardest;         // wrong ones, surest first
};

/// `most_confusions` and `most_hardest` bound the lists.
PredictionStats prediction_stats(const Predictions& predictions, size_t most_confusions,
                                 size_t most_hardest);

}  // namespace clipnext::eval
