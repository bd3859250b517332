// The demo model evaluated with one fault in its set-up: the diagnosis names that fault first, on
// pictures where it shows.
#include "eval/diagnose.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "datasets/wds.h"
#include "eval/expected.h"
#include "eval/zero_shot.h"
#include "image/convert.h"
#include "image/encode.h"
#include "image/resize.h"
#include "infer/clip.h"

namespace clipnext {
namespace {

/// The picture between two black bars as wide as itself.
image::Image between_bars(const image::Image& picture) {
  image::Image wide =
      image::make_image(image::Mode::kRgb, picture.width * int64_t{3}, picture.height);
  const size_t row = static_cast<size_t>(picture.width) * 3;
  for (size_t y = 0; y < static_cast<size_t>(picture.height); ++y) {
    std::memcpy(&wide.data[y * row * 3 + row], &picture.data[y * row], row);
  }
  return wide;
}

image::Image stretched(const image::Image& picture) {
  return image::resize(picture, picture.width * 2, picture.height, image::Filter::kBicubic);
}

image::Image as_it_is(const image::Image& picture) { return picture; }

/// A part of examples/emoji/seen, its pictures changed.
datasets::Dataset pictures(image::Image (*change)(const image::Image&), int64_t count = 96) {
  const auto all =
      datasets::read_wds_folder(std::filesystem::path(CLIPNEXT_SOURCE_DIR) / "examples/emoji/seen");
  datasets::Dataset set;
  set.prompts.templates = all.prompts.templates;
  for (const int64_t i : eval::spread(static_cast<int64_t>(all.images.size()), count)) {
    const auto at = static_cast<size_t>(i);
    const auto picture = change(image::to_rgb(pipeline::load_image(all.images[at])));
    set.images.push_back({.name = std::to_string(i),
                          .bytes = std::make_shared<const std::string>(
                              image::encode(picture, image::Encoding::kPng, "picture"))});
    set.labels.push_back(static_cast<int64_t>(set.classes.size()));
    set.classes.push_back(all.classes[static_cast<size_t>(all.labels[at])]);
  }
  return set;
}

class Diagnose : public testing::Test {
 protected:
  /// Accuracy with one set-up.
  double accuracy(const datasets::Dataset& set, const model::ClipConfig& config,
                  const datasets::Prompts& prompts) {
    const auto embedder = make(config);
    const auto missed = task(set, config);
    const auto images = pipeline::embed_images(*embedder, pool_, set.images,
                                               {.convert = pipeline::ConvertOrder::kFirst});
    return missed.score(images.vectors, missed.embed_texts(*embedder, prompts));
  }

  /// What is suspected first when `right` is how the expected figure was measured, and `wrong` how
  /// ours was.
  std::string first_suspect(datasets::Dataset& set, const model::ClipConfig& wrong,
                            const model::ClipConfig& right,
                            const datasets::Prompts& right_prompts) {
    eval::MissedFigure missed = task(set, wrong);
    missed.measured = accuracy(set, wrong, set.prompts);
    missed.expected = accuracy(set, right, right_prompts);
    missed.tolerance = 0.001;
    missed.other_prompts.push_back({"the demo's own", right_prompts});
    const eval::Figure figure{.value = missed.expected, .tolerance = missed.tolerance};
    const auto outcome = [&](double measured) {
      return eval::judge(figure, measured, eval::Precision::kFp32).outcome;
    };
    EXPECT_EQ(outcome(accuracy(set, right, right_prompts)), eval::Outcome::kMatch);
    EXPECT_EQ(outcome(missed.measured), eval::Outcome::kDeviation) << "the fault does not show";
    const eval::Diagnosis diagnosis = eval::diagnose(missed, pool_);
    const std::string text = eval::diagnosis_text(diagnosis, missed);
    if (diagnosis.suspects.empty()) return text;
    EXPECT_TRUE(diagnosis.suspects[0].reaches) << text;
    if (diagnosis.suspects.size() > 1) {
      EXPECT_LT(diagnosis.suspects[1].figure, missed.expected) << text;
    }
    return diagnosis.suspects[0].what;
  }

  /// The pictures of a set whose class is the model's first guess; all classes are kept.
  datasets::Dataset named_rightly(const datasets::Dataset& all) {
    const auto embedder = make(config_);
    const auto classifier =
        eval::make_classifier(*embedder, tokenizer_, all.classes, all.prompts.templates);
    const auto images = pipeline::embed_images(*embedder, pool_, all.images);
    datasets::Dataset right;
    right.classes = all.classes;
    right.prompts = all.prompts;
    const auto dim = static_cast<size_t>(classifier.dim);
    for (size_t i = 0; i < all.images.size(); ++i) {
      const auto guess = classifier.predict({&images.vectors[i * dim], dim}, 1);
      if (guess[0].label != all.labels[i]) continue;
      right.images.push_back(all.images[i]);
      right.labels.push_back(all.labels[i]);
    }
    return right;
  }

  std::unique_ptr<model::Embedder> make(const model::ClipConfig& config) {
    model::Model model = model::open_model("");
    model.config = config;
    return infer::load_clip(model, pool_, infer::ComputeType::kFp32);
  }

  eval::MissedFigure task(const datasets::Dataset& set, const model::ClipConfig& config) {
    return eval::missed_classification(
        set, "acc1", config, [this](const model::ClipConfig& other) { return make(other); },
        tokenizer_, {}, static_cast<int64_t>(set.images.size()), pool_);
  }

  ThreadPool pool_{2};
  const text::Tokenizer tokenizer_;
  const model::ClipConfig config_ = model::open_model("").config;
};

TEST_F(Diagnose, AWrongResizeModeIsNamedFirst) {
  datasets::Dataset barred = pictures(between_bars);
  model::ClipConfig squash = config_;
  squash.preprocess.resize_mode = image::ResizeMode::kSquash;
  EXPECT_EQ(first_suspect(barred, squash, config_, barred.prompts),
            "resize mode shortest instead of squash");
  datasets::Dataset stretch = pictures(stretched);
  EXPECT_EQ(first_suspect(stretch, config_, squash, stretch.prompts),
            "resize mode squash instead of shortest");
}

TEST_F(Diagnose, AWrongMeanAndStdAreNamedFirst) {
  datasets::Dataset set = pictures(as_it_is);
  model::ClipConfig wrong = config_;
  wrong.preprocess.mean = {0.48145466f, 0.4578275f, 0.40821073f};
  wrong.preprocess.std = {0.26862954f, 0.26130258f, 0.27577711f};
  EXPECT_EQ(first_suspect(set, wrong, config_, set.prompts), "Inception's (0.5) mean and std");
}

TEST_F(Diagnose, AWrongSetOfTemplatesIsNamedFirst) {
  datasets::Dataset set = pictures(as_it_is);
  const datasets::Prompts own = set.prompts;
  set.prompts.templates = {"itap of the large {c}.", "there are many {c} in the scene."};
  EXPECT_EQ(first_suspect(set, config_, config_, own), "prompts: the demo's own");
}

TEST_F(Diagnose, AMixUpOfActivationsIsNamedFirst) {
  // Its few layers make nearly as many lucky guesses with the wrong one; so that it shows, the
  // pictures are those which it names rightly with its own.
  datasets::Dataset set = named_rightly(pictures(as_it_is, 600));
  model::ClipConfig quick = config_;
  quick.text.activation = model::Activation::kQuickGelu;
  EXPECT_EQ(first_suspect(set, quick, config_, set.prompts), "GELU instead of QuickGELU");
}

}  // namespace
}  // namespace clipnext
