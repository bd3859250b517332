// GELU, QuickGELU and ReLU against their formulas in double, over the whole line.
#include <algorithm>
#include <numbers>

#include "kernels/testing.h"

namespace clipnext::kernels {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

double formula(double z, Act act) {
  if (act == Act::kGelu) return 0.5 * z * std::erfc(-z / std::numbers::sqrt2);
  if (act == Act::kQuickGelu) return z / (1 + std::exp(-1.702 * z));
  return act == Act::kRelu ? std::max(z, 0.0) : z;
}

/// Dense near zero, out to 100, both signs.
std::vector<float> sweep() {
  std::vector<float> x;
  for (double z = 1e-6; z < 100; z *= 1.00005) {
    x.push_back(static_cast<float>(z));
    x.push_back(static_cast<float>(-z));
  }
  for (int i = -100000; i <= 100000; ++i) x.push_back(static_cast<float>(i) * 1e-4F);
  return x;
}

TEST(Activation, IsExactToFloatAccuracyOnEveryIsa) {
  const auto x = sweep();
  for (const Kernels& kernels : all_tables()) {
    for (const Act act : {Act::kNone, Act::kGelu, Act::kQuickGelu, Act::kRelu}) {
      std::vector<float> y(x.size());
      kernels.activation(x.data(), std::ssize(x), act, y.data());
      double worst = 0;
      float where = 0;
      for (size_t i = 0; i < x.size(); ++i) {
        const double z = x[i];
        const double e = std::abs(y[i] - formula(z, act)) / std::max(1.0, std::abs(z));
        if (!(e <= worst)) {
          worst = e;
          where = x[i];
        }
      }
      EXPECT_LE(worst, 1.2e-7) << kernels.isa << " act " << static_cast<int>(act) << " at "
                               << where;
    }
  }
}

TEST(GeluGrad, IsTheFormulaOnEveryIsa) {
  const auto z = sweep();
  std::vector<float> g(z.size());
  for (size_t i = 0; i < g.size(); ++i) g[i] = 0.5F + static_cast<float>(i % 7);
  for (const Kernels& kernels : all_tables()) {
    std::vector<float> y(z.size());
    std::vector<float> dz = g;  // in place
    kernels.gelu_grad(z.data(), dz.data(), std::ssize(z), y.data(), dz.data());
    double worst = 0;
    double worst_y = 0;
    for (size_t i = 0; i < z.size(); ++i) {
      const double v = z[i];
      const double slope = 0.5 * std::erfc(-v / std::numbers::sqrt2) +
                           v * std::exp(-0.5 * v * v) / std::sqrt(2 * std::numbers::pi);
      worst = std::max(worst, std::abs(dz[i] / double{g[i]} - slope));
      worst_y =
          std::max(worst_y, std::abs(y[i] - formula(v, Act::kGelu)) / std::max(1.0, std::abs(v)));
    }
    EXPECT_LE(worst, 3e-7) << kernels.isa;
    EXPECT_LE(worst_y, 1.2e-7) << kernels.isa;
  }
}

TEST(GeluGrad, LeavesWhatLiesBehindItsEnd) {
  for (const Kernels& kernels : all_tables()) {
    for (const int64_t count : {1, 7, 8, 9, 15, 17, 33}) {
      const auto z = normal(count, 1);
      Guarded dz(normal(count, 2));
      Guarded y(count);
      kernels.gelu_grad(z.data(), dz.data(), count, y.data(), dz.data());
      EXPECT_TRUE(dz.intact() && y.intact()) << kernels.isa << ' ' << count;
    }
  }
}

TEST(Activation, KnownValues) {
  for (const Kernels& kernels : all_tables()) {
    const std::vector<float> x{1, -1, 2};
    std::vector<float> y(3);
    kernels.activation(x.data(), 3, Act::kGelu, y.data());
    EXPECT_NEAR(y[0], 0.8413447460685429, 1e-7);  // the normal distribution at 1, -1, 2
    EXPECT_NEAR(y[1], -0.15865525393145707, 1e-7);
    EXPECT_NEAR(y[2], 2 * 0.9772498680518208, 2e-7);
    kernels.activation(x.data(), 3, Act::kQuickGelu, y.data());
    EXPECT_NEAR(y[0], 0.8457957659328212, 1e-7);
    EXPECT_NEAR(y[1], -0.15420423406717881, 1e-7);
  }
}

TEST(Activation, SmallInputsKeepRelativeAccuracy) {
  for (const Kernels& kernels : all_tables()) {
    for (const Act act : {Act::kGelu, Act::kQuickGelu}) {
      for (float z = 1e-30F; z < 0.5F; z *= 1.7F) {
        for (const float x : {z, -z}) {
          float y = 0;
          kernels.activation(&x, 1, act, &y);
          EXPECT_NEAR(y / formula(x, act), 1, 4e-7) << kernels.isa << ' ' << x;
        }
      }
    }
  }
}

TEST(Activation, LimitsAndNan) {
  for (const Kernels& kernels : all_tables()) {
    for (const Act act : {Act::kGelu, Act::kQuickGelu, Act::kRelu}) {
      const std::vector<float> x{kInf, -kInf, 0.0F, -0.0F, 3e38F, -3e38F, std::nanf("")};
      std::vector<float> y(x.size());
      kernels.activation(x.data(), std::ssize(x), act, y.data());
      EXPECT_EQ(y[0], kInf);
      EXPECT_NEAR(y[1], 0, 1e-12) << kernels.isa;
      EXPECT_EQ(y[2], 0);
      EXPECT_EQ(y[3], 0);
      EXPECT_EQ(y[4], 3e38F);
      EXPECT_NEAR(y[5], 0, 1e-12);
      EXPECT_TRUE(std::isnan(y[6])) << kernels.isa << ' ' << static_cast<int>(act);
    }
  }
}

TEST(Activation, WorksAtEverySizeUnalignedAndInPlace) {
  for (const Kernels& kernels : all_tables()) {
    for (const int64_t count : {0, 1, 7, 8, 9, 15, 16, 17, 31, 33, 100}) {
      const auto x = normal(count, 1, 2);
      std::vector<float> expected(x.size());
      available()[0].activation(x.data(), count, Act::kGelu, expected.data());
      Guarded y(x);
      kernels.activation(y.data(), count, Act::kGelu, y.data());
      EXPECT_LT(error(y.values(), expected), 2e-7) << kernels.isa << ' ' << count;
      EXPECT_TRUE(y.intact());
    }
  }
}

}  // namespace
}  // namespace clipnext::kernels
