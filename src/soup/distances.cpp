#include "soup/distances.h"

#include <array>
#include <cmath>
#include <string_view>

#include "soup/mean.h"

namespace clipnext::soup {
namespace {

constexpr size_t kAllPairs = 16;
constexpr int64_t kLanes = 8;

// Sums in several lanes, which the compiler makes vectors of.
template <class F>
double sum_over(int64_t count, const F& term) {
  std::array<double, kLanes> lanes{};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      lanes[static_cast<size_t>(lane)] += term(i + lane);
    }
  }
  double sum = 0;
  for (; i < count; ++i) sum += term(i);
  for (const double lane : lanes) sum += lane;
  return sum;
}

double ratio(double difference, double square) {
  if (square == 0) return difference == 0 ? 0 : HUGE_VAL;
  return std::sqrt(difference / square);
}

}  // namespace

std::string group_of(const std::string& name) {
  const std::string_view view = name;
  constexpr std::string_view kStages = "visual.trunk.stages.";
  if (view.starts_with("logit_")) return "scales";
  if (view.starts_with(kStages)) {
    const std::string_view rest = view.substr(kStages.size());
    return "stage " + std::string(rest.substr(0, rest.find('.')));
  }
  if (view.starts_with("visual.layer")) {  // a ResNet's
    const std::string_view rest = view.substr(std::string_view("visual.layer").size());
    return "stage " + std::string(rest.substr(0, rest.find('.')));
  }
  if (view.starts_with("visual.transformer.")) return "image blocks";
  if (view.starts_with("visual.trunk.stem.") || view.starts_with("visual.conv") ||
      view.starts_with("visual.bn") || view.starts_with("visual.ln_pre")) {
    return "stem";
  }
  if (view.find("embedding") != std::string_view::npos) return "embeddings";
  return view.starts_with("visual.") ? "head" : "text";
}

DistanceSums::DistanceSums(size_t ingredients, size_t groups, bool base)
    : n_(ingredients), groups_(groups), base_(base) {
  for (size_t a = 0; a < (n_ <= kAllPairs ? n_ : 1); ++a) {
    for (size_t b = a + 1; b < n_; ++b) pairs_.emplace_back(a, b);
  }
  stride_ = n_ + pairs_.size() + (base_ ? n_ + pairs_.size() : 0);
  sums_.resize(groups_ * stride_);
}

void DistanceSums::add(size_t group, const double* rows, int64_t count) {
  double* out = sums_.data() + group * stride_;
  const auto row = [&](size_t i) { return rows + i * static_cast<size_t>(kBlock); };
  for (size_t i = 0; i < n_; ++i) {
    const double* x = row(i);
    *out++ += sum_over(count, [x](int64_t k) { return x[k] * x[k]; });
  }
  for (const auto& [a, b] : pairs_) {
    const double* x = row(a);
    const double* y = row(b);
    *out++ += sum_over(count, [x, y](int64_t k) { return (x[k] - y[k]) * (x[k] - y[k]); });
  }
  if (!base_) return;
  const double* z = row(n_);
  for (size_t i = 0; i < n_; ++i) {
    const double* x = row(i);
    *out++ += sum_over(count, [x, z](int64_t k) { return (x[k] - z[k]) * (x[k] - z[k]); });
  }
  for (const auto& [a, b] : pairs_) {
    const double* x = row(a);
    const double* y = row(b);
    *out++ += sum_over(count, [x, y, z](int64_t k) { return (x[k] - z[k]) * (y[k] - z[k]); });
  }
}

void DistanceSums::add(size_t group, const DistanceSums& other) {
  for (size_t i = 0; i < stride_; ++i) sums_[group * stride_ + i] += other.sums_[i];
}

double DistanceSums::at(size_t place, std::optional<size_t> group) const {
  if (group) return sums_[*group * stride_ + place];
  double sum = 0;
  for (size_t g = 0; g < groups_; ++g) sum += sums_[g * stride_ + place];
  return sum;
}

double DistanceSums::square(size_t i, std::optional<size_t> group) const { return at(i, group); }
double DistanceSums::difference(size_t pair, std::optional<size_t> group) const {
  return at(n_ + pair, group);
}
double DistanceSums::delta_square(size_t i, std::optional<size_t> group) const {
  return at(n_ + pairs_.size() + i, group);
}
double DistanceSums::delta_product(size_t pair, std::optional<size_t> group) const {
  return at(2 * n_ + pairs_.size() + pair, group);
}

Distances distances_of(const DistanceSums& sums, std::vector<std::string> groups) {
  Distances distances{.groups = std::move(groups), .pairs = {}};
  const bool base = sums.has_base();
  for (size_t p = 0; p < sums.pairs().size(); ++p) {
    const auto [a, b] = sums.pairs()[p];
    Distance distance{.a = a, .b = b};
    distance.relative = ratio(sums.difference(p, {}), sums.square(a, {}));
    for (size_t g = 0; g < distances.groups.size(); ++g) {
      distance.by_group.push_back(ratio(sums.difference(p, g), sums.square(a, g)));
    }
    if (base) {
      const double lengths = std::sqrt(sums.delta_square(a, {}) * sums.delta_square(b, {}));
      if (lengths > 0) distance.cosine = sums.delta_product(p, {}) / lengths;
    }
    distances.pairs.push_back(std::move(distance));
  }
  return distances;
}

}  // namespace clipnext::soup
