#include "soup/pass.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "soup/test_ingredients.h"

namespace clipnext::soup {
namespace {

std::vector<Ingredient> pot_of(const std::vector<uint64_t>& seeds) {
  std::vector<Ingredient> pot;
  for (const uint64_t seed : seeds) {
    pot.push_back(in_memory("m" + std::to_string(seed), small_model(seed)));
  }
  return pot;
}

weights::TensorMap cook(const std::vector<Ingredient>& pot, const Options& options = {},
                        int threads = 2) {
  ThreadPool pool(threads);
  return make_tensors(make_plan(pot, options, nullptr), pot, pool);
}

void expect_equal(const weights::TensorMap& a, const weights::TensorMap& b) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, tensor] : a) EXPECT_EQ(bits(tensor), bits(b.at(name))) << name;
}

TEST(SoupMean, OfCopiesIsTheModelItselfBitForBit) {
  auto tensors = small_model(1);
  // Zeros of both signs, subnormal and largest values.
  std::vector<float> edges = {0.0f,
                              -0.0f,
                              std::numeric_limits<float>::denorm_min(),
                              -std::numeric_limits<float>::denorm_min(),
                              std::numeric_limits<float>::max(),
                              std::numeric_limits<float>::lowest(),
                              std::numeric_limits<float>::min()};
  tensors["edges"] = weights::make_tensor({std::ssize(edges)}, edges);
  for (const size_t n : {1, 2, 3, 7, 10, 49, 100}) {
    const std::vector<Ingredient> pot(n, in_memory("a", tensors));
    expect_equal(cook(pot), tensors);
    std::vector<double> weights(n);
    for (size_t i = 0; i < n; ++i) weights[i] = static_cast<double>(i + 1);
    expect_equal(cook(pot, {.weights = normalised(weights)}), tensors);
  }
}

TEST(SoupMean, DoesNotDependOnTheOrderOfIngredients) {
  expect_equal(cook(pot_of({1, 2, 3, 4, 5})), cook(pot_of({4, 2, 5, 1, 3})));
}

TEST(SoupMean, BetweenTwoIsLinear) {
  const auto pot = pot_of({1, 2});
  expect_equal(cook(pot, {.weights = {1, 0}}), small_model(1));
  expect_equal(cook(pot, {.weights = {0, 1}}), small_model(2));
  expect_equal(cook(pot, {.weights = {0.5, 0.5}}), cook(pot));
}

// Against long double sums, rounded once.
TEST(SoupMean, IsWithinHalfAUnitInTheLastPlace) {
  const auto pot = pot_of({1, 2, 3, 4, 5, 6, 7});
  const std::vector<double> weights = normalised({0.3, 0.1, 0.25, 0.05, 0.1, 0.15, 0.05});
  const auto uniform = cook(pot);
  const auto weighted = cook(pot, {.weights = weights});
  for (const auto& [name, tensor] : uniform) {
    if (name == "logit_scale") continue;
    std::vector<std::vector<float>> sources;
    for (const Ingredient& i : pot) sources.push_back(weights::to_f32(i.tensors.at(name)));
    const std::vector<float> mean = weights::to_f32(tensor);
    const std::vector<float> sum = weights::to_f32(weighted.at(name));
    for (size_t k = 0; k < mean.size(); ++k) {
      long double exact = 0;
      long double exact_weighted = 0;
      for (size_t i = 0; i < pot.size(); ++i) {
        exact += sources[i][k];
        exact_weighted += static_cast<long double>(sources[i][k]) * weights[i];
      }
      exact /= static_cast<long double>(pot.size());
      const auto check = [&](float found, long double value) {
        const float next = std::nextafter(std::fabs(found), HUGE_VALF);
        const long double ulp = static_cast<long double>(next) - std::fabs(found);
        ASSERT_LE(std::fabs(found - value), ulp * 0.5L + std::fabs(value) * 0x1p-50L) << value;
      };
      check(mean[k], exact);
      check(sum[k], exact_weighted);
    }
  }
}

TEST(SoupMean, InSequenceIsTheLoopOfFloats) {
  const auto pot = pot_of({1, 2, 3});
  const auto found = cook(pot, {.accumulate = Accumulate::kF32Seq});
  const std::string name = "visual.head.proj.weight";
  const float weight = 1.0f / 3;
  std::vector<float> expected = weights::to_f32(pot[0].tensors.at(name));
  for (float& x : expected) x = x * weight;
  for (size_t i = 1; i < 3; ++i) {
    const std::vector<float> other = weights::to_f32(pot[i].tensors.at(name));
    for (size_t k = 0; k < expected.size(); ++k) {
      const float product = other[k] * weight;
      expected[k] = product + expected[k];
    }
  }
  EXPECT_EQ(weights::to_f32(found.at(name)), expected);
}

TEST(SoupPass, DoesNotDependOnTheNumberOfThreads) {
  std::vector<Ingredient> pot = pot_of({1, 2});
  for (size_t i = 0; i < 2; ++i) {  // of several pieces
    pot[i].tensors["large"] = weights::make_tensor({3'000'001}, values_of(50 + i, 3'000'001));
  }
  const Plan plan = make_plan(pot, {}, nullptr);
  const auto distance = [&](int threads) {
    ThreadPool pool(threads);
    return run_pass(plan, pot, {}, pool).distances.pairs.at(0).relative;
  };
  EXPECT_EQ(distance(1), distance(5));
  expect_equal(cook(pot, {}, 1), cook(pot, {}, 5));
}

TEST(SoupPass, DistancesAndCosinesAreThoseOfTheDefinition) {
  const auto one = [](const std::string& name, std::vector<float> head, std::vector<float> text) {
    return in_memory(name, {{"visual.head.proj.weight", weights::make_tensor({2}, head)},
                            {"ln_final.weight", weights::make_tensor({1}, text)}});
  };
  const std::vector<Ingredient> pot = {one("a", {3, 0}, {4}), one("b", {3, 3}, {4})};
  const Ingredient base = one("base", {2, 0}, {4});
  ThreadPool pool(2);
  const PassResult result = run_pass(make_plan(pot, {}, nullptr), pot, {.base = &base}, pool);
  ASSERT_EQ(result.distances.pairs.size(), 1U);
  const Distance& pair = result.distances.pairs[0];
  EXPECT_DOUBLE_EQ(pair.relative, 3.0 / 5);
  for (size_t g = 0; g < result.distances.groups.size(); ++g) {
    EXPECT_DOUBLE_EQ(pair.by_group[g], result.distances.groups[g] == "head" ? 1 : 0);
  }
  // Deltas (1, 0, 0) and (1, 3, 0).
  EXPECT_DOUBLE_EQ(pair.cosine.value(), 1 / std::sqrt(10.0));
}

TEST(SoupPass, TensorsBelongToTheirPartsOfAModel) {
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"visual.trunk.stem.0.weight", "stem"},
      {"visual.trunk.stages.2.blocks.11.gamma", "stage 2"},
      {"visual.trunk.norm_pre.weight", "head"},
      {"visual.head.mlp.fc1.weight", "head"},
      {"visual.positional_embedding", "embeddings"},
      {"visual.conv1.weight", "stem"},
      {"visual.transformer.resblocks.0.ln_1.weight", "image blocks"},
      {"visual.layer3.1.conv1.weight", "stage 3"},
      {"token_embedding.weight", "embeddings"},
      {"transformer.resblocks.0.ln_1.weight", "text"},
      {"text_projection", "text"},
      {"logit_scale", "scales"}};
  for (const auto& [name, group] : expected) EXPECT_EQ(group_of(name), group) << name;
}

}  // namespace
}  // namespace clipnext::soup
