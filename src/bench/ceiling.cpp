#include "bench/ceiling.h"

#include <emmintrin.h>

#include <algorithm>
#include <cstdint>

#include "bench/ceiling_loops.h"
#include "bench/timing.h"

namespace clipnext::bench {
namespace {

constexpr int64_t kRounds = 100000;  // about 5 ms: some runs fall between other programs' turns

/// Whether a table of that name comes no later than `chosen`.
bool allowed(std::string_view isa, const kernels::Kernels& chosen) {
  for (const kernels::Kernels& table : kernels::available()) {
    if (isa == table.isa) return true;
    if (std::string_view(chosen.isa) == table.isa) return false;
  }
  return false;
}

constexpr int64_t kReadValues = int64_t{128} << 20 >> 3;  // a thread's: more than caches hold

/// Adds up all values, so that they must be read.
void read_values(const std::vector<int64_t>& values) {
  __m128i sums[4] = {};
  for (const int64_t* p = values.data(); p < values.data() + kReadValues; p += 8) {
    for (int64_t i = 0; i < 4; ++i) {
      const auto* pair = reinterpret_cast<const __m128i*>(p + 2 * i);
      sums[i] = _mm_add_epi64(sums[i], _mm_loadu_si128(pair));
    }
  }
  for (int i = 1; i < 4; ++i) sums[0] = _mm_add_epi64(sums[0], sums[i]);
  volatile int64_t keep = _mm_cvtsi128_si64(sums[0]);
  static_cast<void>(keep);
}

}  // namespace

std::vector<Ceiling> measure_ceilings(const kernels::Kernels& kernels, ThreadPool& pool,
                                      double seconds) {
  std::vector<Ceiling> ceilings;
  for (const CeilingLoop& loop : ceiling_loops()) {
    if (!allowed(loop.isa, kernels)) continue;
    const Timing timing = time_repeats(
        seconds, [&] { pool.parallel_for(pool.size(), [&](int64_t) { loop.run(kRounds); }); });
    const double operations = loop.operations * static_cast<double>(kRounds) * pool.size();
    ceilings.push_back({loop.dtype, loop.instruction, pool.size(), operations / timing.minimum});
  }
  return ceilings;
}

double ceiling_of(const std::vector<Ceiling>& ceilings, std::string_view dtype) {
  double highest = 0;
  for (const Ceiling& c : ceilings) {
    if (c.dtype == dtype) highest = std::max(highest, c.operations_per_second);
  }
  return highest > 0 || dtype == "fp32" ? highest : ceiling_of(ceilings, "fp32");
}

double measure_read_bandwidth(ThreadPool& pool, double seconds) {
  std::vector<std::vector<int64_t>> parts(static_cast<size_t>(pool.size()));
  for (auto& part : parts) part.resize(kReadValues);
  const Timing timing = time_repeats(seconds, [&] {
    pool.parallel_for(pool.size(), [&](int64_t i) { read_values(parts[static_cast<size_t>(i)]); });
  });
  return 8.0 * static_cast<double>(kReadValues) * pool.size() / timing.minimum;
}

}  // namespace clipnext::bench
