// One walk over all elements of all ingredients, in pieces on all threads: each byte is read once,
// and no more of it is held than the pieces in work.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "soup/distances.h"
#include "soup/plan.h"

namespace clipnext::soup {

/// NaN or infinite values of one tensor.
struct NonFinite {
  size_t ingredient = 0;
  std::string tensor;
  int64_t count = 0;
};

struct PassOptions {
  const Ingredient* base =
      nullptr;  // the parent, for cosines of deltas; must agree with the others
  bool distances = true;
  bool hashes = true;
  /// Hears of bytes of the ingredients that are done, from any thread.
  std::function<void(int64_t bytes)> progress = {};
};

struct PassResult {
  Distances distances;              // of what is averaged; empty for fewer than two ingredients
  std::vector<std::string> sha256;  // of the ingredients' files
  std::vector<NonFinite> nonfinite;
};

/// Takes `bytes` of a planned tensor's data, which begin at its byte `begin`; called from several
/// threads at once.
using Sink = std::function<void(size_t tensor, int64_t begin, std::span<const std::byte> bytes)>;

/// Makes every value of the plan and gives it to the sink; without one only looks at the
/// ingredients. Results do not depend on the number of threads. Throws Error for values that the
/// result's type cannot hold, Interrupted between pieces.
PassResult run_pass(const Plan& plan, std::span<const Ingredient> ingredients,
                    const PassOptions& options, ThreadPool& pool, const Sink& sink = {});

/// Throws Error that names ingredient, tensor and count if there are any.
void require_finite(std::span<const NonFinite> found, std::span<const Ingredient> ingredients);

/// The SHA-256 of a mapped file, whose pages are let go of as it is read.
std::string hash_mapped(std::span<const std::byte> bytes);

/// The result in memory, by the names it has in files.
weights::TensorMap make_tensors(const Plan& plan, std::span<const Ingredient> ingredients,
                                ThreadPool& pool);

}  // namespace clipnext::soup
