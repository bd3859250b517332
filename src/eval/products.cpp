#include "eval/products.h"

#include <algorithm>
#include <cmath>

#include "base/checked.h"
#include "base/error.h"

namespace clipnext::eval {

void PackedRows::assign(const float* rows, int64_t count, int64_t dim, ThreadPool& pool) {
  constexpr int64_t kChunk = 4 * kernels::kPackedColumns;
  count_ = count;
  dim_ = dim;
  float* packed = packed_.ensure(
      checked_mul(kernels::packed_columns(count), std::max<int64_t>(dim, 1), "packed matrix"));
  pool.parallel_for((count + kChunk - 1) / kChunk, [&](int64_t chunk) {
    const int64_t begin = chunk * kChunk;
    kernels::kernels().pack_f32(rows + begin * dim, dim, std::min(kChunk, count - begin), dim,
                                packed + begin * dim);
  });
}

void PackedRows::multiply(const float* a, int64_t m, int64_t begin, int64_t count,
                          const float* bias, float* out, int64_t ld) const {
  kernels::Epilogue epilogue;
  epilogue.bias = bias;
  kernels::kernels().gemm_f32(a, dim_, packed_.data() + begin * dim_, m, count, dim_, epilogue, out,
                              ld);
}

int64_t check_rows(std::span<const float> values, int64_t dim, const char* what) {
  require(dim > 0 && values.size() % static_cast<size_t>(dim) == 0, what, ": ", values.size(),
          " numbers are not rows of ", dim);
  const auto bad =
      std::find_if(values.begin(), values.end(), [](float v) { return !std::isfinite(v); });
  require(bad == values.end(), what, ": row ", (bad - values.begin()) / dim,
          " holds a number that is not finite");
  return static_cast<int64_t>(values.size()) / dim;
}

int64_t check_products(std::span<const float> features, const LinearClasses& classes) {
  require(check_rows(classes.weights, classes.dim, "classes") > 0, "no classes to choose from");
  require(classes.bias.empty() || check_rows(classes.bias, 1, "class biases") == classes.count(),
          "class biases: ", classes.bias.size(), ", expected ", classes.count());
  return check_rows(features, classes.dim, "features");
}

std::vector<float> all_scores(std::span<const float> features, const LinearClasses& classes,
                              ThreadPool& pool) {
  constexpr int64_t kRows = 64;
  const int64_t n = check_products(features, classes);
  const int64_t count = classes.count();
  const float* bias = classes.bias.empty() ? nullptr : classes.bias.data();
  const PackedRows packed(classes.weights.data(), count, classes.dim, pool);
  std::vector<float> scores(static_cast<size_t>(checked_mul(n, count, "scores")));
  pool.parallel_for((n + kRows - 1) / kRows, [&](int64_t tile) {
    const int64_t begin = tile * kRows;
    packed.multiply(features.data() + begin * classes.dim, std::min(kRows, n - begin), 0, count,
                    bias, scores.data() + begin * count, count);
  });
  return scores;
}

}  // namespace clipnext::eval
