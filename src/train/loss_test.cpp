#include "train/loss.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "base/random.h"
#include "train/group_test.h"
#include "train/held_test.h"

namespace clipnext::train {
namespace {

at::Tensor unit_rows(int64_t n, int64_t d, uint64_t seed) {
  RandomStream random(seed);
  at::Tensor x = at::empty({n, d});
  for (int64_t i = 0; i < n * d; ++i) x.data_ptr<float>()[i] = static_cast<float>(random.normal());
  return x / x.norm(2, 1, true);
}

struct Gradients {
  at::Tensor loss, image, text, scale, bias;
};

/// The formulas as they stand in open_clip's losses, whole matrices, in float64.
Gradients plain(const at::Tensor& image, const at::Tensor& text, double scale, double bias,
                bool sigmoid) {
  const auto leaf = [](const at::Tensor& t) {
    return t.to(at::kDouble).clone().set_requires_grad(true);
  };
  const at::Tensor i = leaf(image), t = leaf(text);
  const at::Tensor s = leaf(at::tensor(scale, at::kDouble)),
                   b = leaf(at::tensor(bias, at::kDouble));
  const at::Tensor logits = s * i.matmul(t.t()) + b;
  const int64_t n = image.size(0);
  at::Tensor loss;
  if (sigmoid) {
    const at::Tensor sign = 2 * at::eye(n, at::kDouble) - 1;
    loss = -at::log_sigmoid(sign * logits).sum() / static_cast<double>(n);
  } else {
    const at::Tensor labels = at::arange(n, at::kLong);
    loss =
        (at::cross_entropy_loss(logits, labels) + at::cross_entropy_loss(logits.t(), labels)) / 2;
  }
  torch::autograd::backward({loss}, {});
  return {loss.detach(), i.grad(), t.grad(), s.grad(), b.grad()};
}

Gradients ours(const at::Tensor& image, const at::Tensor& text, double scale, double bias,
               bool sigmoid, Group& group, const LossOptions& options) {
  const at::Tensor i = image.clone().set_requires_grad(true);
  const at::Tensor t = text.clone().set_requires_grad(true);
  const at::Tensor s = at::tensor(static_cast<float>(scale)).set_requires_grad(true);
  const at::Tensor b = at::tensor(static_cast<float>(bias)).set_requires_grad(true);
  const at::Tensor loss = sigmoid ? sigmoid_loss(i, t, s, b, group, options)
                                  : contrastive_loss(i, t, s, b, group, options);
  torch::autograd::backward({loss}, {});
  return {loss.detach(), i.grad(), t.grad(), s.grad(), b.grad()};
}

double relative(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor want = b.to(at::kDouble);
  return (a.to(at::kDouble) - want).norm().item<double>() / (want.norm().item<double>() + 1e-12);
}

class OneProcess : public testing::TestWithParam<std::tuple<bool, int64_t>> {};

TEST_P(OneProcess, EqualsTheFormulaWhateverTheTile) {
  const auto [sigmoid, tile] = GetParam();
  const at::Tensor image = unit_rows(37, 24, 1), text = unit_rows(37, 24, 2);
  const double scale = 14.3, bias = sigmoid ? -7 : 0;
  Group alone;
  const Gradients got = ours(image, text, scale, bias, sigmoid, alone, {.tile = tile});
  const Gradients want = plain(image, text, scale, bias, sigmoid);
  EXPECT_LT(relative(got.loss, want.loss), 1e-6);
  EXPECT_LT(relative(got.image, want.image), 2e-6);
  EXPECT_LT(relative(got.text, want.text), 2e-6);
  EXPECT_LT(relative(got.scale, want.scale), 5e-6);
  if (sigmoid) {
    EXPECT_LT(relative(got.bias, want.bias), 2e-6);
  }
}

INSTANTIATE_TEST_SUITE_P(Loss, OneProcess,
                         testing::Combine(testing::Bool(), testing::Values(1, 5, 36, 37, 4096)));

class ManyProcesses : public testing::TestWithParam<std::tuple<bool, FeatureMemory, int64_t>> {};

TEST_P(ManyProcesses, AverageIsTheGradientOfTheWholeBatch) {
  const auto [sigmoid, memory, world] = GetParam();
  const int64_t rows = 5;
  const at::Tensor image = unit_rows(rows * world, 16, 3), text = unit_rows(rows * world, 16, 4);
  const double scale = 10, bias = sigmoid ? -3 : 0;
  const Gradients want = plain(image, text, scale, bias, sigmoid);
  std::vector<Gradients> got(static_cast<size_t>(world));
  with_ranks(world, [&](Group& group) {
    const auto mine = [&](const at::Tensor& all) {
      return all.narrow(0, group.rank() * rows, rows);
    };
    got[static_cast<size_t>(group.rank())] =
        ours(mine(image), mine(text), scale, bias, sigmoid, group, {.memory = memory, .tile = 7});
  });
  at::Tensor loss = at::zeros({}), for_scale = at::zeros({}), for_bias = at::zeros({});
  std::vector<at::Tensor> images, texts;
  const auto w = static_cast<double>(world);
  for (const Gradients& rank : got) {
    loss = loss + rank.loss / w;
    for_scale = for_scale + rank.scale / w;
    for_bias = for_bias + rank.bias / w;
    images.push_back(rank.image / w);  // as averaging parameters' gradients does
    texts.push_back(rank.text / w);
  }
  EXPECT_LT(relative(loss, want.loss), 1e-6);
  EXPECT_LT(relative(at::cat(images), want.image), 2e-6);
  EXPECT_LT(relative(at::cat(texts), want.text), 2e-6);
  EXPECT_LT(relative(for_scale, want.scale), 1e-5);
  if (sigmoid) {
    EXPECT_LT(relative(for_bias, want.bias), 2e-6);
  }
}

INSTANTIATE_TEST_SUITE_P(Loss, ManyProcesses,
                         testing::Combine(testing::Bool(),
                                          testing::Values(FeatureMemory::kGather,
                                                          FeatureMemory::kExchange),
                                          testing::Values(2, 3)));

TEST(Loss, WorksWithoutABias) {
  const at::Tensor image = unit_rows(9, 8, 1), text = unit_rows(9, 8, 2);
  const at::Tensor i = image.clone().set_requires_grad(true);
  const at::Tensor scale = at::tensor(6.0F).set_requires_grad(true);
  Group alone;
  const LossOptions options;
  torch::autograd::backward({contrastive_loss(i, text, scale, std::nullopt, alone, options)}, {});
  EXPECT_LT(relative(i.grad(), plain(image, text, 6, 0, false).image), 2e-6);
}

TEST(Loss, WithoutGatheredGradientsTowersGetTheirShareAndTheScaleAll) {
  const int64_t rows = 4, world = 2;
  const at::Tensor image = unit_rows(rows * world, 8, 5), text = unit_rows(rows * world, 8, 6);
  const Gradients want = plain(image, text, 5, 0, false);
  with_ranks(world, [&](Group& group) {
    const auto mine = [&](const at::Tensor& all) {
      return all.narrow(0, group.rank() * rows, rows);
    };
    const Gradients got =
        ours(mine(image), mine(text), 5, 0, false, group, {.gradient = FeatureGradient::kShare});
    EXPECT_LT(relative(got.image, mine(want.image)), 2e-6);  // less by 1 / world once averaged
  });
}

/// A teacher of another width than the student.
struct Lesson {
  at::Tensor image, text, teacher_image, teacher_text;
  double scale = 12, teacher_scale = 30;

  Lesson of(int64_t begin, int64_t rows) const {
    Lesson part = *this;
    for (at::Tensor* t : {&part.image, &part.text, &part.teacher_image, &part.teacher_text}) {
      *t = t->narrow(0, begin, rows);
    }
    return part;
  }
};

Lesson lesson(int64_t n) {
  return {.image = unit_rows(n, 16, 21),
          .text = unit_rows(n, 16, 22),
          .teacher_image = unit_rows(n, 9, 23),
          .teacher_text = unit_rows(n, 9, 24)};
}

struct DistilledGradients {
  at::Tensor contrastive, distill, image, text, scale;
};

/// As it stands in open_clip's DistillClipLoss, whole matrices, in float64.
DistilledGradients plain(const Lesson& lesson) {
  const auto leaf = [](const at::Tensor& t) {
    return t.to(at::kDouble).clone().set_requires_grad(true);
  };
  const at::Tensor i = leaf(lesson.image), t = leaf(lesson.text);
  const at::Tensor s = leaf(at::tensor(lesson.scale, at::kDouble));
  const at::Tensor student = s * i.matmul(t.t());
  const at::Tensor teacher =
      lesson.teacher_scale *
      lesson.teacher_image.to(at::kDouble).matmul(lesson.teacher_text.to(at::kDouble).t());
  const at::Tensor labels = at::arange(i.size(0), at::kLong);
  const auto likeness = [](const at::Tensor& of_teacher, const at::Tensor& of_student) {
    return -(of_teacher.softmax(1) * of_student.log_softmax(1)).sum(1).mean();
  };
  const at::Tensor contrastive =
      (at::cross_entropy_loss(student, labels) + at::cross_entropy_loss(student.t(), labels)) / 2;
  const at::Tensor distill = (likeness(teacher, student) + likeness(teacher.t(), student.t())) / 2;
  torch::autograd::backward({contrastive + distill}, {});
  return {contrastive.detach(), distill.detach(), i.grad(), t.grad(), s.grad()};
}

DistilledGradients ours(const Lesson& lesson, Group& group, const LossOptions& options) {
  const at::Tensor i = lesson.image.clone().set_requires_grad(true);
  const at::Tensor t = lesson.text.clone().set_requires_grad(true);
  const at::Tensor s = at::tensor(static_cast<float>(lesson.scale)).set_requires_grad(true);
  const TeacherFeatures teacher{.image = lesson.teacher_image,
                                .text = lesson.teacher_text,
                                .scale = at::tensor(static_cast<float>(lesson.teacher_scale))};
  const DistilledLoss loss = distilled_loss(i, t, s, teacher, group, options);
  torch::autograd::backward({loss.total}, {});
  return {loss.total.detach() - loss.distill, loss.distill, i.grad(), t.grad(), s.grad()};
}

TEST(Distillation, EqualsTheFormulaWhateverTheTile) {
  const Lesson all = lesson(23);
  const DistilledGradients want = plain(all);
  for (const int64_t tile : {1, 5, 22, 23, 4096}) {
    Group alone;
    const DistilledGradients got = ours(all, alone, {.tile = tile});
    EXPECT_LT(relative(got.contrastive, want.contrastive), 1e-6);
    EXPECT_LT(relative(got.distill, want.distill), 1e-6);
    EXPECT_LT(relative(got.image, want.image), 2e-6);
    EXPECT_LT(relative(got.text, want.text), 2e-6);
    EXPECT_LT(relative(got.scale, want.scale), 1e-5);
  }
}

TEST(Distillation, ManyProcessesAverageToTheWholeBatch) {
  const int64_t rows = 5, world = 3;
  const Lesson all = lesson(rows * world);
  const DistilledGradients want = plain(all);
  for (const FeatureMemory memory : {FeatureMemory::kGather, FeatureMemory::kExchange}) {
    std::vector<DistilledGradients> got(world);
    with_ranks(world, [&](Group& group) {
      got[static_cast<size_t>(group.rank())] =
          ours(all.of(group.rank() * rows, rows), group, {.memory = memory, .tile = 7});
    });
    at::Tensor distill = at::zeros({}), scale = at::zeros({});
    std::vector<at::Tensor> images, texts;
    for (const DistilledGradients& rank : got) {
      distill = distill + rank.distill / world;
      scale = scale + rank.scale / world;
      images.push_back(rank.image / world);
      texts.push_back(rank.text / world);
    }
    EXPECT_LT(relative(distill, want.distill), 1e-6);
    EXPECT_LT(relative(at::cat(images), want.image), 2e-6);
    EXPECT_LT(relative(at::cat(texts), want.text), 2e-6);
    EXPECT_LT(relative(scale, want.scale), 1e-5);
  }
}

TEST(Distillation, OfAStudentThatIsItsTeacherOnlyTheContrastiveGradientIsLeft) {
  Lesson same = lesson(11);
  same.teacher_image = same.image;
  same.teacher_text = same.text;
  same.teacher_scale = same.scale;
  Group alone;
  const DistilledGradients got = ours(same, alone, {});
  const Gradients want = plain(same.image, same.text, same.scale, 0, false);
  EXPECT_LT(relative(got.image, want.image), 5e-6);
  EXPECT_LT(relative(got.text, want.text), 5e-6);
}

/// Peak of forward and backward on a rank of 128, less its own features.
int64_t peak_memory(FeatureMemory memory, int64_t rows, int64_t world, int64_t dim) {
  Group group({.rank = 5, .size = world, .backend = "fake"});
  const at::Tensor image = unit_rows(rows, dim, 9).set_requires_grad(true);
  const at::Tensor text = unit_rows(rows, dim, 10).set_requires_grad(true);
  const at::Tensor scale = at::tensor(50.0F).set_requires_grad(true);
  const LossOptions options{.memory = memory, .tile = 1024};
  auto held = std::make_shared<Held>();
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, held);
  const at::Tensor loss = contrastive_loss(image, text, scale, std::nullopt, group, options);
  torch::autograd::backward({loss}, {});
  EXPECT_TRUE(image.grad().isfinite().all().item<bool>());
  return held->most;
}

TEST(Loss, TakesTheMemoryOfTheFeaturesAndTilesOrMuchLess) {
  const int64_t rows = 256, world = 128, dim = 768;
  const int64_t features = 2 * rows * world * dim * 4;
  const int64_t tile = rows * 1024 * 4;
  EXPECT_LE(peak_memory(FeatureMemory::kGather, rows, world, dim), features * 21 / 10 + tile);
  EXPECT_LE(peak_memory(FeatureMemory::kExchange, rows, world, dim), features / 5);
}

TEST(Loss, RoundedLogitsStayNearTheFormula) {
  const at::Tensor image = unit_rows(16, 32, 7), text = unit_rows(16, 32, 8);
  Group alone;
  const Gradients got = ours(image, text, 20, 0, false, alone, {.logits_type = at::kBFloat16});
  const Gradients want = plain(image, text, 20, 0, false);
  EXPECT_LT(relative(got.loss, want.loss), 0.01);
  EXPECT_LT(relative(got.image, want.image), 0.02);
}

}  // namespace
}  // namespace clipnext::train
