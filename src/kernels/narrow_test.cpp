// The bf16 and int8 operations against their definitions on every instruction set.
#include "kernels/ref/narrow.h"

#include <algorithm>
#include <array>
#include <vector>

#include "kernels/ref/ref.h"
#include "kernels/testing.h"

namespace clipnext::kernels {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

/// Values of any type, unaligned, between guards; packed weights from a 64-byte boundary on.
template <class T>
class Cells {
 public:
  explicit Cells(int64_t count) : storage_(static_cast<size_t>(count) + 2 * kGuard, kValue) {}
  T* data() { return storage_.data() + kGuard; }
  T* aligned() {
    void* p = storage_.data();
    size_t space = storage_.size() * sizeof(T);
    return static_cast<T*>(std::align(64, 1, p, space));
  }
  [[nodiscard]] std::vector<T> values() const {
    return {storage_.begin() + kGuard, storage_.end() - kGuard};
  }
  [[nodiscard]] bool intact() const {
    return std::all_of(storage_.begin(), storage_.begin() + kGuard,
                       [](T v) { return v == kValue; }) &&
           std::all_of(storage_.end() - kGuard, storage_.end(), [](T v) { return v == kValue; });
  }

 private:
  static constexpr T kValue = 77;
  static constexpr int64_t kGuard = 65;
  std::vector<T> storage_;
};

std::vector<Bf16> rounded(const std::vector<float>& x) {
  std::vector<Bf16> y(x.size());
  std::transform(x.begin(), x.end(), y.begin(), ref::to_bf16);
  return y;
}
std::vector<float> widened(const std::vector<Bf16>& x) {
  std::vector<float> y(x.size());
  std::transform(x.begin(), x.end(), y.begin(), ref::from_bf16);
  return y;
}

struct Size {
  int64_t m, n, k;
};

std::vector<Size> sizes() {
  std::vector<Size> all;
  for (const int64_t m : {1, 2, 6, 7, 14, 15, 16, 17, 33, 113}) {
    for (const int64_t n : {1, 15, 16, 17, 31, 32, 33, 257}) {
      for (const int64_t k : {1, 2, 3, 5, 31, 64, 130, 520, 1030}) all.push_back({m, n, k});
    }
  }
  all.insert(all.end(), {{100, 320, 1536}, {3, 640, 2100}, {130, 40, 192}});
  return all;
}

/// A product of one type on one table: begin .. begin + rows of a, columns from..to of w.
std::vector<float> multiply_bf16(const Kernels& kernels, const std::vector<Bf16>& a, int64_t lda,
                                 const std::vector<float>& w, const Size& s,
                                 const Epilogue& epilogue = {}) {
  Cells<Bf16> packed(packed_columns(s.n) * packed_depth<Bf16>(s.k));
  kernels.pack_bf16(w.data(), s.k, s.n, s.k, packed.aligned());
  Guarded c(s.m * s.n);
  kernels.gemm_bf16(a.data(), lda, packed.aligned(), s.m, s.n, s.k, epilogue, c.data(), s.n);
  EXPECT_TRUE(c.intact()) << kernels.isa;
  return c.values();
}

struct Packed {
  Packed(const Kernels& kernels, const std::vector<float>& w, int64_t n, int64_t k)
      : packed(packed_columns(n) * packed_depth<int8_t>(k)),
        scales(static_cast<size_t>(packed_columns(n))),
        sums(scales.size()) {
    kernels.pack_s8(w.data(), k, n, k, packed.aligned(), scales.data(), sums.data());
  }
  S8Weights weights() { return {packed.aligned(), scales.data(), sums.data()}; }
  Cells<int8_t> packed;
  std::vector<float> scales;
  std::vector<int32_t> sums;
};

struct Quantized {
  Quantized(const Kernels& kernels, const std::vector<float>& x, int64_t rows, int64_t cols,
            int32_t levels)
      : q(rows * cols), scales(static_cast<size_t>(rows)) {
    kernels.quantize(x.data(), cols, rows, cols, levels, q.data(), cols, scales.data());
    EXPECT_TRUE(q.intact()) << kernels.isa;
  }
  Cells<uint8_t> q;
  std::vector<RowScale> scales;
};

std::vector<float> multiply_u8s8(const Kernels& kernels, const std::vector<float>& a,
                                 const std::vector<float>& w, const Size& s, int32_t levels,
                                 const Epilogue& epilogue = {}) {
  Packed packed(kernels, w, s.n, s.k);
  Quantized x(kernels, a, s.m, s.k, levels);
  Guarded c(s.m * s.n);
  kernels.gemm_u8s8(x.q.data(), s.k, x.scales.data(), packed.weights(), s.m, s.n, s.k, epilogue,
                    c.data(), s.n);
  EXPECT_TRUE(c.intact()) << kernels.isa;
  return c.values();
}

TEST(ToBf16, RoundsToNearestEvenOnEveryIsa) {
  std::vector<float> x{0.0F,         -0.0F,   1,    1.00390625F, 1.01171875F, 1.004F,
                       -1.00390625F, 3.4e38F, kInf, -kInf,       1e-38F * 2};
  const std::vector<Bf16> expected{0,      0x8000, 0x3f80, 0x3f80, 0x3f82,
                                   0x3f81, 0xbf80, 0x7f80, 0x7f80, 0xff80};
  for (const Kernels& kernels : all_tables()) {
    std::vector<Bf16> y(x.size());
    kernels.to_bf16(x.data(), std::ssize(x), 1, std::ssize(x), y.data(), std::ssize(x));
    for (size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(y[i], expected[i]) << kernels.isa << i;
    const float nan = -std::nanf("");
    kernels.to_bf16(&nan, 1, 1, 1, y.data(), 1);
    EXPECT_TRUE(std::isnan(ref::from_bf16(y[0]))) << kernels.isa;
  }
}

TEST(ToBf16, MatchesRefAtEverySize) {
  for (const int64_t cols : {1, 7, 8, 9, 15, 16, 17, 33, 100}) {
    const auto x = normal(3 * cols, 1);
    for (const Kernels& kernels : all_tables()) {
      Cells<Bf16> y(3 * cols);
      kernels.to_bf16(x.data(), cols, 3, cols, y.data(), cols);
      EXPECT_EQ(y.values(), rounded(x)) << kernels.isa << ' ' << cols;
      EXPECT_TRUE(y.intact());
    }
  }
}

TEST(PackNarrow, GivesTheSameLayoutOnEveryIsa) {
  for (const auto& [n, k] : std::vector<std::array<int64_t, 2>>{{1, 1}, {33, 70}, {64, 192}}) {
    const auto w = normal(n * k, 2);
    Packed expected(available()[0], w, n, k);
    for (const Kernels& kernels : all_tables()) {
      Cells<Bf16> packed(packed_columns(n) * packed_depth<Bf16>(k));
      kernels.pack_bf16(w.data(), k, n, k, packed.aligned());
      for (int64_t j = 0; j < packed_columns(n); ++j) {
        for (int64_t p = 0; p < packed_depth<Bf16>(k); ++p) {
          const Bf16 value = j < n && p < k ? ref::to_bf16(w[static_cast<size_t>(j * k + p)]) : 0;
          ASSERT_EQ(packed.aligned()[ref::packed_at<Bf16>(j, p, k)], value) << kernels.isa;
        }
      }
      Packed s8(kernels, w, n, k);
      EXPECT_EQ(s8.scales, expected.scales) << kernels.isa;
      EXPECT_EQ(s8.sums, expected.sums) << kernels.isa;
      EXPECT_TRUE(std::equal(s8.packed.aligned(),
                             s8.packed.aligned() + packed_columns(n) * packed_depth<int8_t>(k),
                             expected.packed.aligned()))
          << kernels.isa;
    }
  }
}

TEST(GemmBf16, MatchesRefOnEveryIsa) {
  for (const Size& s : sizes()) {
    const auto a = rounded(normal(s.m * s.k, 3));
    const auto w = normal(s.n * s.k, 4, 1 / std::sqrt(static_cast<float>(s.k)));
    const auto expected = multiply_bf16(available()[0], a, s.k, w, s);
    for (const Kernels& kernels : all_tables()) {
      EXPECT_LT(error(multiply_bf16(kernels, a, s.k, w, s), expected), 8e-6)
          << kernels.isa << ' ' << s.m << ' ' << s.n << ' ' << s.k;
    }
  }
}

TEST(GemmBf16, RefIsTheFormulaOverRoundedOperands) {
  const Size s{5, 37, 70};
  const auto a = rounded(normal(s.m * s.k, 5));
  const auto w = normal(s.n * s.k, 6);
  const auto narrow = widen(widened(rounded(w)));
  const auto wide = widen(widened(a));
  std::vector<double> expected(static_cast<size_t>(s.m * s.n));
  ref::gemm<double>(wide.data(), s.k, narrow.data(), s.k, s.m, s.n, s.k, {}, expected.data(), s.n);
  const auto c = multiply_bf16(available()[0], a, s.k, w, s);
  for (size_t i = 0; i < c.size(); ++i) EXPECT_NEAR(c[i], expected[i], 1e-5);
}

TEST(GemmBf16, RowsAndColumnsMayBeSplit) {
  const Size s{230, 300, 1300};
  const auto a = rounded(normal(s.m * s.k, 7));
  const auto w = normal(s.n * s.k, 8);
  const auto bias = normal(s.n, 9);
  for (const Kernels& kernels : all_tables()) {
    if (kernels.isa == std::string_view("ref")) continue;
    Cells<Bf16> packed(packed_columns(s.n) * packed_depth<Bf16>(s.k));
    kernels.pack_bf16(w.data(), s.k, s.n, s.k, packed.aligned());
    const auto whole =
        multiply_bf16(kernels, a, s.k, w, s, {.bias = bias.data(), .act = Act::kGelu});
    for (const auto& [begin, rows] : std::vector<std::array<int64_t, 2>>{
             {0, 1}, {1, 1}, {229, 1}, {5, 3}, {3, 17}, {7, 100}, {100, 130}}) {
      for (const auto& [from, to] :
           std::vector<std::array<int64_t, 2>>{{0, 300}, {0, 64}, {32, 64}, {96, 300}}) {
        std::vector<float> c(static_cast<size_t>(rows * (to - from)));
        kernels.gemm_bf16(a.data() + begin * s.k, s.k,
                          packed.aligned() + from * packed_depth<Bf16>(s.k), rows, to - from, s.k,
                          {.bias = bias.data() + from, .act = Act::kGelu}, c.data(), to - from);
        for (int64_t i = 0; i < rows; ++i) {
          ASSERT_TRUE(same_bits(c.data() + i * (to - from), whole.data() + (begin + i) * s.n + from,
                                to - from))
              << kernels.isa << ' ' << begin << ' ' << from;
        }
      }
    }
  }
}

TEST(GemmBf16, ResultsInBf16AreWithinItsAccuracy) {
  const Size s{37, 70, 200};
  const auto a = rounded(normal(s.m * s.k, 10));
  const auto w = normal(s.n * s.k, 11, 0.2F);
  const auto bias = normal(s.n, 12);
  for (const Act act : {Act::kNone, Act::kGelu, Act::kQuickGelu, Act::kRelu}) {
    const Epilogue epilogue{.bias = bias.data(), .act = act};
    const auto expected = multiply_bf16(available()[0], a, s.k, w, s, epilogue);
    for (const Kernels& kernels : all_tables()) {
      Cells<Bf16> packed(packed_columns(s.n) * packed_depth<Bf16>(s.k));
      kernels.pack_bf16(w.data(), s.k, s.n, s.k, packed.aligned());
      Cells<Bf16> c(s.m * s.n);
      kernels.gemm_bf16_to_bf16(a.data(), s.k, packed.aligned(), s.m, s.n, s.k, epilogue, c.data(),
                                s.n);
      EXPECT_TRUE(c.intact());
      const auto y = widened(c.values());
      for (size_t i = 0; i < y.size(); ++i) {
        const float size = std::max(std::abs(expected[i]), 0.125F);
        ASSERT_NEAR(y[i], expected[i], size * 3 / 512) << kernels.isa;
      }
    }
  }
}

TEST(GemmBf16, ReadsNoMoreThanItsRowsAndWritesNoMoreThanItsColumns) {
  const Size s{15, 20, 21};
  const int64_t lda = 40, ldc = 50;
  auto a = normal(s.m * lda, 13);
  for (int64_t i = 0; i < s.m; ++i) {
    std::fill(a.begin() + i * lda + s.k, a.begin() + (i + 1) * lda, std::nanf(""));
  }
  const auto w = normal(s.n * s.k, 14);
  for (const Kernels& kernels : all_tables()) {
    for (const float y : multiply_bf16(kernels, rounded(a), lda, w, s)) {
      EXPECT_FALSE(std::isnan(y)) << kernels.isa;
    }
    Cells<Bf16> packed(packed_columns(s.n) * packed_depth<Bf16>(s.k));
    kernels.pack_bf16(w.data(), s.k, s.n, s.k, packed.aligned());
    std::vector<float> c(static_cast<size_t>(s.m * ldc), 5.0F);
    kernels.gemm_bf16(rounded(a).data(), lda, packed.aligned(), s.m, s.n, s.k, {}, c.data(), ldc);
    for (int64_t i = 0; i < s.m; ++i) {
      for (int64_t j = s.n; j < ldc; ++j) EXPECT_EQ(c[static_cast<size_t>(i * ldc + j)], 5.0F);
    }
  }
}

TEST(Quantize, IsTheSameOnEveryIsa) {
  for (const int64_t cols : {1, 7, 8, 9, 16, 17, 31, 32, 33, 100, 768}) {
    for (const int32_t levels : {127, 255}) {
      auto x = normal(5 * cols, 15);
      std::fill(x.begin(), x.begin() + cols, 0.0F);                                // zeros
      for (int64_t i = 0; i < cols; ++i) x[static_cast<size_t>(cols + i)] = 3.5F;  // one sign
      Quantized expected(available()[0], x, 5, cols, levels);
      const auto narrow = rounded(x);
      Quantized expected_bf16(available()[0], widened(narrow), 5, cols, levels);
      for (const Kernels& kernels : all_tables()) {
        Quantized y(kernels, x, 5, cols, levels);
        EXPECT_EQ(y.q.values(), expected.q.values()) << kernels.isa << ' ' << cols;
        Cells<uint8_t> z(5 * cols);
        std::vector<RowScale> scales(5);
        kernels.quantize_bf16(narrow.data(), cols, 5, cols, levels, z.data(), cols, scales.data());
        EXPECT_EQ(z.values(), expected_bf16.q.values()) << kernels.isa << ' ' << cols;
        for (size_t r = 0; r < 5; ++r) {
          EXPECT_EQ(y.scales[r].scale, expected.scales[r].scale);
          EXPECT_EQ(y.scales[r].zero, expected.scales[r].zero);
          EXPECT_EQ(scales[r].scale, expected_bf16.scales[r].scale);
        }
      }
    }
  }
}

TEST(Quantize, IsWithinAStepAndKeepsZeroExact) {
  const int64_t cols = 200;
  auto x = normal(cols, 16);
  x[5] = 0;
  for (const Kernels& kernels : all_tables()) {
    for (const int32_t levels : {127, 255}) {
      Quantized y(kernels, x, 1, cols, levels);
      const auto q = y.q.values();
      const RowScale row = y.scales[0];
      EXPECT_EQ(q[5], row.zero);
      for (size_t i = 0; i < q.size(); ++i) {
        EXPECT_NEAR(row.scale * static_cast<float>(q[i] - row.zero), x[i], row.scale * 1.01F);
        EXPECT_LE(q[i], levels);
      }
    }
  }
}

TEST(Quantize, ARowThatIsNotFiniteIsNan) {
  for (const float bad : {kInf, -kInf, std::nanf("")}) {
    for (const int64_t at : {0, 16, 39}) {
      std::vector<float> x(80, 1.0F);
      x[static_cast<size_t>(at)] = bad;
      for (const Kernels& kernels : all_tables()) {
        Quantized y(kernels, x, 2, 40, 255);
        EXPECT_TRUE(std::isnan(y.scales[0].scale)) << kernels.isa;
        EXPECT_FALSE(std::isnan(y.scales[1].scale)) << kernels.isa;
      }
    }
  }
}

TEST(GemmU8S8, IsExactOnEveryIsa) {
  for (const Size& s : sizes()) {
    const auto a = normal(s.m * s.k, 17);
    const auto w = normal(s.n * s.k, 18);
    for (const int32_t levels : {127, 255}) {
      std::vector<float> expected;
      for (const Kernels& kernels : all_tables()) {
        if (kernels.u8_levels < levels) continue;
        const auto c = multiply_u8s8(kernels, a, w, s, levels);
        if (expected.empty()) expected = c;
        EXPECT_EQ(c, expected) << kernels.isa << ' ' << s.m << ' ' << s.n << ' ' << s.k;
      }
    }
  }
}

TEST(GemmU8S8, TheLargestOperandsDoNotOverflow) {
  const Size s{3, 33, 700};
  std::vector<float> a(static_cast<size_t>(s.m * s.k), 1.0F), w(static_cast<size_t>(s.n * s.k), 1);
  std::fill(w.begin(), w.begin() + s.k, -1.0F);
  for (const Kernels& kernels : all_tables()) {
    const auto c = multiply_u8s8(kernels, a, w, s, kernels.u8_levels);
    for (size_t i = 0; i < c.size(); ++i) {
      EXPECT_NEAR(c[i], i % 33 == 0 ? -700 : 700, 1e-3) << kernels.isa;
    }
  }
}

TEST(GemmU8S8, IsCloseToTheProductOfTheNumbersThemselves) {
  const Size s{20, 40, 768};
  const auto a = normal(s.m * s.k, 19);
  const auto w = normal(s.n * s.k, 20, 1 / std::sqrt(static_cast<float>(s.k)));
  std::vector<float> expected(static_cast<size_t>(s.m * s.n));
  ref::gemm<float>(a.data(), s.k, w.data(), s.k, s.m, s.n, s.k, {}, expected.data(), s.n);
  for (const Kernels& kernels : all_tables()) {
    const auto c = multiply_u8s8(kernels, a, w, s, kernels.u8_levels);
    double squares = 0;
    for (size_t i = 0; i < c.size(); ++i) squares += std::pow(double{c[i]} - expected[i], 2);
    EXPECT_LT(std::sqrt(squares / static_cast<double>(c.size())), 0.03) << kernels.isa;
  }
}

TEST(GemmU8S8, RowsAndColumnsMayBeSplitAndEpiloguesMatchRef) {
  const Size s{115, 100, 300};
  const auto a = normal(s.m * s.k, 21);
  const auto w = normal(s.n * s.k, 22, 0.1F);
  const auto bias = normal(s.n, 23);
  const auto scale = normal(s.n, 24);
  const auto residual = normal(s.m * s.n, 25);
  for (const Kernels& kernels : all_tables()) {
    for (const Act act : {Act::kNone, Act::kGelu}) {
      Epilogue epilogue{.bias = bias.data(),
                        .act = act,
                        .scale = scale.data(),
                        .residual = residual.data(),
                        .ld_residual = s.n};
      const auto expected = multiply_u8s8(available()[0], a, w, s, kernels.u8_levels, epilogue);
      const auto whole = multiply_u8s8(kernels, a, w, s, kernels.u8_levels, epilogue);
      EXPECT_LT(error(whole, expected), 1e-6) << kernels.isa;
      Packed packed(kernels, w, s.n, s.k);
      Quantized x(kernels, a, s.m, s.k, kernels.u8_levels);
      const int64_t begin = 17, rows = 40, from = 32, to = 100;
      std::vector<float> c(static_cast<size_t>(rows * (to - from)));
      S8Weights part = packed.weights();
      part.packed += from * packed_depth<int8_t>(s.k);
      part.scales += from;
      part.sums += from;
      epilogue.bias += from;
      epilogue.scale += from;
      epilogue.residual += begin * s.n + from;
      kernels.gemm_u8s8(x.q.data() + begin * s.k, s.k, x.scales.data() + begin, part, rows,
                        to - from, s.k, epilogue, c.data(), to - from);
      for (int64_t i = 0; i < rows; ++i) {
        ASSERT_TRUE(same_bits(c.data() + i * (to - from), whole.data() + (begin + i) * s.n + from,
                              to - from))
            << kernels.isa;
      }
      Cells<Bf16> narrow(s.m * s.n);
      kernels.gemm_u8s8_to_bf16(x.q.data(), s.k, x.scales.data(), packed.weights(), s.m, s.n, s.k,
                                {.bias = bias.data(), .act = act}, narrow.data(), s.n);
      const auto close = multiply_u8s8(available()[0], a, w, s, kernels.u8_levels,
                                       {.bias = bias.data(), .act = act});
      const auto y = widened(narrow.values());
      for (size_t i = 0; i < y.size(); ++i) {
        ASSERT_NEAR(y[i], close[i], std::max(std::abs(close[i]), 0.125F) * 3 / 512);
      }
      EXPECT_TRUE(narrow.intact());
    }
  }
}

TEST(LayerNormNarrow, IsLayerNormThenRounding) {
  for (const int64_t cols : {1, 9, 17, 40, 192, 769}) {
    const auto x = normal(3 * cols, 26);
    const auto gain = normal(cols, 27);
    const auto bias = normal(cols, 28);
    for (const Kernels& kernels : all_tables()) {
      std::vector<float> y(x.size());
      kernels.layer_norm(x.data(), cols, gain.data(), bias.data(), 3, cols, 1e-6F, y.data(), cols);
      Cells<Bf16> narrow(3 * cols);
      kernels.layer_norm_bf16(x.data(), cols, gain.data(), bias.data(), 3, cols, 1e-6F,
                              narrow.data(), cols);
      EXPECT_EQ(narrow.values(), rounded(y)) << kernels.isa << ' ' << cols;
      EXPECT_TRUE(narrow.intact());
      Quantized expected(kernels, y, 3, cols, 255);
      Cells<uint8_t> q(3 * cols);
      std::vector<RowScale> scales(3);
      kernels.layer_norm_u8(x.data(), cols, gain.data(), bias.data(), 3, cols, 1e-6F, 255, q.data(),
                            cols, scales.data());
      EXPECT_EQ(q.values(), expected.q.values()) << kernels.isa << ' ' << cols;
      for (size_t r = 0; r < 3; ++r) EXPECT_EQ(scales[r].scale, expected.scales[r].scale);
      EXPECT_TRUE(q.intact());
    }
  }
}

}  // namespace
}  // namespace clipnext::kernels
