// The demo checkpoint, pictures and prompts to vectors through every folder on the way, against
// open_clip's float64 run of the same weights (tests/data/parity/demo_unseen.npz: images [109,
// 128], texts [162 * 3, 128], top1 and labels [109]; open_clip_torch 3.3.0).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "datasets/wds.h"
#include "eval/zero_shot.h"
#include "infer/clip.h"
#include "pipeline/embed_images.h"
#include "pipeline/embed_texts.h"
#include "weights/checkpoint.h"

namespace clipnext {
namespace {

const std::filesystem::path kSource = CLIPNEXT_SOURCE_DIR;

// Unit vectors in float32: the reference is off by up to 3e-8 from rounding alone.
constexpr double kTolerance = 2e-6;

double max_difference(const std::vector<float>& vectors, const weights::Tensor& reference) {
  const std::vector<float> expected = weights::to_f32(reference);
  EXPECT_EQ(vectors.size(), expected.size());
  double worst = 0;
  for (size_t i = 0; i < std::min(vectors.size(), expected.size()); ++i) {
    worst = std::max(worst, std::abs(double{vectors[i]} - expected[i]));
  }
  return worst;
}

TEST(DemoModel, VectorsAndPredictionsAreOpenClips) {
  ThreadPool pool(2);
  const model::Model model = model::open_model("");
  const auto clip = infer::load_clip(model, pool);
  const text::Tokenizer tokenizer;
  const auto set = datasets::read_wds_folder(kSource / "examples/emoji/unseen");
  const auto reference =
      weights::open_checkpoint(kSource / "tests/data/parity/demo_unseen.npz").tensors;

  const auto images =
      pipeline::embed_images(*clip, pool, set.images, {.convert = pipeline::ConvertOrder::kFirst});
  EXPECT_LE(max_difference(images.vectors, reference.at("images")), kTolerance);

  std::vector<std::string> prompts;
  for (const std::string& name : set.classes) {
    for (const std::string& form : set.prompts.templates)
      prompts.push_back(eval::fill_template(form, name));
  }
  const auto texts = pipeline::embed_texts(*clip, tokenizer, prompts);
  EXPECT_LE(max_difference(texts.vectors, reference.at("texts")), kTolerance);

  const auto classifier =
      eval::make_classifier(*clip, tokenizer, set.classes, set.prompts.templates);
  const std::vector<float> top1 = weights::to_f32(reference.at("top1"));
  ASSERT_EQ(top1.size(), set.images.size());
  for (size_t i = 0; i < top1.size(); ++i) {
    const std::span<const float> vector(&images.vectors[i * 128], 128);
    EXPECT_EQ(classifier.predict(vector, 1)[0].label, static_cast<int64_t>(top1[i]))
        << "image " << i;
  }
}

TEST(DemoModel, NamesAsManyPicturesAsPublished) {
  ThreadPool pool(2);
  const auto clip = infer::load_clip(model::open_model(""), pool);
  const text::Tokenizer tokenizer;
  const struct {
    const char* name;
    int64_t images, top1, top5;
  } kSets[] = {{"seen", 978, 233, 431}, {"unseen", 109, 19, 28}};
  for (const auto& expected : kSets) {
    const auto set = datasets::read_wds_folder(kSource / "examples/emoji" / expected.name);
    const auto classifier =
        eval::make_classifier(*clip, tokenizer, set.classes, set.prompts.templates);
    const auto accuracy = eval::measure(*clip, pool, classifier, set);
    EXPECT_EQ(accuracy.images, expected.images) << expected.name;
    EXPECT_EQ(accuracy.top1, expected.top1) << expected.name;
    EXPECT_EQ(accuracy.top5, expected.top5) << expected.name;
  }
}

}  // namespace
}  // namespace clipnext
