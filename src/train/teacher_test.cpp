#include "train/teacher.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/test_error.h"
#include "base/test_folder.h"
#include "train/group_test.h"
#include "train/step.h"
#include "weights/safetensors.h"

namespace clipnext::train {
namespace {

constexpr uint64_t kStudentSeed = 2;

/// A model of one layer each; what a test changes of it is written as the config has it.
std::string config_of(const std::string& vision = R"("image_size": 32)",
                      const std::string& text = R"("context_length": 8, "vocab_size": 64)",
                      const std::string& more = "") {
  return R"({"embed_dim": 8, "vision_cfg": {)" + vision +
         R"(, "layers": 1, "width": 16, "head_width": 8, "patch_size": 16}, "text_cfg": {)" + text +
         R"(, "width": 16, "heads": 2, "layers": 1})" + more + "}";
}

class TeacherTest : public ::testing::Test {
 protected:
  /// Options that name a teacher of that configuration, with weights drawn by `seed`.
  run::TrainOptions taught_by(const std::string& json, uint64_t seed = 1) {
    write_file(folder_ / "teacher.json", json);
    const auto config = model::parse_model_config(Json::parse(json), "teacher", "test");
    Params params = make_params(config);
    initialise(params, config, seed);
    weights::write_safetensors(folder_ / "teacher.safetensors", to_tensors(params, config), {});
    run::TrainOptions options;
    options.distill_model = (folder_ / "teacher.json").string();
    options.distill_pretrained = (folder_ / "teacher.safetensors").string();
    return options;
  }

  std::optional<Teacher> open(const run::TrainOptions& options) {
    return open_teacher(options, student_, {}, at::kCPU, notes_);
  }

  std::string refusal(const std::string& json) {
    return message_of([&] { open(taught_by(json)); });
  }

  const TestFolder folder_;
  model::ClipConfig student_ =
      model::parse_model_config(Json::parse(config_of()), "student", "test");
  std::vector<std::string> notes_;
};

DeviceBatch batch_of(int64_t first, int64_t n) {
  DeviceBatch batch;
  std::vector<at::Tensor> pictures;
  for (int64_t i = first; i < first + n; ++i) {
    pictures.push_back(
        at::arange(32 * 32 * 3, at::kFloat).mul(0.37 + 0.11 * static_cast<double>(i)).sin());
    const std::vector<int32_t> row = {62, static_cast<int32_t>(i + 1), static_cast<int32_t>(2 * i),
                                      63};
    batch.tokens.add(row);
  }
  batch.pixels = at::stack(pictures).view({n, 32, 32, 3});
  return batch;
}

TEST_F(TeacherTest, IsThereOnlyIfNamed) {
  EXPECT_FALSE(open({}).has_value());
  EXPECT_TRUE(open(taught_by(config_of())).has_value());
  EXPECT_EQ(notes_, std::vector<std::string>());
}

TEST_F(TeacherTest, MustTakeTheStudentsBatches) {
  const auto names = [](const std::string& message, const std::string& what) {
    EXPECT_NE(message.find(what), std::string::npos) << message;
  };
  names(refusal(config_of(R"("image_size": 48)")), "picture height of 48, the student student one");
  names(refusal(config_of(R"("image_size": 32)", R"("context_length": 8, "vocab_size": 65)")),
        "vocabulary of 65");
  names(refusal(config_of(R"("image_size": 32)", R"("context_length": 9, "vocab_size": 64)")),
        "context length of 9");
  names(refusal(config_of(R"("image_size": 32)", R"("context_length": 8, "vocab_size": 64)",
                          R"(, "init_logit_bias": -10)")),
        "teacher has a logit bias");
  run::TrainOptions missing = taught_by(config_of());
  missing.distill_pretrained = "nowhere.pt";
  names(message_of([&] { open(missing); }), "--distill-pretrained nowhere.pt: no such file");
}

TEST_F(TeacherTest, OfAnotherNormalisationIsNoted) {
  const std::string json =
      R"({"model_cfg": )" + config_of() + R"(, "preprocess_cfg": {"mean": [0.1, 0.2, 0.3]}})";
  std::filesystem::create_directory(folder_ / "model");
  run::TrainOptions options = taught_by(config_of());
  write_file(folder_ / "model/open_clip_config.json", json);
  options.distill_model = (folder_ / "model").string();
  open(options);
  ASSERT_EQ(notes_.size(), 1U);
  EXPECT_NE(notes_[0].find("another mean"), std::string::npos);
}

/// A student's step under a teacher: its report, and the gradients of its last layers.
struct Lesson {
  StepReport report = {};
  at::Tensor image = {}, text = {};
};

Lesson learn(const model::ClipConfig& config, const Teacher& teacher, const DeviceBatch& batch,
             Group& group) {
  Params params = make_params(config);
  initialise(params, config, kStudentSeed);
  SlotGroup slots;
  for_each_param(params, config, [&](at::Tensor& t, const model::ParamInfo& info) {
    slots.slots.push_back({.name = info.name, .parameter = t});
  });
  Stepper stepper(params, config, {model::optimizer_kind("adamw"), {std::move(slots)}}, group,
                  {.teacher = &teacher});
  Lesson lesson{.report = stepper.step(std::vector{batch}, 0, 0)};
  lesson.image = std::get<model::VitParams<at::Tensor>>(params.vision).proj.grad();
  lesson.text = params.text.projection.grad();
  return lesson;
}

TEST_F(TeacherTest, AddsItsPartToTheLoss) {
  const auto teacher = open(taught_by(config_of(), kStudentSeed));
  Group alone;
  const Lesson lesson = learn(student_, *teacher, batch_of(0, 6), alone);
  // Of a student that is its teacher it is the mean entropy of the rows, at most that of flat ones.
  const auto distill = lesson.report.distill.item<double>();
  EXPECT_GT(distill, 0);
  EXPECT_LT(distill, std::log(6.0));
  EXPECT_GT(lesson.report.loss.item<double>(), distill);
}

TEST_F(TeacherTest, EvaluatesWhileTheStudentTrains) {
  const auto teacher = open(taught_by(
      R"({"embed_dim": 8, "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8},
          "text_cfg": {"context_length": 8, "vocab_size": 64, "width": 16, "heads": 2, "layers": 1}})"));
  const auto& norm = std::get<model::ResNetParams<at::Tensor>>(teacher->params.vision).stem[0];
  const at::Tensor mean = norm.mean.clone(), var = norm.var.clone();
  Group alone;
  learn(student_, *teacher, batch_of(0, 6), alone);
  EXPECT_TRUE(at::equal(norm.mean, mean));  // which a batch in training would move
  EXPECT_TRUE(at::equal(norm.var, var));
}

TEST_F(TeacherTest, OfTwoProcessesTeachesTheWholeBatch) {
  const auto teacher = open(taught_by(config_of()));
  Group alone;
  const Lesson want = learn(student_, *teacher, batch_of(0, 6), alone);
  std::vector<Lesson> got(2);
  with_ranks(2, [&](Group& group) {
    got[static_cast<size_t>(group.rank())] =
        learn(student_, *teacher, batch_of(3 * group.rank(), 3), group);
  });
  const double distill = (got[0].report.distill + got[1].report.distill).item<double>() / 2;
  EXPECT_NEAR(distill, want.report.distill.item<double>(), 1e-5);
  for (const Lesson& rank : got) {
    EXPECT_LE((rank.image - want.image).norm().item<double>(),
              1e-4 * want.image.norm().item<double>());
    EXPECT_LE((rank.text - want.text).norm().item<double>(),
              1e-4 * want.text.norm().item<double>());
  }
}

}  // namespace
}  // namespace clipnext::train
