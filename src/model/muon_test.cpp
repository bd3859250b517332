#include "model/muon.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/test_error.h"
#include "model/builtin.h"
#include "model/param_order.h"

namespace clipnext::model {
namespace {

TEST(Muon, TakesMatricesAndConvolutionsThatAreNotNarrow) {
  using Shape = std::vector<int64_t>;
  for (const Shape& shape :
       {Shape{64, 128}, {96, 3, 4, 4}, {4, 4}, {4, 512}, {512, 4}, {2, 2, 4}}) {
    EXPECT_EQ(suits_muon(shape), shape[0] >= 4) << weights::format_shape(shape);
  }
  for (const Shape& shape : {Shape{},
                             {64},
                             {64, 1},
                             {1, 64},
                             {1, 196, 768},
                             {96, 1, 7, 7},
                             {3, 3},
                             {4, 513},
                             {513, 4},
                             {49408, 384},
                             {3, 96, 4, 4}}) {
    EXPECT_FALSE(suits_muon(shape)) << weights::format_shape(shape);
  }
}

// What timm 1.0.31 gives to Muon of open_clip's models.
TEST(Muon, TakesOfAModelWhatTimmDoes) {
  const auto taken = [](const char* model) {
    const auto params = ordered_params(builtin_config(model));
    return std::count_if(params.begin(), params.end(),
                         [](const ParamInfo& info) { return suits_muon(info.shape); });
  };
  EXPECT_EQ(taken("ViT-B-32"), 102);
  EXPECT_EQ(taken("convnext_base_w"), 128);
  EXPECT_EQ(taken("RN50"), 111);
}

OptimizerOptions options_with(const char* name, OptimizerOption value) {
  OptimizerKind kind = optimizer_kind("timm/muon");
  set_argument(kind, name, value);
  return kind.options;
}

TEST(Muon, TakesThePolynomialOfEachStepByNameOrAsGiven) {
  const auto quintic = newton_schulz_steps(optimizer_kind("timm/muon").options);
  ASSERT_EQ(quintic.size(), 5U);
  EXPECT_EQ(quintic[0][0], 4.0848);
  EXPECT_EQ(newton_schulz_steps(options_with("ns_steps", int64_t{2})),
            Coefficients(quintic.begin(), quintic.begin() + 2));
  const auto more = newton_schulz_steps(options_with("ns_steps", int64_t{7}));
  EXPECT_EQ(more[6], quintic[4]);
  const std::array own{3.0, -3.0, 1.0};
  EXPECT_EQ(newton_schulz_steps(options_with("ns_coefficients", Coefficients{own})),
            Coefficients(5, own));
}

TEST(Muon, RefusesNamesThatItDoesNotKnow) {
  const auto error_with = [](const char* name, OptimizerOption value) {
    return message_of([&] { check_muon(options_with(name, value)); });
  };
  EXPECT_EQ(error_with("algo", std::string("adamuon")), "no error");
  EXPECT_EQ(error_with("adjust_lr_fn", std::monostate()), "no error");
  EXPECT_EQ(error_with("conv_mode", std::string("rows")),
            "Muon's conv_mode is rows, expected one of flatten, batched");
  EXPECT_EQ(error_with("adjust_lr_fn", std::string("rsqrt_in")),
            "Muon's adjust_lr_fn is rsqrt_in, expected one of original, match_rms_adamw, "
            "rms_to_rms");
  EXPECT_EQ(error_with("ns_coefficients", std::string("cubic")),
            "Muon's ns_coefficients is cubic, expected one of original, polar_express, "
            "polar_express_safer, quintic");
  EXPECT_EQ(error_with("ns_coefficients", 3.0),
            "the optimizer's ns_coefficients is a name or triples of numbers, not a number");
  EXPECT_NE(error_with("ns_steps", 2.5), "no error");
  EXPECT_NE(error_with("momentum", 1.0), "no error");
}

TEST(Muon, TakesTheRateOfItsAdamWByItsOlderNameToo) {
  OptimizerKind kind = optimizer_kind("timm/nadamuon");
  kind.options.set("lr", 1e-2);
  set_argument(kind, "adamw_lr", 1e-3);
  EXPECT_DOUBLE_EQ(kind.options.number("fallback_lr_scale"), 0.1);
  kind.options.set("lr", 0.0);
  EXPECT_NE(message_of([&] { set_argument(kind, "adamw_lr", 1e-3); }), "no error");
}

}  // namespace
}  // namespace clipnext::model
