// LayerNorm, row mean and L2 normalisation against their definitions.
#include <algorithm>
#include <array>

#include "kernels/ref/ref.h"
#include "kernels/testing.h"

namespace clipnext::kernels {
namespace {

constexpr int64_t kSizes[] = {1, 7, 8, 9, 15, 16, 17, 31, 33, 40, 64, 100, 192, 768, 1536};

TEST(LayerNorm, RefOnKnownValues) {
  const std::array<double, 4> x{1, 2, 3, 6}, gain{1, 1, 2, 1}, bias{0, 0, 0, 10};
  std::array<double, 4> y{};
  ref::layer_norm<double>(x.data(), 4, gain.data(), bias.data(), 1, 4, 0, y.data(), 4);
  const double deviation = std::sqrt(3.5);  // mean 3, squares 4 + 1 + 0 + 9 over 4
  EXPECT_NEAR(y[0], -2 / deviation, 1e-15);
  EXPECT_NEAR(y[1], -1 / deviation, 1e-15);
  EXPECT_NEAR(y[2], 0, 1e-15);
  EXPECT_NEAR(y[3], 3 / deviation + 10, 1e-14);
}

TEST(LayerNorm, MatchesRefOnEveryIsaUnalignedAndInPlace) {
  const int64_t rows = 3;
  for (const int64_t cols : kSizes) {
    const auto x = normal(rows * cols, 1);
    const auto gain = normal(cols, 2);
    const auto bias = normal(cols, 3);
    std::vector<float> expected(x.size());
    available()[0].layer_norm(x.data(), cols, gain.data(), bias.data(), rows, cols, 1e-6F,
                              expected.data(), cols);
    for (const Kernels& kernels : all_tables()) {
      Guarded y(x);
      kernels.layer_norm(y.data(), cols, gain.data(), bias.data(), rows, cols, 1e-6F, y.data(),
                         cols);
      EXPECT_LT(error(y.values(), expected), 6e-7) << kernels.isa << ' ' << cols;
      EXPECT_TRUE(y.intact());
    }
  }
}

TEST(LayerNorm, ALargeCommonOffsetCostsNoAccuracy) {
  const int64_t cols = 769;
  auto x = normal(cols, 4);
  for (float& v : x) v += 3000;
  const std::vector<float> gain(x.size(), 1), bias(x.size(), 0);
  std::vector<float> expected(x.size()), y(x.size());
  available()[0].layer_norm(x.data(), cols, gain.data(), bias.data(), 1, cols, 1e-6F,
                            expected.data(), cols);
  for (const Kernels& kernels : all_tables()) {
    kernels.layer_norm(x.data(), cols, gain.data(), bias.data(), 1, cols, 1e-6F, y.data(), cols);
    EXPECT_LT(error(y, expected), 6e-7) << kernels.isa;
  }
}

TEST(LayerNorm, AConstantRowGivesTheBias) {
  const std::vector<float> x(100, 0.1F), gain(100, 3), bias(100, -2);
  for (const Kernels& kernels : all_tables()) {
    std::vector<float> y(100);
    kernels.layer_norm(x.data(), 100, gain.data(), bias.data(), 1, 100, 1e-6F, y.data(), 100);
    for (const float v : y) EXPECT_NEAR(v, -2, 1e-4) << kernels.isa;
  }
}

TEST(LayerNorm, HonoursStridesAndLeavesTheRest) {
  const int64_t rows = 4, cols = 19, ldx = 23, ldy = 40;
  const auto x = normal(rows * ldx, 5);
  const auto gain = normal(cols, 6);
  for (const Kernels& kernels : all_tables()) {
    std::vector<float> y(static_cast<size_t>(rows * ldy), Guarded::kValue);
    kernels.layer_norm(x.data(), ldx, gain.data(), gain.data(), rows, cols, 1e-5F, y.data(), ldy);
    for (int64_t r = 0; r < rows; ++r) {
      std::vector<float> one(static_cast<size_t>(cols));
      kernels.layer_norm(x.data() + r * ldx, ldx, gain.data(), gain.data(), 1, cols, 1e-5F,
                         one.data(), cols);
      EXPECT_TRUE(same_bits(one.data(), y.data() + r * ldy, cols)) << kernels.isa;
      for (int64_t i = cols; i < ldy; ++i) {
        EXPECT_EQ(y[static_cast<size_t>(r * ldy + i)], Guarded::kValue);
      }
    }
  }
}

TEST(MeanRows, MatchesRefOnEveryIsa) {
  for (const int64_t c : kSizes) {
    for (const int64_t rows : {1, 15, 16, 17, 100, 1000}) {
      const auto x = normal(rows * c, 7);
      std::vector<float> expected(static_cast<size_t>(c));
      available()[0].mean_rows(x.data(), rows, c, expected.data());
      for (const Kernels& kernels : all_tables()) {
        Guarded y(c);
        kernels.mean_rows(x.data(), rows, c, y.data());
        EXPECT_LT(error(y.values(), expected), 3e-7) << kernels.isa << ' ' << rows << ' ' << c;
        EXPECT_TRUE(y.intact());
      }
    }
  }
}

TEST(L2Normalize, GivesUnitRowsAndLeavesZeroAlone) {
  for (const int64_t cols : kSizes) {
    auto x = normal(3 * cols, 8, 1e15F);  // squares overflow f32
    std::fill(x.begin() + cols, x.begin() + 2 * cols, 0.0F);
    for (const Kernels& kernels : all_tables()) {
      Guarded y(x);
      kernels.l2_normalize(y.data(), 3, cols);
      const auto unit = y.values();
      for (int64_t r = 0; r < 3; ++r) {
        double squares = 0;
        for (int64_t i = 0; i < cols; ++i)
          squares += std::pow(unit[static_cast<size_t>(r * cols + i)], 2);
        EXPECT_NEAR(squares, r == 1 ? 0 : 1, 1e-6) << kernels.isa << ' ' << cols;
      }
      EXPECT_TRUE(y.intact());
    }
  }
}

}  // namespace
}  // namespace clipnext::kernels
