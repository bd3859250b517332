// What a linear probe learns from: features of pictures and their labels, which samples are used,
// and in which order.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace clipnext::eval {

/// Features [n, dim] with the class of each. Does not own them.
struct FeatureSet {
  std::span<const float> features;
  std::span<const int64_t> labels;

  int64_t count() const { return static_cast<int64_t>(labels.size()); }
};

/// Samples of two sets as if they were one, the second's after the first's.
struct SamplePool {
  FeatureSet first;
  FeatureSet second;
  int64_t dim = 0;

  const float* features(int64_t id) const {
    const int64_t rest = id - first.count();
    return rest < 0 ? first.features.data() + id * dim : second.features.data() + rest * dim;
  }
  int64_t label(int64_t id) const {
    const int64_t rest = id - first.count();
    return rest < 0 ? first.labels[static_cast<size_t>(id)]
                    : second.labels[static_cast<size_t>(rest)];
  }
};

/// What the streams of random numbers of one seed are for; kFirstEpoch + e shuffles epoch e.
enum class RandomStream : uint64_t { kInit, kFewShot, kSplit, kFirstEpoch };

/// Seed of that stream (base/random.h).
uint64_t stream_seed(uint64_t seed, RandomStream stream, uint64_t offset = 0);

/// Puts `ids` in a random order, all orders being equally likely (Fisher and Yates).
void shuffle(std::span<int64_t> ids, uint64_t stream);

/// 0 .. count - 1.
std::vector<int64_t> all_ids(int64_t count);

/// The first k samples of each class in a random order; every sample for k < 0. If a class has
/// fewer than k, there is no subset, and `shortage` says which class.
struct FewShot {
  std::optional<std::vector<int64_t>> ids;
  std::string shortage;
};
FewShot pick_few(std::span<const int64_t> labels, int64_t k, uint64_t seed);

/// Holds a share of n samples out for validation, at random: floor(n * share) of them, as
/// torch.utils.data.random_split does. share within (0, 1), and neither part empty, or Error.
struct Split {
  std::vector<int64_t> train, val;
};
Split split_validation(int64_t n, double share, uint64_t seed);

}  // namespace clipnext::eval
