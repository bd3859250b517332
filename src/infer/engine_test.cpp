#include "infer/engine.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

namespace clipnext::infer {
namespace {

std::vector<float> normal(int64_t count, uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> distribution;
  std::vector<float> values(static_cast<size_t>(count));
  for (float& v : values) v = distribution(generator);
  return values;
}

float* allocate(Weight& weight, int64_t floats) {
  const auto buffer = std::make_shared<Buffer>(floats);
  weight.bytes = std::as_bytes(std::span(buffer->data(), static_cast<size_t>(floats)));
  weight.owner = buffer;
  return buffer->data();
}

constexpr ComputeType kTypes[] = {ComputeType::kFp32, ComputeType::kBf16, ComputeType::kInt8};

Weight matrix(const kernels::Kernels& kernels, ComputeType type, int64_t n, int64_t k,
              uint32_t seed) {
  const std::vector<float> w = normal(n * k, seed);
  Weight weight;
  weight.type = type;
  weight.n = n;
  weight.k = k;
  float* packed = allocate(weight, packed_size(type, n, k) / 4);
  const kernels::S8Weights s8 = weight.s8();
  if (type == ComputeType::kFp32) kernels.pack_f32(w.data(), k, n, k, packed);
  if (type == ComputeType::kBf16) {
    kernels.pack_bf16(w.data(), k, n, k, reinterpret_cast<kernels::Bf16*>(packed));
  }
  if (type == ComputeType::kInt8) {
    kernels.pack_s8(w.data(), k, n, k, const_cast<int8_t*>(s8.packed),
                    const_cast<float*>(s8.scales), const_cast<int32_t*>(s8.sums));
  }
  return weight;
}

Rows f32_rows(std::vector<float>& x, int64_t ld) {
  return {.type = ComputeType::kFp32, .values = x.data(), .ld = ld, .scales = nullptr};
}

/// c = epilogue(a times w transposed) in one call of a kernel; a in the type of w.
void product(const kernels::Kernels& kernels, const Rows& a, int64_t m, const Weight& w,
             const kernels::Epilogue& e, const Rows& c) {
  const bool narrow = c.type == ComputeType::kBf16;
  if (w.type == ComputeType::kFp32) {
    kernels.gemm_f32(a.f32(), a.ld, w.data(), m, w.n, w.k, e, c.f32(), c.ld);
  } else if (w.type == ComputeType::kBf16 && narrow) {
    kernels.gemm_bf16_to_bf16(a.bf16(), a.ld, w.bf16(), m, w.n, w.k, e, c.bf16(), c.ld);
  } else if (w.type == ComputeType::kBf16) {
    kernels.gemm_bf16(a.bf16(), a.ld, w.bf16(), m, w.n, w.k, e, c.f32(), c.ld);
  } else if (narrow) {
    kernels.gemm_u8s8_to_bf16(a.u8(), a.ld, a.scales, w.s8(), m, w.n, w.k, e, c.bf16(), c.ld);
  } else {
    kernels.gemm_u8s8(a.u8(), a.ld, a.scales, w.s8(), m, w.n, w.k, e, c.f32(), c.ld);
  }
}

Weight vector(int64_t n, uint32_t seed) {
  Weight weight;
  const std::vector<float> v = normal(n, seed);
  std::copy(v.begin(), v.end(), allocate(weight, n));
  return weight;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST(Pieces, CoverTheRangeInUnits) {
  for (const int64_t count : {0, 1, 15, 16, 17, 100, 1000}) {
    for (const int64_t parts : {1, 2, 3, 7}) {
      for (const int64_t unit : {1, 16}) {
        const Pieces pieces{count, parts, unit};
        EXPECT_EQ(pieces.begin(0), 0);
        EXPECT_EQ(pieces.end(parts - 1), count);
        for (int64_t i = 0; i + 1 < parts; ++i) {
          EXPECT_TRUE(pieces.end(i) % unit == 0 || pieces.end(i) == count);
          EXPECT_LE(pieces.begin(i), pieces.end(i));
        }
      }
    }
  }
}

void expect_linear_as_one_call(const kernels::Kernels& kernels, ComputeType type, int64_t m,
                               int64_t n, int64_t k) {
  const Weight w = matrix(kernels, type, n, k, 1);
  const Weight bias = vector(n, 2);
  const Weight scale = vector(n, 3);
  std::vector<float> a = normal(m * k, 4);
  const std::vector<float> residual = normal(m * n, 5);
  const kernels::Epilogue epilogue{.bias = bias.data(),
                                   .act = kernels::Act::kGelu,
                                   .scale = scale.data(),
                                   .residual = residual.data(),
                                   .ld_residual = n};
  std::vector<float> want(static_cast<size_t>(m * n));
  ScratchPool scratch;
  const RowsLease rounded(scratch, type, m, k);
  round_rows(kernels, f32_rows(a, k), m, k, rounded.rows());
  product(kernels, rounded.rows(), m, w, epilogue, f32_rows(want, n));
  for (const int threads : {1, 2, 3, 5}) {
    ThreadPool pool(threads);
    Engine engine{kernels, pool, {}};
    std::vector<float> got(want.size());
    linear(engine, a.data(), k, m, w, epilogue, got.data(), n);
    EXPECT_TRUE(same_bits(got, want)) << kernels.isa << " " << compute_type_name(type) << " " << m
                                      << " " << n << " " << k << ", " << threads << " threads";
  }
}

TEST(Linear, EverySplitGivesTheBitsOfOneCall) {
  for (const kernels::Kernels& kernels : kernels::available()) {
    for (const ComputeType type : kTypes) {
      for (const auto& [m, n, k] : {std::array<int64_t, 3>{1, 1, 1},
                                    {1, 515, 300},
                                    {3, 40, 9000},
                                    {77, 513, 96},
                                    {700, 33, 129},
                                    {200, 300, 64}}) {
        expect_linear_as_one_call(kernels, type, m, n, k);
      }
    }
  }
}

/// add_mlp against its two products, each in one call.
void expect_mlp_as_two_products(ComputeType first, ComputeType second) {
  const kernels::Kernels& kernels = kernels::kernels();
  const int64_t c = 96;
  const int64_t hidden = 4 * c;
  const Weight fc1 = matrix(kernels, first, hidden, c, 1);
  const Weight fc1_bias = vector(hidden, 2);
  const Weight fc2 = matrix(kernels, second, c, hidden, 3);
  const Weight fc2_bias = vector(c, 4);
  const Weight gamma = vector(c, 5);
  const bool wide = first == ComputeType::kFp32 || second == ComputeType::kFp32;
  ScratchPool scratch;
  for (const int64_t m : {1, 50, 1400, 5000}) {
    std::vector<float> y = normal(m * c, 6);
    const std::vector<float> x = normal(m * c, 7);
    const RowsLease input(scratch, first, m, c);
    round_rows(kernels, f32_rows(y, c), m, c, input.rows());
    const RowsLease middle(scratch, wide ? ComputeType::kFp32 : ComputeType::kBf16, m, hidden);
    product(kernels, input.rows(), m, fc1, {.bias = fc1_bias.data(), .act = kernels::Act::kGelu},
            middle.rows());
    const RowsLease rounded(scratch, second, m, hidden);
    const bool same = middle.rows().type == second;
    if (!same) round_rows(kernels, middle.rows(), m, hidden, rounded.rows());
    std::vector<float> want = x;
    product(
        kernels, same ? middle.rows() : rounded.rows(), m, fc2,
        {.bias = fc2_bias.data(), .scale = gamma.data(), .residual = want.data(), .ld_residual = c},
        f32_rows(want, c));
    for (const int threads : {1, 2, 3}) {
      ThreadPool pool(threads);
      Engine engine{kernels, pool, {}};
      std::vector<float> got = x;
      add_mlp(engine,
              {.fc1 = fc1,
               .fc1_bias = fc1_bias,
               .act = kernels::Act::kGelu,
               .fc2 = fc2,
               .fc2_bias = fc2_bias,
               .scale = gamma.data()},
              input.rows(), m, got.data());
      EXPECT_TRUE(same_bits(got, want))
          << compute_type_name(first) << " " << compute_type_name(second) << " " << m << " rows, "
          << threads << " threads";
    }
  }
}

TEST(AddMlp, EverySplitGivesTheBitsOfTwoProducts) {
  for (const ComputeType first : kTypes) {
    for (const ComputeType second : kTypes) expect_mlp_as_two_products(first, second);
  }
}

TEST(Convolve, SlabsGiveTheBitsOfOneProduct) {
  const kernels::Kernels& kernels = kernels::kernels();
  const int64_t k = 1000;  // 4,195 rows a slab
  const int64_t rows = 9000;
  const Weight w = matrix(kernels, ComputeType::kFp32, 5, k, 1);
  const std::vector<float> residual = normal(rows * 5, 2);
  const kernels::Epilogue epilogue{.residual = residual.data(), .ld_residual = 5};
  const auto patch = [](int64_t row, int64_t i) {
    return static_cast<float>((row * 31 + i * 7) % 61) / 61;
  };
  std::vector<float> patches;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t i = 0; i < k; ++i) patches.push_back(patch(row, i));
  }
  std::vector<float> want(static_cast<size_t>(rows * 5));
  kernels.gemm_f32(patches.data(), k, w.data(), rows, 5, k, epilogue, want.data(), 5);
  ThreadPool pool(2);
  Engine engine{kernels, pool, {}};
  std::vector<float> got(want.size());
  convolve(engine, rows, w, epilogue, got.data(), [&](int64_t begin, int64_t end, float* out) {
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t i = 0; i < k; ++i) *out++ = patch(row, i);
    }
  });
  EXPECT_TRUE(same_bits(got, want));
}

}  // namespace
}  // namespace clipnext::infer
