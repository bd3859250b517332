// depthwise_conv7 against the sum written out, at every kind of border.
#include "kernels/ref/ref.h"
#include "kernels/testing.h"

namespace clipnext::kernels {
namespace {

struct Picture {
  int64_t h, w, c;
};

constexpr Picture kPictures[] = {{1, 1, 1},  {1, 5, 3},    {2, 2, 8},   {3, 7, 16},   {7, 3, 17},
                                 {4, 9, 15}, {5, 16, 7},   {6, 17, 33}, {10, 10, 40}, {8, 20, 31},
                                 {9, 33, 9}, {12, 40, 16}, {5, 80, 24}, {3, 11, 192}};

TEST(DepthwiseConv7, RefIsTheFormula) {
  const int64_t h = 5, w = 9, c = 3;
  const auto x = widen(normal(h * w * c, 1));
  const auto weight = widen(normal(49 * c, 2));
  const auto bias = widen(normal(c, 3));
  std::vector<double> y(x.size());
  ref::depthwise_conv7<double>(x.data(), h, w, c, weight.data(), bias.data(), 0, h, y.data());
  const auto at = [&](int64_t row, int64_t column, int64_t ch) {
    const bool inside = row >= 0 && row < h && column >= 0 && column < w;
    return inside ? x[static_cast<size_t>((row * w + column) * c + ch)] : 0.0;
  };
  for (int64_t row = 0; row < h; ++row) {
    for (int64_t column = 0; column < w; ++column) {
      for (int64_t ch = 0; ch < c; ++ch) {
        double sum = bias[static_cast<size_t>(ch)];
        for (int64_t i = 0; i < 7; ++i) {
          for (int64_t j = 0; j < 7; ++j) {
            sum += at(row + i - 3, column + j - 3, ch) *
                   weight[static_cast<size_t>((i * 7 + j) * c + ch)];
          }
        }
        EXPECT_NEAR(y[static_cast<size_t>((row * w + column) * c + ch)], sum, 1e-13);
      }
    }
  }
}

TEST(DepthwiseConv7, MatchesRefOnEveryIsaUnaligned) {
  for (const auto& [h, w, c] : kPictures) {
    const auto x = normal(h * w * c, 4);
    const auto weight = normal(49 * c, 5, 0.3F);
    const auto bias = normal(c, 6);
    std::vector<float> expected(x.size());
    available()[0].depthwise_conv7(x.data(), h, w, c, weight.data(), bias.data(), 0, h,
                                   expected.data());
    for (const Kernels& kernels : all_tables()) {
      Guarded y(h * w * c);
      kernels.depthwise_conv7(x.data(), h, w, c, weight.data(), bias.data(), 0, h, y.data());
      EXPECT_LT(error(y.values(), expected), 2e-6)
          << kernels.isa << ' ' << h << ' ' << w << ' ' << c;
      EXPECT_TRUE(y.intact());
    }
  }
}

/// Sum of g times depthwise_conv7(x).
double product(const std::vector<double>& x, const std::vector<double>& weight,
               const std::vector<double>& bias, const std::vector<double>& g, const Picture& p) {
  std::vector<double> y(x.size());
  ref::depthwise_conv7<double>(x.data(), p.h, p.w, p.c, weight.data(), bias.data(), 0, p.h,
                               y.data());
  double sum = 0;
  for (size_t i = 0; i < y.size(); ++i) sum += y[i] * g[i];
  return sum;
}

TEST(DepthwiseConv7Grad, RefIsTheDerivative) {
  const Picture p{5, 9, 2};
  const int64_t size = p.h * p.w * p.c;
  const auto x = widen(normal(size, 1));
  const auto g = widen(normal(size, 2));
  const std::vector<double> none(static_cast<size_t>(49 * p.c));
  const std::vector<double> no_bias(static_cast<size_t>(p.c));
  std::vector<double> weight_grad(none.size());
  std::vector<double> bias_grad(no_bias.size());
  ref::depthwise_conv7_grad<double>(x.data(), g.data(), p.h, p.w, p.c, weight_grad.data(),
                                    bias_grad.data());
  // The convolution is linear in its weight and bias: a derivative is the value at a unit vector.
  for (size_t i = 0; i < none.size(); ++i) {
    auto unit = none;
    unit[i] = 1;
    EXPECT_NEAR(weight_grad[i], product(x, unit, no_bias, g, p), 1e-12) << i;
  }
  for (size_t i = 0; i < no_bias.size(); ++i) {
    auto unit = no_bias;
    unit[i] = 1;
    EXPECT_NEAR(bias_grad[i], product(x, none, unit, g, p), 1e-12) << i;
  }
}

TEST(DepthwiseConv7Grad, MatchesRefOnEveryIsaUnaligned) {
  for (const auto& [h, w, c] : kPictures) {
    const auto x = normal(h * w * c, 4);
    const auto g = normal(h * w * c, 5);
    std::vector<float> expected(static_cast<size_t>(50 * c));
    available()[0].depthwise_conv7_grad(x.data(), g.data(), h, w, c, expected.data(),
                                        expected.data() + 49 * c);
    for (const Kernels& kernels : all_tables()) {
      Guarded grad(50 * c);
      kernels.depthwise_conv7_grad(x.data(), g.data(), h, w, c, grad.data(), grad.data() + 49 * c);
      // Of sums of up to 400 products of normal deviates, so of size 20 where they do not cancel.
      EXPECT_LT(error(grad.values(), expected), 2e-5)
          << kernels.isa << ' ' << h << ' ' << w << ' ' << c;
      EXPECT_TRUE(grad.intact());
    }
  }
}

TEST(DepthwiseConv7, ComputesTheRowsAskedForAndTheSameBits) {
  const int64_t h = 12, w = 21, c = 20;
  const auto x = normal(h * w * c, 7);
  const auto weight = normal(49 * c, 8);
  const auto bias = normal(c, 9);
  for (const Kernels& kernels : all_tables()) {
    std::vector<float> whole(x.size());
    kernels.depthwise_conv7(x.data(), h, w, c, weight.data(), bias.data(), 0, h, whole.data());
    std::vector<float> parts(x.size(), Guarded::kValue);
    for (const int64_t begin : {0, 1, 5, 11}) {
      const int64_t end = begin == 0 ? 1 : begin == 1 ? 5 : begin == 5 ? 11 : 12;
      kernels.depthwise_conv7(x.data(), h, w, c, weight.data(), bias.data(), begin, end,
                              parts.data());
      for (size_t i = static_cast<size_t>(end * w * c); i < parts.size(); ++i) {
        ASSERT_EQ(parts[i], Guarded::kValue) << kernels.isa;
      }
    }
    EXPECT_TRUE(same_bits(parts.data(), whole.data(), h * w * c)) << kernels.isa;
  }
}

}  // namespace
}  // namespace clipnext::kernels
