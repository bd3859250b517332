#include "eval/probe_data.h"

#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/random.h"

namespace clipnext::eval {

uint64_t stream_seed(uint64_t seed, RandomStream stream, uint64_t offset) {
  return random_bits(seed, static_cast<uint64_t>(stream) + offset);
}

void shuffle(std::span<int64_t> ids, uint64_t stream) {
  for (size_t i = ids.size(); i > 1; --i) {
    // Of 2^64 values; that i does not divide them evenly is far below what any sample could show.
    std::swap(ids[i - 1], ids[random_bits(stream, i) % i]);
  }
}

std::vector<int64_t> all_ids(int64_t count) {
  std::vector<int64_t> ids(static_cast<size_t>(count));
  std::iota(ids.begin(), ids.end(), int64_t{0});
  return ids;
}

FewShot pick_few(std::span<const int64_t> labels, int64_t k, uint64_t seed) {
  require(k != 0, "a probe of 0 samples a class learns nothing; expected 1 or more, or -1 for all");
  std::vector<int64_t> ids = all_ids(static_cast<int64_t>(labels.size()));
  if (k < 0) return {.ids = std::move(ids), .shortage = {}};
  shuffle(ids, stream_seed(seed, RandomStream::kFewShot));
  std::map<int64_t, int64_t> counts;
  std::vector<int64_t> few;
  for (const int64_t id : ids) {
    int64_t& count = counts[labels[static_cast<size_t>(id)]];
    if (count >= k) continue;
    ++count;
    few.push_back(id);
  }
  for (const auto& [label, count] : counts) {
    if (count == k) continue;
    return {.ids = std::nullopt,
            .shortage = "class " + std::to_string(label) + " has " + std::to_string(count) +
                        " training samples, fewer than " + std::to_string(k)};
  }
  return {.ids = std::move(few), .shortage = {}};
}

Split split_validation(int64_t n, double share, uint64_t seed) {
  require(share > 0 && share < 1, "share to hold out for validation: ", share,
          ", expected between 0 and 1");
  const auto held = static_cast<int64_t>(std::floor(static_cast<double>(n) * share));
  require(held > 0 && held < n, "holding ", share, " of ", n,
          " training samples out for validation leaves one part empty");
  std::vector<int64_t> ids = all_ids(n);
  shuffle(ids, stream_seed(seed, RandomStream::kSplit));
  const auto middle = ids.end() - held;
  return {.train = {ids.begin(), middle}, .val = {middle, ids.end()}};
}

}  // namespace clipnext::eval
