// gemm_f32 and pack_f32 against the reference product, and the promises about order of summation.
#include <algorithm>
#include <array>

#include "kernels/ref/ref.h"
#include "kernels/testing.h"

namespace clipnext::kernels {
namespace {

std::vector<float> multiply(const Kernels& kernels, const std::vector<float>& a, int64_t lda,
                            const std::vector<float>& w, int64_t m, int64_t n, int64_t k,
                            const Epilogue& epilogue = {}) {
  Aligned packed(packed_columns(n) * k + 1);
  kernels.pack_f32(w.data(), k, n, k, packed.data());
  Guarded c(m * n);
  kernels.gemm_f32(a.data(), lda, packed.data(), m, n, k, epilogue, c.data(), n);
  EXPECT_TRUE(c.intact()) << kernels.isa << ' ' << m << ' ' << n << ' ' << k;
  return c.values();
}

struct Size {
  int64_t m, n, k;
};

std::vector<Size> sizes() {
  std::vector<Size> all;
  for (const int64_t m : {1, 2, 5, 6, 7, 13, 14, 15, 29, 113}) {
    for (const int64_t n : {1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 257}) {
      for (const int64_t k : {1, 3, 16, 27, 256, 257, 520}) all.push_back({m, n, k});
    }
  }
  all.insert(all.end(), {{400, 192, 768}, {100, 320, 1536}, {3, 2048, 64}});
  return all;
}

TEST(Gemm, RefIsTheFormula) {
  const size_t m = 3, n = 4, k = 5;
  const auto a = widen(normal(m * k, 1));
  const auto w = widen(normal(n * k, 2));
  std::vector<double> c(m * n);
  ref::gemm<double>(a.data(), k, w.data(), k, m, n, k, {}, c.data(), n);
  for (size_t i = 0; i < m; ++i) {
    for (size_t j = 0; j < n; ++j) {
      double sum = 0;
      for (size_t p = 0; p < k; ++p) sum += a[i * k + p] * w[j * k + p];
      EXPECT_NEAR(c[i * n + j], sum, 1e-14);
    }
  }
}

TEST(Gemm, MatchesRefOnEveryIsa) {
  for (const auto& [m, n, k] : sizes()) {
    const auto a = normal(m * k, 3);
    const auto w = normal(n * k, 4, 1 / std::sqrt(static_cast<float>(k)));
    const auto expected = multiply(available()[0], a, k, w, m, n, k);
    for (const Kernels& kernels : all_tables()) {  // at most 256 roundings of half an ulp each
      EXPECT_LT(error(multiply(kernels, a, k, w, m, n, k), expected), 4e-6)
          << kernels.isa << ' ' << m << ' ' << n << ' ' << k;
    }
  }
}

TEST(Gemm, ErrorGrowsWithTheBlockNotWithTheDepth) {
  const int64_t m = 8, n = 64, k = 24576;
  const auto a = normal(m * k, 5);
  const auto w = normal(n * k, 6, 1 / std::sqrt(static_cast<float>(k)));
  const auto expected = multiply(available()[0], a, k, w, m, n, k);
  for (const Kernels& kernels : all_tables()) {
    const auto c = multiply(kernels, a, k, w, m, n, k);
    double difference = 0, norm = 0;
    for (size_t i = 0; i < c.size(); ++i) {
      difference += std::pow(double{c[i]} - double{expected[i]}, 2);
      norm += std::pow(double{expected[i]}, 2);
    }
    EXPECT_LT(std::sqrt(difference / norm), 6e-7) << kernels.isa;
  }
}

TEST(Gemm, EveryEpilogueMatchesRef) {
  const int64_t m = 17, n = 45, k = 30;
  const auto a = normal(m * k, 7);
  const auto w = normal(n * k, 8, 0.3F);
  const auto bias = normal(n, 9);
  const auto scale = normal(n, 10);
  const auto residual = normal(m * 50, 11);
  for (const Act act : {Act::kNone, Act::kGelu, Act::kQuickGelu, Act::kRelu}) {
    for (int parts = 0; parts < 16; ++parts) {
      const Epilogue epilogue{.bias = (parts & 1) != 0 ? bias.data() : nullptr,
                              .act = act,
                              .scale = (parts & 2) != 0 ? scale.data() : nullptr,
                              .residual = (parts & 4) != 0 ? residual.data() : nullptr,
                              .ld_residual = 50,
                              .relu_after = (parts & 8) != 0};
      const auto expected = multiply(available()[0], a, k, w, m, n, k, epilogue);
      for (const Kernels& kernels : all_tables()) {
        EXPECT_LT(error(multiply(kernels, a, k, w, m, n, k, epilogue), expected), 3e-6)
            << kernels.isa << " act " << static_cast<int>(act) << " parts " << parts;
      }
    }
  }
}

TEST(Gemm, TheResidualMayBeTheOutput) {
  const int64_t m = 130, n = 300, k = 600;  // several blocks of rows, columns and depth
  const auto a = normal(m * k, 12);
  const auto w = normal(n * k, 13);
  const auto start = normal(m * n, 14);
  for (const Kernels& kernels : all_tables()) {
    Aligned packed(packed_columns(n) * k);
    kernels.pack_f32(w.data(), k, n, k, packed.data());
    Epilogue epilogue{.residual = start.data(), .ld_residual = n};
    std::vector<float> apart(start.size());
    kernels.gemm_f32(a.data(), k, packed.data(), m, n, k, epilogue, apart.data(), n);
    Guarded c(start);
    epilogue.residual = c.data();
    kernels.gemm_f32(a.data(), k, packed.data(), m, n, k, epilogue, c.data(), n);
    EXPECT_EQ(c.values(), apart) << kernels.isa;
    EXPECT_TRUE(c.intact());
  }
}

TEST(Gemm, TheColumnsPastNStayUntouched) {
  const int64_t m = 9, n = 37, k = 20, ldc = 64;
  const auto a = normal(m * k, 15);
  const auto w = normal(n * k, 16);
  for (const Kernels& kernels : all_tables()) {
    Aligned packed(packed_columns(n) * k);
    kernels.pack_f32(w.data(), k, n, k, packed.data());
    std::vector<float> c(static_cast<size_t>(m * ldc), Guarded::kValue);
    kernels.gemm_f32(a.data(), k, packed.data(), m, n, k, {}, c.data(), ldc);
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = n; j < ldc; ++j)
        EXPECT_EQ(c[static_cast<size_t>(i * ldc + j)], Guarded::kValue);
    }
  }
}

TEST(Gemm, ARowDoesNotDependOnTheOthers) {
  const int64_t m = 230, n = 70, k = 700;
  const auto a = normal(m * k, 17);
  const auto w = normal(n * k, 18);
  const auto bias = normal(n, 19);
  const Epilogue epilogue{.bias = bias.data(), .act = Act::kGelu};
  for (const Kernels& kernels : all_tables()) {
    const auto whole = multiply(kernels, a, k, w, m, n, k, epilogue);
    for (const auto& [begin, rows] : std::vector<std::array<int64_t, 2>>{
             {0, 1}, {1, 1}, {13, 1}, {14, 1}, {229, 1}, {5, 3}, {3, 14}, {7, 100}, {100, 130}}) {
      const std::vector<float> part(a.begin() + begin * k, a.begin() + (begin + rows) * k);
      const auto c = multiply(kernels, part, k, w, rows, n, k, epilogue);
      EXPECT_TRUE(same_bits(c.data(), whole.data() + begin * n, rows * n))
          << kernels.isa << " rows from " << begin;
    }
  }
}

TEST(Gemm, ColumnsMayBeSplitAtPanels) {
  const int64_t m = 31, n = 300, k = 300;
  const auto a = normal(m * k, 20);
  const auto w = normal(n * k, 21);
  const auto bias = normal(n, 22);
  for (const Kernels& kernels : all_tables()) {
    const auto whole = multiply(kernels, a, k, w, m, n, k, {.bias = bias.data()});
    Aligned packed(packed_columns(n) * k);
    kernels.pack_f32(w.data(), k, n, k, packed.data());
    std::vector<float> c(whole.size());
    const int64_t step = 3 * kPackedColumns;
    for (int64_t j = 0; j < n; j += step) {
      kernels.gemm_f32(a.data(), k, packed.data() + j * k, m, std::min(step, n - j), k,
                       {.bias = bias.data() + j}, c.data() + j, n);
    }
    EXPECT_EQ(c, whole) << kernels.isa;
  }
}

TEST(Gemm, ReadsNoMoreThanItsRows) {
  const int64_t m = 15, n = 20, k = 21, lda = 40;
  auto a = normal(m * lda, 23);
  for (int64_t i = 0; i < m; ++i) {
    std::fill(a.begin() + i * lda + k, a.begin() + (i + 1) * lda,
              std::numeric_limits<float>::quiet_NaN());
  }
  const auto w = normal(n * k, 24);
  for (const Kernels& kernels : all_tables()) {
    for (const float y : multiply(kernels, a, lda, w, m, n, k)) EXPECT_FALSE(std::isnan(y));
  }
}

TEST(Gemm, EmptySizesAreHarmless) {
  const std::vector<float> bias{1, -2, 3};
  for (const Kernels& kernels : all_tables()) {
    EXPECT_EQ(multiply(kernels, {}, 5, std::vector<float>(15), 0, 3, 5), std::vector<float>());
    EXPECT_EQ(multiply(kernels, std::vector<float>(10), 5, {}, 2, 0, 5), std::vector<float>());
    const Epilogue epilogue{.bias = bias.data(), .act = Act::kRelu};
    const std::vector<float> expected{1, 0, 3, 1, 0, 3};  // a sum of nothing, and the epilogue
    EXPECT_EQ(multiply(kernels, {}, 0, {}, 2, 3, 0, epilogue), expected) << kernels.isa;
  }
}

TEST(Gemm, PackedPanelsAreAsDocumented) {
  const int64_t n = 70, k = 19, ldw = 23;
  const auto w = normal(n * ldw, 25);
  for (const Kernels& kernels : all_tables()) {
    Aligned packed(packed_columns(n) * k);
    kernels.pack_f32(w.data(), ldw, n, k, packed.data());
    for (int64_t j = 0; j < packed_columns(n); ++j) {
      for (int64_t i = 0; i < k; ++i) {
        EXPECT_EQ(packed.data()[j / 16 * 16 * k + i * 16 + j % 16],
                  j < n ? w[static_cast<size_t>(j * ldw + i)] : 0.0F);
      }
    }
  }
}

}  // namespace
}  // namespace clipnext::kernels
