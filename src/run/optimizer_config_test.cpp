#include "run/optimizer_config.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "run/parse_options.h"

namespace clipnext::run {
namespace {

model::OptimizerKind config_of(const std::vector<std::string>& arguments) {
  return optimizer_config(parse_options(arguments).options);
}

std::string error_of(const std::vector<std::string>& arguments) {
  try {
    config_of(arguments);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(OptimizerConfig, FollowsTheModelsNameUnlessItIsTimms) {
  const auto adamw = config_of({"--model", "ViT-B-32"});
  EXPECT_EQ(adamw.options.pair("betas"), (std::array{0.9, 0.98}));
  EXPECT_EQ(adamw.options.number("eps"), 1e-6);
  const auto lamb = config_of({"--model", "ViT-B-32", "--opt", "timm/LAMB", "--lr", "1e-3"});
  EXPECT_EQ(lamb.options.pair("betas"), (std::array{0.9, 0.999}));
  EXPECT_EQ(config_of({"--opt", "timm/adopt", "--lr", "1", "--beta1", "0.8", "--beta2", "0.9"})
                .options.pair("betas"),
            (std::array{0.8, 0.9}));
}

TEST(OptimizerConfig, TakesMomentumAndKeywords) {
  EXPECT_EQ(config_of({"--opt", "timm/sgdw", "--lr", "1", "--momentum", "0.5"})
                .options.number("momentum"),
            0.5);
  const auto kind =
      config_of({"--opt", "nadamw", "--opt-kwargs", "momentum_decay=1", "betas=(0.5, 0.6)"});
  EXPECT_EQ(kind.options.number("momentum_decay"), 1);
  EXPECT_EQ(kind.options.pair("betas"), (std::array{0.5, 0.6}));
  EXPECT_TRUE(config_of({"--opt", "timm/lamb", "--lr", "1", "--opt-kwargs", "max_grad_norm=None"})
                  .options.is_none("max_grad_norm"));
}

TEST(OptimizerConfig, TakesMuonsKeywords) {
  const auto kind =
      config_of({"--opt", "timm/NAdaMuon", "--lr", "1", "--eps", "1e-5", "--opt-fallback-list",
                 "*embedding*", "--opt-kwargs", "fallback_lr_scale=0.5", "adjust_lr_fn=rms_to_rms",
                 "ns_coefficients=(3.5, -4.75, 2)", "conv_mode='batched'"});
  EXPECT_EQ(kind.options.text("algo"), "adamuon");
  EXPECT_TRUE(kind.options.flag("nesterov"));
  EXPECT_EQ(kind.options.number("momentum"), 0.9);
  EXPECT_EQ(kind.options.number("eps"), 1e-5);
  EXPECT_EQ(kind.options.number("fallback_lr_scale"), 0.5);
  EXPECT_EQ(kind.options.text("adjust_lr_fn"), "rms_to_rms");
  EXPECT_EQ(kind.options.text("conv_mode"), "batched");
  EXPECT_EQ(*kind.options.find("ns_coefficients"),
            model::OptimizerOption(model::Coefficients{{3.5, -4.75, 2.0}}));
  const auto several =
      config_of({"--opt", "timm/muon", "--lr", "1", "--opt-kwargs",
                 "ns_coefficients=[(3, -3, 1), (2, -1.5, 0.5)]", "adjust_lr_fn=None"});
  EXPECT_TRUE(several.options.is_none("adjust_lr_fn"));
  EXPECT_EQ(*several.options.find("ns_coefficients"),
            model::OptimizerOption(model::Coefficients{{3.0, -3.0, 1.0}, {2.0, -1.5, 0.5}}));
}

TEST(OptimizerConfig, SaysWhatThereIs) {
  using Case = std::pair<std::vector<std::string>, const char*>;
  for (const auto& [arguments, part] : std::vector<Case>{
           {{"--opt", "timm/adan", "--lr", "1"}, "timm/lion"},
           {{"--opt", "timm/lion"}, "--lr"},
           {{"--opt", "timm/lion", "--lr", "1", "--momentum", "0.9"}, "no momentum; it has"},
           {{"--opt-kwargs", "amsgrad=True"}, "amsgrad"},
           {{"--opt-kwargs", "betas=0.9"}, "a pair of numbers"},
           {{"--opt-kwargs", "eps=small"}, "eps"},
           {{"--opt-kwargs", "lr=1"}, "--lr"},
           {{"--opt", "timm/muon", "--lr", "1", "--opt-kwargs", "fallback_list=['*']"},
            "--opt-fallback-list"},
           {{"--opt", "timm/muon", "--lr", "1", "--opt-kwargs", "ns_coefficients=[1, 2]"},
            "a name or triples of numbers"},
           {{"--opt", "timm/muon", "--lr", "1", "--opt-kwargs", "conv_mode=rows"}, "batched"},
           {{"--opt", "timm/lion", "--lr", "1", "--opt-fallback-list", "*"}, "timm/nadamuon"}}) {
    EXPECT_NE(error_of(arguments).find(part), std::string::npos) << error_of(arguments);
  }
}

}  // namespace
}  // namespace clipnext::run
