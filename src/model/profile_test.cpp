#include "model/profile.h"

#include <gtest/gtest.h>

#include <cmath>

namespace clipnext::model {
namespace {

constexpr double kMega = 1e6, kGiga = 1e9;

// What a table printed to two decimals says.
void expect_printed(double value, double printed, const std::string& what) {
  EXPECT_NEAR(value, printed, 0.005 + 1e-9) << what;
}

double gflops(const PartProfile& part) { return 2.0 * static_cast<double>(part.macs) / kGiga; }
double millions(int64_t count) { return static_cast<double>(count) / kMega; }
double billions(int64_t count) { return static_cast<double>(count) / kGiga; }

struct Row {
  const char* name;
  int64_t size;
  double mparams, image_mparams, text_mparams, gflops, image_gflops, text_gflops;
  int64_t image_flops, text_flops;
  double image_mact, text_mact, image_gmac, text_gmac;  // image_gmac 0: not published
};

// open_clip's docs/model_profile.csv, and timm's fvcore figures.
constexpr Row kTable[] = {
    {"convnext_tiny", 224, 92.3, 28.61, 63.69, 14.87, 8.91, 5.96, 8911099392, 5960065024, 13.44,
     5.30, 4.47, 2.98},
    {"convnext_small", 224, 113.28, 49.85, 63.43, 23.33, 17.37, 5.96, 17366674944, 5959540736,
     21.56, 5.30, 8.71, 2.98},
    {"convnext_base", 224, 151.52, 88.09, 63.43, 36.67, 30.71, 5.96, 30708459520, 5959540736, 28.75,
     5.30, 15.38, 2.98},
    {"convnext_base_w", 256, 179.39, 88.22, 91.16, 49.38, 40.11, 9.27, 40108949504, 9266247680,
     37.55, 6.63, 20.09, 4.64},
    {"convnext_base_w_320", 320, 179.39, 88.22, 91.16, 71.94, 62.67, 9.27, 62669496320, 9266247680,
     58.68, 6.63, 31.39, 4.64},
    {"convnext_large", 224, 321.06, 197.41, 123.65, 82.02, 68.72, 13.3, 68722154496, 13299683328,
     43.13, 7.95, 34.40, 6.66},
    {"convnext_large_d", 256, 351.77, 199.77, 152.0, 107.5, 89.76, 17.73, 89763545088, 17732517888,
     56.33, 10.60, 44.94, 8.88},
    {"convnext_large_d_320", 320, 351.77, 199.77, 152.0, 157.98, 140.25, 17.73, 140251557888,
     17732517888, 88.02, 10.60, 70.21, 8.88},
    {"convnext_xlarge", 256, 653.89, 350.25, 303.65, 198.38, 159.14, 39.24, 159139495936,
     39243169792, 75.11, 17.67, 79.65, 19.64},
    {"convnext_xxlarge", 256, 1200.58, 846.54, 354.03, 443.03, 395.94, 47.09, 395936661504,
     47091384320, 124.45, 21.20, 198.09, 23.57},
    {"convnext_xxlarge_320", 320, 1200.58, 846.54, 354.03, 665.74, 618.65, 47.09, 618647494656,
     47091384320, 194.46, 21.20, 309.52, 23.57},
    {"ViT-B-32", 224, 151.28, 87.85, 63.43, 14.78, 8.82, 5.96, 8817623040, 5959540736, 5.01, 5.30,
     4.41, 2.98},
    {"ViT-B-16", 224, 149.62, 86.19, 63.43, 41.09, 35.13, 5.96, 35126906880, 5959540736, 23.90,
     5.30, 17.58, 2.98},
    {"ViT-L-14", 224, 427.62, 303.97, 123.65, 175.33, 162.03, 13.3, 162025537536, 13299683328,
     88.79, 7.95, 81.08, 6.66},
    {"ViT-L-14-336", 336, 427.94, 304.29, 123.65, 395.22, 381.92, 13.3, 381919789056, 13299683328,
     270.24, 7.95, 191.11, 6.66},
    {"RN50x16", 384, 290.98, 167.33, 123.65, 162.69, 149.39, 13.3, 149390635008, 13299683328,
     103.54, 7.95, 0, 6.66},
};

TEST(Profile, EqualsEveryRowOfThePublishedTable) {
  for (const Row& row : kTable) {
    SCOPED_TRACE(row.name);
    const Profile p = profile(builtin_config(row.name));
    EXPECT_EQ(p.name, row.name);
    EXPECT_EQ(p.image_height, row.size);
    EXPECT_EQ(p.image_width, row.size);
    EXPECT_EQ(2 * p.image.sum.macs, row.image_flops);
    EXPECT_EQ(2 * p.text.sum.macs, row.text_flops);
    expect_printed(millions(p.total.parameters), row.mparams, "parameters");
    expect_printed(millions(p.image.sum.parameters), row.image_mparams, "image parameters");
    expect_printed(millions(p.text.sum.parameters), row.text_mparams, "text parameters");
    expect_printed(gflops(p.total), row.gflops, "GFLOPs");
    expect_printed(gflops(p.image.sum), row.image_gflops, "image GFLOPs");
    expect_printed(gflops(p.text.sum), row.text_gflops, "text GFLOPs");
    expect_printed(millions(p.image.sum.activations), row.image_mact, "image activations");
    expect_printed(millions(p.text.sum.activations), row.text_mact, "text activations");
    if (row.image_gmac > 0) {
      expect_printed(billions(p.image.sum.fvcore_macs), row.image_gmac, "image GMAC");
    }
    expect_printed(billions(p.text.sum.fvcore_macs), row.text_gmac, "text GMAC");
  }
}

TEST(Profile, BreaksConvNextLargeIntoItsParts) {
  struct Part {
    const char* name;
    int64_t side, parameters, macs, activations, norm_elements;
  };
  constexpr Part kParts[] = {
      {"stem", 80, 9792, 58982400, 1228800, 1228800},
      {"stage 0", 80, 918144, 5842944000, 22118400, 3686400},
      {"downsample 1", 40, 295680, 471859200, 614400, 1228800},
      {"stage 1", 40, 3605760, 5752627200, 11059200, 1843200},
      {"downsample 2", 20, 1181184, 471859200, 307200, 614400},
      {"stage 2", 20, 128604672, 51367219200, 49766400, 8294400},
      {"downsample 3", 10, 4721664, 471859200, 153600, 307200},
      {"stage 3", 10, 56890368, 5684889600, 2764800, 460800},
      {"head", 1, 3072 + 3540480, 3538944, 2304, 1536},
  };
  const Profile p = profile(builtin_config("convnext_large_d_320"));
  ASSERT_EQ(p.image.parts.size(), std::size(kParts));
  for (size_t i = 0; i < std::size(kParts); ++i) {
    const PartProfile& part = p.image.parts[i];
    SCOPED_TRACE(kParts[i].name);
    EXPECT_EQ(part.name, kParts[i].name);
    EXPECT_EQ(part.height, kParts[i].side);
    EXPECT_EQ(part.width, kParts[i].side);
    EXPECT_EQ(part.parameters, kParts[i].parameters);
    EXPECT_EQ(part.macs, kParts[i].macs);
    EXPECT_EQ(part.activations, kParts[i].activations);
    EXPECT_EQ(part.norm_elements, kParts[i].norm_elements);
  }
  EXPECT_EQ(p.image.sum.blocks, 36);
  EXPECT_EQ(p.image.sum.macs, 70125778944);
  EXPECT_EQ(p.image.sum.activations, 88015104);
  EXPECT_EQ(p.image.sum.norm_elements, 17665536);
  EXPECT_EQ(p.text.sum.macs, 8866258944);
  EXPECT_EQ(p.total.parameters, 351772609);
}

// The model card of convnext_large_d_320: 2.5x the GMAC, 2.8x the activations, 1.22x the
// parameters.
TEST(Profile, GivesTheModelCardsRatiosToVitL336) {
  const PartProfile convnext = profile(builtin_config("convnext_large_d_320")).total;
  const PartProfile vit = profile(builtin_config("ViT-L-14-336")).total;
  const auto ratio = [](int64_t a, int64_t b) {
    return static_cast<double>(a) / static_cast<double>(b);
  };
  expect_printed(ratio(vit.macs, convnext.macs), 2.50, "FLOPs");
  expect_printed(ratio(vit.fvcore_macs, convnext.fvcore_macs), 2.50, "GMAC");
  expect_printed(ratio(vit.activations, convnext.activations), 2.82, "activations");
  expect_printed(ratio(vit.parameters, convnext.parameters), 1.22, "parameters");
}

TEST(Profile, CountsEveryParameterOnce) {
  for (const std::string& name : builtin_config_names()) {
    const Profile p = profile(builtin_config(name));
    EXPECT_EQ(p.total.parameters, p.image.sum.parameters + p.text.sum.parameters + 1) << name;
    for (const TowerProfile* tower : {&p.image, &p.text}) {
      for (const PartProfile& part : tower->parts)
        EXPECT_GT(part.parameters, 0) << name << part.name;
    }
  }
}

}  // namespace
}  // namespace clipnext::model
