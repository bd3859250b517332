// How far ingredients are from each other: whether they can come from one parent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace clipnext::soup {

/// The part of a model that a tensor belongs to: "stem", "stage 0" .. "stage 3", "head" of a
/// ConvNeXt; "stem", "image blocks", "head" of other image towers; "text", "embeddings"; "scales".
std::string group_of(const std::string& name);

/// Sums over elements, by group; sums over parts of the elements add up.
class DistanceSums {
 public:
  /// Of each pair up to 16 ingredients, beyond that of each with the first. With `base` the last
  /// row of add() is the parent.
  DistanceSums(size_t ingredients, size_t groups, bool base);

  /// Rows of one block, kBlock apart: of each ingredient, then of the parent.
  void add(size_t group, const double* rows, int64_t count);
  /// The first group of `other` to that group.
  void add(size_t group, const DistanceSums& other);

  bool has_base() const { return base_; }
  const std::vector<std::pair<size_t, size_t>>& pairs() const { return pairs_; }
  /// Of one group, or of all: the sum of squares of an ingredient; of a pair's difference; the
  /// product of a pair's deltas to the parent (both the same: its square).
  double square(size_t i, std::optional<size_t> group) const;
  double difference(size_t pair, std::optional<size_t> group) const;
  double delta_product(size_t pair, std::optional<size_t> group) const;
  double delta_square(size_t i, std::optional<size_t> group) const;

 private:
  double at(size_t place, std::optional<size_t> group) const;

  size_t n_, groups_;
  bool base_;
  std::vector<std::pair<size_t, size_t>> pairs_;
  size_t stride_;
  std::vector<double> sums_;  // [groups, stride]
};

/// Two ingredients, as the user sees them.
struct Distance {
  size_t a = 0, b = 0;                // indices of ingredients
  double relative = 0;                // |a - b| / |a|, over all that is averaged
  std::vector<double> by_group = {};  // the same
  std::optional<double> cosine = {};  // of the deltas to the parent
};

struct Distances {
  std::vector<std::string> groups;
  std::vector<Distance> pairs;
};

/// Above this the ingredients hardly come from one parent.
inline constexpr double kFarApart = 0.5;

Distances distances_of(const DistanceSums& sums, std::vector<std::string> groups);

}  // namespace clipnext::soup
