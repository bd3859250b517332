#include "eval/linear_probe.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include "base/error.h"
#include "eval/probe_solvers.h"

namespace clipnext::eval {
namespace {

// Clouds around one point for each class.
struct Clouds {
  Clouds(int64_t count, int64_t classes, int64_t dim_, float spread, unsigned seed) : dim(dim_) {
    std::mt19937 centres(99), random(seed);
    std::normal_distribution<float> normal;
    std::vector<float> centre(static_cast<size_t>(classes * dim));
    for (float& v : centre) v = normal(centres);
    for (int64_t i = 0; i < count; ++i) {
      labels.push_back(i % classes);
      for (int64_t d = 0; d < dim; ++d) {
        features.push_back(centre[static_cast<size_t>(i % classes * dim + d)] +
                           spread * normal(random));
      }
    }
  }
  FeatureSet set() const { return {.features = features, .labels = labels}; }

  int64_t dim;
  std::vector<float> features;
  std::vector<int64_t> labels;
};

// Mean cross-entropy of one layer, and its gradient, in double.
double slow_loss(const ProbeLayers& layer, const Clouds& data) {
  double loss = 0;
  for (size_t i = 0; i < data.labels.size(); ++i) {
    double sum = 0, own = 0;
    for (int64_t c = 0; c < layer.classes; ++c) {
      double z = layer.biases[static_cast<size_t>(c)];
      for (int64_t d = 0; d < layer.dim; ++d) {
        z += static_cast<double>(layer.weights[static_cast<size_t>(c * layer.dim + d)]) *
             data.features[i * static_cast<size_t>(layer.dim) + static_cast<size_t>(d)];
      }
      sum += std::exp(z);
      if (c == data.labels[i]) own = z;
    }
    loss += std::log(sum) - own;
  }
  return loss / static_cast<double>(data.labels.size());
}

TEST(ProbeBatch, GradientsEqualFiniteDifferences) {
  const Clouds data(37, 5, 7, 1.0f, 1);  // 37: a block of samples and part of one
  ThreadPool pool(2);
  ProbeLayers layer(1, 5, 7);
  init_layers(layer, 3);
  ProbeBatch batch(pool);
  batch.gather({.first = data.set(), .second = {}, .dim = 7}, all_ids(37));
  std::vector<double> losses(37);
  batch.forward(layer, 37, losses.data());
  double mean = 0;
  for (const double loss : losses) mean += loss / 37;
  EXPECT_NEAR(mean, slow_loss(layer, data), 1e-6);
  std::vector<float> gradient(5 * 7), bias(5);
  batch.gradients(layer, [&](int64_t row, const float* g, float b) {
    std::copy_n(g, 7, gradient.data() + row * 7);
    bias[static_cast<size_t>(row)] = b;
  });
  const auto difference = [&](float& value) {
    constexpr float kStep = 0.0078125f;  // exact in fp32
    const float kept = value;
    value = kept + kStep;
    const double up = slow_loss(layer, data);
    const float above = value;
    value = kept - kStep;
    const double down = slow_loss(layer, data);
    const double width = static_cast<double>(above) - value;
    value = kept;
    return (up - down) / width;
  };
  for (size_t i = 0; i < gradient.size(); ++i) {
    EXPECT_NEAR(gradient[i], difference(layer.weights[i]), 2e-5) << i;
  }
  for (size_t c = 0; c < bias.size(); ++c) {
    EXPECT_NEAR(bias[c], difference(layer.biases[c]), 2e-5) << c;
  }
}

TEST(ProbeBatch, SurvivesExtremeScores) {
  const Clouds data(8, 3, 4, 0.1f, 1);
  ThreadPool pool(1);
  ProbeLayers layer(1, 3, 4);
  for (size_t i = 0; i < layer.weights.size(); ++i) {
    layer.weights[i] = i % 2 == 0 ? 1e4f : -3e4f;
  }
  layer.biases = {0, 500, -500};
  ProbeBatch batch(pool);
  batch.gather({.first = data.set(), .second = {}, .dim = 4}, all_ids(8));
  std::vector<double> losses(8);
  batch.forward(layer, 1, losses.data());
  for (size_t i = 0; i < 8; ++i) {
    EXPECT_NEAR(losses[i], data.labels[i] == 1 ? 0 : data.labels[i] == 0 ? 500 : 1000, 0.1);
  }
}

TEST(CosineRate, FallsFromAllToNothing) {
  EXPECT_EQ(cosine_rate(0.1, 0, 100), 0.1);
  EXPECT_NEAR(cosine_rate(0.1, 50, 100), 0.05, 1e-15);
  EXPECT_NEAR(cosine_rate(0.1, 99, 100), 0.05 * (1 + std::cos(M_PI * 0.99)), 1e-15);
}

// torch.optim.AdamW (2.15) with lr = cosine_rate(0.1, s, 3), weight_decay = 0.3, gradients as here.
TEST(AdamWStep, EqualsPyTorch) {
  std::vector<float> w = {0.5f, -0.25f, 0.125f, 2.0f}, m(4), v(4);
  const std::vector<std::vector<float>> gradients = {
      {0.1f, -0.2f, 0.003f, 0.0f}, {0.05f, 0.4f, -0.002f, 1e-5f}, {-0.3f, 0.1f, 0.001f, -2.0f}};
  const std::vector<std::vector<float>> expected = {
      {0.3850000202655792f, -0.14250001311302185f, 0.021250352263450623f, 1.940000057220459f},
      {0.3064240515232086f, -0.16675153374671936f, 0.009933222085237503f, 1.8406187295913696f},
      {0.31280645728111267f, -0.175892174243927f, 0.0028960322961211205f, 1.8427842855453491f}};
  for (int64_t s = 0; s < 3; ++s) {
    const auto at = static_cast<size_t>(s);
    AdamWStep(cosine_rate(0.1, s, 3), 0.3, s + 1)
        .apply(w.data(), m.data(), v.data(), gradients[at].data(), 4);
    for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(w[i], expected[at][i], 2e-7) << s << " " << i;
  }
}

TEST(InitLayers, FillTheirRangeAndFollowTheSeed) {
  ProbeLayers a(2, 10, 64), b(1, 10, 64), c(1, 10, 64);
  init_layers(a, 1);
  init_layers(b, 1);
  init_layers(c, 2);
  EXPECT_TRUE(std::equal(b.weights.begin(), b.weights.end(), a.weights.begin() + 640));
  EXPECT_TRUE(std::equal(b.weights.begin(), b.weights.end(), a.weights.begin()));
  EXPECT_TRUE(std::equal(b.biases.begin(), b.biases.end(), a.biases.begin() + 10));
  EXPECT_NE(b.weights, c.weights);
  const auto [least, most] = std::minmax_element(b.weights.begin(), b.weights.end());
  EXPECT_GE(*least, -0.125f);
  EXPECT_LE(*most, 0.125f);
  EXPECT_LT(*least, -0.12f);
  EXPECT_GT(*most, 0.12f);
}

TEST(Shuffle, IsAPermutationOfItsSeed) {
  std::vector<int64_t> a = all_ids(100), b = all_ids(100), c = all_ids(100);
  shuffle(a, 1);
  shuffle(b, 1);
  shuffle(c, 2);
  EXPECT_EQ(a, b);
  EXPECT_NE(a, c);
  std::sort(a.begin(), a.end());
  EXPECT_EQ(a, all_ids(100));
}

TEST(PickFew, TakesKOfEachClassOrSaysWhichIsShort) {
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < 60; ++i) labels.push_back(i % 3);
  labels.push_back(7);
  labels.push_back(7);
  const FewShot few = pick_few(labels, 2, 1);
  ASSERT_TRUE(few.ids);
  EXPECT_EQ(few.ids->size(), 8U);
  EXPECT_EQ(std::set<int64_t>(few.ids->begin(), few.ids->end()).size(), 8U);
  for (const int64_t label : {0, 1, 2, 7}) {
    EXPECT_EQ(std::count_if(few.ids->begin(), few.ids->end(),
                            [&](int64_t id) { return labels[static_cast<size_t>(id)] == label; }),
              2);
  }
  EXPECT_NE(few.ids, pick_few(labels, 2, 2).ids);
  const FewShot shortage = pick_few(labels, 3, 1);
  EXPECT_FALSE(shortage.ids);
  EXPECT_EQ(shortage.shortage, "class 7 has 2 training samples, fewer than 3");
  EXPECT_EQ(pick_few(labels, -1, 1).ids->size(), 62U);
  EXPECT_THROW(pick_few(labels, 0, 1), Error);
}

TEST(SplitValidation, HoldsTheShareOut) {
  const Split split = split_validation(11, 0.2, 1);
  EXPECT_EQ(split.val.size(), 2U);
  EXPECT_EQ(split.train.size(), 9U);
  std::vector<int64_t> both = split.train;
  both.insert(both.end(), split.val.begin(), split.val.end());
  std::sort(both.begin(), both.end());
  EXPECT_EQ(both, all_ids(11));
  EXPECT_NE(split.val, split_validation(11, 0.2, 2).val);
  for (const double share : {0.0, 1.0, -0.5, 0.01, static_cast<double>(NAN)}) {
    EXPECT_THROW(split_validation(11, share, 1), Error) << share;
  }
}

TEST(SearchStrength, AsksFor19TrainingsAroundThePeak) {
  std::vector<std::vector<int>> asked;
  const auto peak_at = [&](int peak) {
    asked.clear();
    return search_strength([&](const std::vector<int>& indices) {
      asked.push_back(indices);
      std::vector<double> found;
      for (const int i : indices) found.push_back(1 - std::abs(i - peak) / 200.0);
      return found;
    });
  };
  EXPECT_EQ(peak_at(37), 37);
  const std::vector<std::vector<int>> expected = {
      {0, 16, 32, 48, 64, 80, 96}, {24, 32, 40}, {36, 40, 44}, {34, 36, 38}, {35, 36, 37}};
  EXPECT_EQ(asked, expected);
  size_t trainings = 0;
  for (const auto& indices : asked) trainings += indices.size();
  EXPECT_EQ(trainings, 19U);
  EXPECT_EQ(peak_at(0), 0);
  EXPECT_EQ(asked[1], (std::vector<int>{0, 0, 8}));
  EXPECT_EQ(peak_at(96), 96);
  EXPECT_EQ(asked[1], (std::vector<int>{88, 96, 96}));
}

TEST(SearchStrength, TheFirstOfEqualsWins) {
  const auto flat = [](double value) {
    return [value](const std::vector<int>& indices) {
      return std::vector<double>(indices.size(), value);
    };
  };
  EXPECT_EQ(search_strength(flat(0.5)), 0);
  EXPECT_EQ(search_strength(flat(0)), 0);
  EXPECT_EQ(search_strength([](const std::vector<int>& indices) {
              std::vector<double> found;
              for (const int i : indices) found.push_back(i >= 32 ? 1 : 0);
              return found;
            }),
            32);
}

// numpy.logspace(-6, 2, 97), whose pow differs in the last bit between processors.
TEST(PenaltyStrength, IsTheReferencesGrid) {
  EXPECT_NEAR(penalty_strength(ProbeSolver::kAdamW, 0), 1e-6, 1e-20);
  EXPECT_NEAR(penalty_strength(ProbeSolver::kAdamW, 16), 2.1544346900318823e-05, 1e-19);
  EXPECT_NEAR(penalty_strength(ProbeSolver::kAdamW, 48), 0.01, 1e-16);
  EXPECT_NEAR(penalty_strength(ProbeSolver::kAdamW, 96), 100, 1e-12);
  EXPECT_NEAR(penalty_strength(ProbeSolver::kLbfgs, 48), 1, 1e-14);
  EXPECT_NEAR(penalty_strength(ProbeSolver::kLbfgs, 96), 1e6, 1e-8);
}

TEST(LinearProbe, LearnsWhatCanBeSeparated) {
  const Clouds train(600, 6, 16, 0.5f, 1), val(120, 6, 16, 0.5f, 2), test(300, 6, 16, 0.5f, 3);
  ThreadPool pool(2);
  const ProbeData data{.train = train.set(), .val = val.set(), .test = test.set(), .dim = 16};
  for (const ProbeSolver solver : {ProbeSolver::kAdamW, ProbeSolver::kLbfgs}) {
    const ProbeOutcome outcome = linear_probe(data, {.solver = solver}, pool);
    ASSERT_TRUE(outcome.result);
    EXPECT_GT(outcome.result->acc1, 0.99);
    EXPECT_GT(outcome.result->mean_per_class_recall, 0.99);
    EXPECT_GE(outcome.result->acc5, outcome.result->acc1);
    EXPECT_EQ(outcome.result->counts.images, 300);
  }
}

TEST(LinearProbe, HasTheSameBitsOnAnyNumberOfThreads) {
  const Clouds train(300, 40, 24, 1.5f, 1), val(90, 40, 24, 1.5f, 2);
  const SamplePool samples{.first = train.set(), .second = val.set(), .dim = 24};
  const std::vector<int64_t> ids = all_ids(390);
  const ProbeTask task{.samples = samples, .ids = ids, .classes = 40};
  const std::vector<double> decays = {0, 0.01, 0.1};
  const AdamWOptions options{.learning_rate = 0.1, .epochs = 2, .batch_size = 64, .seed = 4};
  ThreadPool one(1), four(4);
  const ProbeLayers a = train_adamw(task, decays, options, one, {});
  const ProbeLayers b = train_adamw(task, decays, options, four, {});
  EXPECT_EQ(a.weights, b.weights);
  EXPECT_EQ(a.biases, b.biases);
  // A candidate beside others is the candidate alone.
  const ProbeLayers alone = train_adamw(task, std::span(decays).subspan(1, 1), options, four, {});
  EXPECT_TRUE(std::equal(alone.weights.begin(), alone.weights.end(), a.weights.begin() + 40 * 24));
  const ProbeLayers c = train_lbfgs(task, 1, 20, one, {});
  const ProbeLayers d = train_lbfgs(task, 1, 20, four, {});
  EXPECT_EQ(c.weights, d.weights);
}

TEST(LinearProbe, TrainsOnValidationToo) {
  const Clouds train(40, 2, 4, 0.2f, 1), val(40, 2, 4, 0.2f, 2), test(40, 2, 4, 0.2f, 3);
  ThreadPool pool(1);
  const ProbeData data{.train = train.set(), .val = val.set(), .test = test.set(), .dim = 4};
  std::vector<int64_t> done;
  ProbeHooks hooks;
  hooks.progress = [&](int64_t trainings, int64_t total) {
    done.push_back(trainings);
    EXPECT_EQ(total, 20);
  };
  ASSERT_TRUE(linear_probe(data, {.epochs = 1, .batch_size = 8}, pool, hooks).result);
  // 10 steps: 80 samples in batches of 8; a probe of few has its 8 samples alone.
  EXPECT_EQ(std::count(done.begin(), done.end(), 19), 10);
  done.clear();
  ASSERT_TRUE(
      linear_probe(data, {.epochs = 1, .batch_size = 8, .fewshot_k = 4}, pool, hooks).result);
  EXPECT_EQ(std::count(done.begin(), done.end(), 19), 1);
}

TEST(LinearProbe, WithoutValidationHasNoPenalty) {
  const Clouds train(60, 5, 8, 0.3f, 1), test(60, 5, 8, 0.3f, 3);
  ThreadPool pool(1);
  const ProbeData data{.train = train.set(), .val = {}, .test = test.set(), .dim = 8};
  const ProbeOutcome outcome = linear_probe(data, {}, pool);
  ASSERT_TRUE(outcome.result);
  EXPECT_EQ(outcome.result->strength, 0);
  EXPECT_TRUE(std::isnan(outcome.result->acc5));  // five classes
  EXPECT_EQ(linear_probe(data, {.solver = ProbeSolver::kLbfgs}, pool).result->strength, 1);
  const ProbeOutcome few = linear_probe(data, {.fewshot_k = 13}, pool);
  EXPECT_FALSE(few.result);
  EXPECT_NE(few.shortage.find("12 training samples"), std::string::npos);
}

TEST(LinearProbe, GoesOnWhereASearchWasInterrupted) {
  const Clouds train(120, 6, 8, 1.5f, 1), val(60, 6, 8, 1.5f, 2), test(60, 6, 8, 1.5f, 3);
  ThreadPool pool(1);
  const ProbeData data{.train = train.set(), .val = val.set(), .test = test.set(), .dim = 8};
  const ProbeOptions options{.epochs = 2, .batch_size = 16};
  std::map<int, double> all;
  ProbeHooks hooks;
  hooks.trained = [&](int index, double accuracy) { all[index] = accuracy; };
  const ProbeOutcome whole = linear_probe(data, options, pool, hooks);
  EXPECT_GE(all.size(), 11U);
  EXPECT_LE(all.size(), 15U);

  std::map<int, double> kept;
  hooks.trained = [&](int index, double accuracy) {
    kept[index] = accuracy;
    if (kept.size() == 8) throw Interrupted();
  };
  EXPECT_THROW(linear_probe(data, options, pool, hooks), Interrupted);
  size_t trained = 0;
  hooks.known = kept;
  hooks.trained = [&](int, double) { ++trained; };
  const ProbeOutcome rest = linear_probe(data, options, pool, hooks);
  EXPECT_EQ(trained, all.size() - 8);
  EXPECT_EQ(rest.result->strength, whole.result->strength);
  EXPECT_EQ(rest.result->acc1, whole.result->acc1);
}

TEST(LinearProbe, EndsBetweenStepsWhenAsked) {
  const Clouds train(120, 6, 8, 1.5f, 1), val(60, 6, 8, 1.5f, 2);
  ThreadPool pool(2);
  const ProbeData data{.train = train.set(), .val = val.set(), .test = val.set(), .dim = 8};
  for (const ProbeSolver solver : {ProbeSolver::kAdamW, ProbeSolver::kLbfgs}) {
    int steps = 0;
    ProbeHooks hooks;
    hooks.progress = [&](int64_t, int64_t) {
      if (++steps == 3) throw Interrupted();
    };
    EXPECT_THROW(linear_probe(data, {.solver = solver}, pool, hooks), Interrupted);
    EXPECT_EQ(steps, 3);
  }
}

TEST(LinearProbe, ADecayThatOvershootsIsNoCandidate) {
  const Clouds train(600, 3, 4, 0.3f, 1), val(30, 3, 4, 0.3f, 2);
  ThreadPool pool(1);
  const ProbeData data{.train = train.set(), .val = val.set(), .test = val.set(), .dim = 4};
  std::map<int, double> all;
  ProbeHooks hooks;
  hooks.trained = [&](int index, double accuracy) { all[index] = accuracy; };
  // Each step multiplies by 1 - 0.1 * 100 = -9.
  const ProbeOutcome outcome = linear_probe(data, {.batch_size = 8}, pool, hooks);
  EXPECT_EQ(all.at(96), 0);
  EXPECT_GT(outcome.result->acc1, 0.95);
  EXPECT_THROW(linear_probe(data, {.learning_rate = 1e30, .batch_size = 8}, pool), Error);
}

TEST(LinearProbe, RejectsWhatDoesNotFit) {
  Clouds train(20, 2, 4, 0.3f, 1);
  const Clouds test(20, 2, 4, 0.3f, 2);
  ThreadPool pool(1);
  const auto run = [&](const FeatureSet& set, const FeatureSet& val, int64_t dim) {
    return linear_probe({.train = set, .val = val, .test = test.set(), .dim = dim}, {.epochs = 1},
                        pool);
  };
  EXPECT_NO_THROW(run(train.set(), {}, 4));
  EXPECT_THROW(run(train.set(), {}, 5), Error);
  EXPECT_THROW(run({}, {}, 4), Error);
  EXPECT_THROW(
      run({.features = train.features, .labels = std::span(train.labels).first(19)}, {}, 4), Error);
  const Clouds more(20, 3, 4, 0.3f, 2);  // a class that training lacks
  EXPECT_THROW(run(train.set(), more.set(), 4), Error);
  train.labels[3] = -1;
  EXPECT_THROW(run(train.set(), {}, 4), Error);
  train.labels[3] = int64_t{1} << 40;
  EXPECT_THROW(run(train.set(), {}, 4), Error);
  train.labels[3] = 0;
  train.features[5] = NAN;
  EXPECT_THROW(run(train.set(), {}, 4), Error);
}

// The gradient of scikit-learn's objective vanishes at the solution.
TEST(TrainLbfgs, MinimisesThePenalisedSum) {
  const Clouds data(90, 4, 6, 2.0f, 1);
  const std::vector<int64_t> ids = all_ids(90);
  ThreadPool pool(1);
  constexpr double kStrength = 3;
  const ProbeTask task{
      .samples = {.first = data.set(), .second = {}, .dim = 6}, .ids = ids, .classes = 4};
  const ProbeLayers layer = train_lbfgs(task, kStrength, 1000, pool, {});
  ProbeBatch batch(pool);
  batch.gather(task.samples, ids);
  batch.forward(layer, 1);
  batch.gradients(layer, [&](int64_t row, const float* g, float bias) {
    for (int64_t d = 0; d < 6; ++d) {
      EXPECT_NEAR(g[d] + kStrength * layer.weights[static_cast<size_t>(row * 6 + d)], 0, 1e-4 * 90);
    }
    EXPECT_NEAR(bias, 0, 1e-4 * 90);
  });
  EXPECT_GT(*std::max_element(layer.weights.begin(), layer.weights.end()), 0.05f);
}

}  // namespace
}  // namespace clipnext::eval
