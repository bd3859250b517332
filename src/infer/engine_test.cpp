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

Weight matrix(const kernels::Kernels& kernels, int64_t n, int64_t k, uint32_t seed) {
  const std::vector<float> w = normal(n * k, seed);
  Weight weight;
  weight.n = n;
  weight.k = k;
  float* packed = allocate(weight, packed_size(ComputeType::kFp32, n, k, kernels) / 4);
  kernels.pack_f32(w.data(), k, n, k, packed);
  return weight;
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

TEST(Linear, EverySplitGivesTheBitsOfOneCall) {
  for (const kernels::Kernels& kernels : kernels::available()) {
    for (const auto& [m, n, k] : {std::array<int64_t, 3>{1, 1, 1},
                                  {1, 515, 300},
                                  {3, 40, 9000},
                                  {77, 513, 96},
                                  {700, 33, 129},
                                  {200, 300, 64}}) {
      const Weight w = matrix(kernels, n, k, 1);
      const Weight bias = vector(n, 2);
      const Weight scale = vector(n, 3);
      const std::vector<float> a = normal(m * k, 4);
      const std::vector<float> residual = normal(m * n, 5);
      const kernels::Epilogue epilogue{.bias = bias.data(),
                                       .act = kernels::Act::kGelu,
                                       .scale = scale.data(),
                                       .residual = residual.data(),
                                       .ld_residual = n};
      std::vector<float> want(static_cast<size_t>(m * n));
      kernels.gemm_f32(a.data(), k, w.data(), m, n, k, epilogue, want.data(), n);
      for (const int threads : {1, 2, 3, 5}) {
        ThreadPool pool(threads);
        Engine engine{kernels, pool, {}};
        std::vector<float> got(want.size());
        linear(engine, a.data(), k, m, w, epilogue, got.data(), n);
        EXPECT_TRUE(same_bits(got, want)) << kernels.isa << " " << m << " " << n << " " << k;
      }
    }
  }
}

TEST(AddMlp, EverySplitGivesTheBitsOfTwoProducts) {
  const kernels::Kernels& kernels = kernels::kernels();
  const int64_t c = 96;
  const int64_t hidden = 4 * c;
  const Weight fc1 = matrix(kernels, hidden, c, 1);
  const Weight fc1_bias = vector(hidden, 2);
  const Weight fc2 = matrix(kernels, c, hidden, 3);
  const Weight fc2_bias = vector(c, 4);
  const Weight gamma = vector(c, 5);
  for (const int64_t m : {1, 50, 1400, 5000}) {
    const std::vector<float> y = normal(m * c, 6);
    const std::vector<float> x = normal(m * c, 7);
    std::vector<float> middle(static_cast<size_t>(m * hidden));
    kernels.gemm_f32(y.data(), c, fc1.data(), m, hidden, c,
                     {.bias = fc1_bias.data(), .act = kernels::Act::kGelu}, middle.data(), hidden);
    std::vector<float> want = x;
    kernels.gemm_f32(
        middle.data(), hidden, fc2.data(), m, c, hidden,
        {.bias = fc2_bias.data(), .scale = gamma.data(), .residual = want.data(), .ld_residual = c},
        want.data(), c);
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
              y.data(), m, got.data());
      EXPECT_TRUE(same_bits(got, want)) << m << " rows, " << threads << " threads";
    }
  }
}

TEST(Convolve, SlabsGiveTheBitsOfOneProduct) {
  const kernels::Kernels& kernels = kernels::kernels();
  const int64_t k = 1000;  // 4,195 rows a slab
  const int64_t rows = 9000;
  const Weight w = matrix(kernels, 5, k, 1);
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
