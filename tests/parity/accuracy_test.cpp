// Float32 towers against the float64 evaluation of the same weights.
#include <gtest/gtest.h>

#include <cmath>

#include "infer/clip.h"
#include "infer/reference.h"
#include "synthetic.h"

namespace clipnext {
namespace {

// |x - y| / |y| over the features: what float32 arithmetic with well ordered sums reaches, and
// better than the reference's own float32.
constexpr double kTolerance = 1e-6;

double relative_error(const std::vector<float>& x, const std::vector<double>& y) {
  double difference = 0;
  double norm = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    difference += (double{x[i]} - y[i]) * (double{x[i]} - y[i]);
    norm += y[i] * y[i];
  }
  return std::sqrt(difference / norm);
}

/// Both computations of one model.
class Pair {
 public:
  explicit Pair(const model::ClipConfig& config)
      : config_(config),
        tensors_(testing::synthetic_weights(config, pool_)),
        clip_(config, tensors_, pool_),
        reference_(config, tensors_, pool_) {}

  double image_error(int64_t h, int64_t w) {
    const auto pixels = testing::synthetic_picture(h, w, 1);
    std::vector<float> x(static_cast<size_t>(config_.embed_dim));
    clip_.embed_images({pixels.data(), 1, h, w}, x.data(), false);
    return relative_error(x, reference_.embed_image(pixels.data(), h, w));
  }

  double text_error(const std::vector<int32_t>& ids) {
    model::TokenRows rows;
    rows.add(ids);
    std::vector<float> x(static_cast<size_t>(config_.embed_dim));
    clip_.embed_texts(rows, x.data(), false);
    return relative_error(x, reference_.embed_text(ids));
  }

 private:
  model::ClipConfig config_;
  ThreadPool pool_;
  weights::TensorMap tensors_;
  infer::Clip clip_;
  infer::Reference reference_;
};

/// As long as the context allows.
std::vector<int32_t> long_text(int64_t context) {
  std::vector<int32_t> ids{49406};
  while (static_cast<int64_t>(ids.size()) < context - 1) {
    ids.push_back(static_cast<int32_t>(ids.size() * 617 % 49000));
  }
  ids.push_back(49407);
  return ids;
}

void expect_accurate(const model::ClipConfig& config) {
  Pair pair(config);
  EXPECT_LE(pair.image_error(config.image_height, config.image_width), kTolerance);
  EXPECT_LE(pair.text_error(testing::sample_texts()[0]), kTolerance);
  EXPECT_LE(pair.text_error(long_text(config.text.context_length)), kTolerance);
}

class Accuracy : public ::testing::TestWithParam<const char*> {};

TEST_P(Accuracy, TinyModelIsWithinMillionthOfFloat64) {
  expect_accurate(testing::tiny_config(GetParam()));
}
INSTANTIATE_TEST_SUITE_P(Tiny, Accuracy,
                         ::testing::Values("tiny_convnext_mlp", "tiny_convnext_linear", "tiny_vit",
                                           "tiny_vit_quickgelu", "tiny_rn"),
                         [](const auto& test) { return std::string(test.param); });

TEST(Accuracy, ConvNextTakesAnySizeFrom32Up) {
  Pair pair(testing::tiny_config("tiny_convnext_mlp"));
  for (const auto& [h, w] : {std::pair<int64_t, int64_t>{32, 32}, {33, 63}, {96, 40}, {127, 161}}) {
    EXPECT_LE(pair.image_error(h, w), kTolerance) << h << "x" << w;
  }
}

TEST(Accuracy, EveryStemAndHeadOfTimmIsWithinMillionthOfFloat64) {
  model::ClipConfig config = testing::tiny_config("tiny_convnext_linear");
  const auto check = [&](const char* what, const auto& change) {
    model::ConvNextConfig vision = std::get<model::ConvNextConfig>(config.vision);
    change(vision);
    model::ClipConfig changed = config;
    changed.vision = vision;
    EXPECT_LE(Pair(changed).image_error(65, 70), kTolerance) << what;
  };
  check("overlapping stem", [](auto& v) {
    v.stem = model::StemType::kOverlap;
    v.stem_width = v.dims[0];
  });
  check("tiered stem", [](auto& v) {
    v.stem = model::StemType::kOverlapTiered;
    v.stem_width = 6;
  });
  check("1x1 convolutions", [](auto& v) { v.conv_mlp = true; });
  check("norm before pooling", [](auto& v) { v.head_norm_first = true; });
  check("pre-logits and linear head", [](auto& v) { v.pre_logits = 40; });
  check("pre-logits and MLP head", [](auto& v) {
    v.pre_logits = 80;
    v.head = model::HeadType::kMlp;
    v.head_bias = true;
  });
  check("no head", [](auto& v) {
    v.head = model::HeadType::kNone;
    v.pre_logits = 24;
  });
}

TEST(Accuracy, TextProjectionWithBiasIsWithinMillionthOfFloat64) {
  model::ClipConfig config = testing::tiny_config("tiny_vit");
  config.text.projection_bias = true;
  EXPECT_LE(Pair(config).text_error(testing::sample_texts()[0]), kTolerance);
}

TEST(SlowAccuracy, ConvNextLargeD320IsWithinMillionthOfFloat64) {
  expect_accurate(model::builtin_config("convnext_large_d_320"));
}

TEST(SlowAccuracy, ConvNextBaseWIsWithinMillionthOfFloat64) {
  expect_accurate(model::builtin_config("convnext_base_w"));
}

TEST(SlowAccuracy, VitB32IsWithinMillionthOfFloat64) {
  expect_accurate(model::builtin_config("ViT-B-32"));
}

TEST(SlowAccuracy, VitL14QuickGeluIsWithinMillionthOfFloat64) {
  expect_accurate(model::builtin_config("ViT-L-14-quickgelu"));
}

TEST(SlowAccuracy, ResNet50x16IsWithinMillionthOfFloat64) {
  expect_accurate(model::builtin_config("RN50x16"));
}

}  // namespace
}  // namespace clipnext
