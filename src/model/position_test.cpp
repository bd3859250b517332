#include "model/position.h"

#include <gtest/gtest.h>

#include <span>

namespace clipnext::model {
namespace {

// torch 2.15: interpolate(mode="bicubic", antialias=True) of table() in float64.
constexpr double kGrid2To3x3[] = {-0.3589638157894738,
                                  0.2849506578947369,
                                  -0.2705592105263158,
                                  0.3733552631578948,
                                  -0.18215460526315794,
                                  0.46175986842105265,
                                  -0.18215460526315794,
                                  -0.10402960526315791,
                                  -0.09375,
                                  -0.015625,
                                  -0.005345394736842118,
                                  0.07277960526315788,
                                  -0.005345394736842138,
                                  -0.49300986842105254,
                                  0.08305921052631576,
                                  -0.4046052631578947,
                                  0.17146381578947364,
                                  -0.3162006578947368};
constexpr double kGrid5To3x3[] = {-0.12018121301775143, 0.2596005917159762,   -0.14154405187835425,
                                  -0.07053890876565293, 0.15140162721893496,  -0.3201775147928994,
                                  0.24236471377459745,  -0.14752459749552774, -0.12213527582477016,
                                  0.10421038399134674,  -0.14861471377459765, 0.16646914132379256,
                                  -0.05765162721893491, -0.1514792899408284,  0.23529405187835428,
                                  -0.2504092128801433,  0.21393121301775156,  0.05383136094674565};
constexpr double kGrid3To2x4[] = {
    -0.1509442155195132,  0.037132630387388905,   -0.055813941375732534, 0.1750565326350214,
    0.0827501372023778,   0.04316488159678792,    0.17788041134615842,   -0.27585774478330655,
    -0.19408225725306055, -0.0060054113461584235, -0.09895198310927986,  0.13191849090147406,
    0.03961209546883046,  2.6839863240576967e-05, 0.1347423696126111,    -0.31899578651685395};
// interpolate(mode="linear", align_corners=False).
constexpr double kText3To5[] = {
    -0.328125,           0.25,      -0.265625, 0.3125, -0.171875, 0.40625, -0.07812500000000003,
    -0.0999999999999999, -0.015625, -0.4375};
constexpr double kText5To3[] = {-0.2760416666666667, 0.30208333333333337, -0.015625, -0.4375,
                                0.24479166666666669, -0.1770833333333333};

/// Values in [-0.5, 0.5) that are exact in float32.
std::vector<float> table(size_t count) {
  std::vector<float> values;
  for (size_t i = 0; i < count; ++i) {
    values.push_back(static_cast<float>((i * 37 + 11) % 64) / 64 - 0.5f);
  }
  return values;
}

/// got, after `skip` values, is `want` rounded to float32.
void expect_rounded(const std::vector<float>& got, size_t skip, std::span<const double> want) {
  ASSERT_EQ(got.size(), skip + want.size());
  for (size_t i = 0; i < want.size(); ++i) {
    EXPECT_NEAR(got[skip + i], want[i], 3e-8) << i;  // half a unit in the last place
  }
}

void expect_grid(int64_t old, int64_t h, int64_t w, std::span<const double> want) {
  std::vector<float> in = {7, -7};  // the class row
  const std::vector<float> grid = table(static_cast<size_t>(old * old * 2));
  in.insert(in.end(), grid.begin(), grid.end());
  const std::vector<float> out = resize_grid_positions(in, old, h, w, 2);
  EXPECT_EQ(out[0], 7);
  EXPECT_EQ(out[1], -7);
  expect_rounded(out, 2, want);
}

TEST(ResizeGridPositions, EqualsTorchUpwards) { expect_grid(2, 3, 3, kGrid2To3x3); }
TEST(ResizeGridPositions, EqualsTorchDownwards) { expect_grid(5, 3, 3, kGrid5To3x3); }
TEST(ResizeGridPositions, EqualsTorchForOtherShapes) { expect_grid(3, 2, 4, kGrid3To2x4); }

TEST(ResizeTextPositions, EqualsTorch) {
  expect_rounded(resize_text_positions(table(6), 3, 5, 2), 0, kText3To5);
  expect_rounded(resize_text_positions(table(10), 5, 3, 2), 0, kText5To3);
}

TEST(ResizeTextPositions, OneRowIsRepeated) {
  EXPECT_EQ(resize_text_positions({1, 2}, 1, 3, 2), (std::vector<float>{1, 2, 1, 2, 1, 2}));
}

}  // namespace
}  // namespace clipnext::model
