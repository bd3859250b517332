// Resampling weights in double, in Pillow's order of operations.
#include "image/resample_plan.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace clipnext::image {

namespace {

double support(Filter filter) {
  switch (filter) {
    case Filter::kBilinear:
      return 1;
    case Filter::kBicubic:
      return 2;
    case Filter::kLanczos:
      return 3;
  }
  return 0;
}

double bilinear(double x) {
  x = std::fabs(x);
  return x < 1 ? 1 - x : 0;
}

/// Keys' cubic with a = -0.5.
double bicubic(double x) {
  x = std::fabs(x);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * -0.5;
  return 0;
}

double sinc(double x) {
  if (x == 0) return 1;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double lanczos(double x) { return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0; }

double evaluate(Filter filter, double x) {
  switch (filter) {
    case Filter::kBilinear:
      return bilinear(x);
    case Filter::kBicubic:
      return bicubic(x);
    case Filter::kLanczos:
      return lanczos(x);
  }
  return 0;
}

/// Pillow's way to round, which below zero is not rounding.
int truncated_after_half(double x) {
  constexpr double kHalf = 0.5;
  return static_cast<int>(x + kHalf);
}

}  // namespace

AxisPlan plan_axis(int source, int64_t target, Span span, Filter filter) {
  // Pillow holds the box in float32.
  const double scale = double{static_cast<float>(source)} / static_cast<double>(target);
  const double filter_scale = std::max(scale, 1.0);
  const double reach = support(filter) * filter_scale;
  const double step = 1.0 / filter_scale;

  AxisPlan plan;
  plan.taps = std::min(static_cast<int64_t>(std::ceil(reach)) * 2 + 1, int64_t{source});
  const auto size = static_cast<size_t>(span.size);
  plan.begin.resize(size);
  plan.count.resize(size);
  plan.weights.resize(size * static_cast<size_t>(plan.taps));
  for (size_t i = 0; i < size; ++i) {
    const double center = (static_cast<double>(span.begin + static_cast<int64_t>(i)) + 0.5) * scale;
    const int begin = std::max(truncated_after_half(center - reach), 0);
    const int end = std::min(truncated_after_half(center + reach), source);
    plan.begin[i] = begin;
    plan.count[i] = end - begin;
    double* weights = &plan.weights[i * static_cast<size_t>(plan.taps)];
    double sum = 0;
    for (int j = 0; j < end - begin; ++j) {
      weights[j] = evaluate(filter, (j + begin - center + 0.5) * step);
      sum += weights[j];
    }
    if (sum == 0) continue;
    for (int j = 0; j < end - begin; ++j) weights[j] /= sum;
  }
  return plan;
}

std::vector<int32_t> fixed_point(const std::vector<double>& weights) {
  constexpr double kOne = 1 << 22;
  std::vector<int32_t> fixed(weights.size());
  for (size_t i = 0; i < weights.size(); ++i) {
    fixed[i] = static_cast<int32_t>(weights[i] * kOne + (weights[i] < 0 ? -0.5 : 0.5));
  }
  return fixed;
}

}  // namespace clipnext::image
