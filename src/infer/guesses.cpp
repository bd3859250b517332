#include "infer/guesses.h"

#include <algorithm>
#include <numeric>

namespace clipnext::infer {
namespace {

Guess guess_one(const float* image, const std::vector<float>& means, int64_t dim) {
  float best = -2;  // below every cosine
  float second = -2;
  Guess guess;
  const auto classes = static_cast<int64_t>(means.size()) / dim;
  for (int64_t j = 0; j < classes; ++j) {
    const float cosine = std::inner_product(image, image + dim, means.data() + j * dim, 0.0F);
    if (cosine > best) {
      second = best;
      best = cosine;
      guess.label = j;
    } else {
      second = std::max(second, cosine);
    }
  }
  guess.margin = best - second;
  return guess;
}

}  // namespace

std::vector<Guess> guess(const kernels::Kernels& kernels, std::span<const float> images,
                         std::span<const float> prompts, int64_t templates, int64_t dim) {
  const auto width = static_cast<size_t>(dim);
  const size_t each = width * static_cast<size_t>(templates);
  std::vector<float> means(prompts.size() / static_cast<size_t>(templates));
  for (size_t i = 0; i < prompts.size(); ++i) means[i / each * width + i % width] += prompts[i];
  kernels.l2_normalize(means.data(), static_cast<int64_t>(means.size() / width), dim);
  std::vector<Guess> guesses;
  for (size_t at = 0; at < images.size(); at += width) {
    guesses.push_back(guess_one(images.data() + at, means, dim));
  }
  return guesses;
}

double accuracy(std::span<const Guess> guesses, std::span<const int64_t> labels) {
  int64_t right = 0;
  for (size_t i = 0; i < guesses.size(); ++i) right += guesses[i].label == labels[i] ? 1 : 0;
  return static_cast<double>(right) / static_cast<double>(guesses.size());
}

}  // namespace clipnext::infer
