#include "eval/expected.h"

#include <gtest/gtest.h>

#include <numeric>

#include "base/error.h"
#include "base/file.h"
#include "base/test_error.h"
#include "base/test_folder.h"

namespace clipnext::eval {
namespace {

constexpr const char* kSoup = "laion2b_s29b_b131k_ft_soup";
constexpr const char* kSoupRepo = "laion/CLIP-convnext_large_d_320.laion2B-s29B-b131K-ft-soup";

const Figure& figure_of(const PublishedModel& model, const std::string& dataset,
                        const std::string& metric) {
  for (const Figure& figure : model.figures) {
    if (figure.dataset == dataset && figure.metric == metric) return figure;
  }
  ADD_FAILURE() << "no figure of " << dataset << " " << metric;
  static const Figure none;
  return none;
}

RunResult measured(const std::string& dataset, OrderedJson metrics) {
  RunResult result;
  result.dataset = dataset;
  result.task = "zeroshot_classification";
  result.metrics = std::move(metrics);
  return result;
}

std::string error_of(const std::string& what, const std::string& model = "m",
                     const std::string& pretrained = "p") {
  return message_of([&] { read_expectations(what, model, pretrained); });
}

TEST(Published, AveragesFollowFromTheColumns) {
  int with_average = 0;
  for (const PublishedModel& model : published_models()) {
    if (!model.average) continue;
    ++with_average;
    ASSERT_EQ(model.figures.size(), 38U + 19U - 1U);
    double sum = 0;
    for (size_t i = 0; i < 38; ++i) sum += model.figures[i].value;
    EXPECT_NEAR(sum / 38, *model.average, 6e-5) << model.model << " " << model.pretrained;
  }
  EXPECT_EQ(with_average, 12);
  EXPECT_EQ(published_models().size(), 17U);
}

TEST(Published, MeanRecallFollowsFromBothRecalls) {
  for (const PublishedModel& model : published_models()) {
    if (!model.average) continue;
    for (const char* dataset : {"flickr30k", "mscoco_captions"}) {
      const double image = figure_of(model, dataset, "image_retrieval_recall@1").value;
      const double text = figure_of(model, dataset, "text_retrieval_recall@1").value;
      EXPECT_NEAR(figure_of(model, dataset, "mean_recall@1").value, (image + text) / 2, 1.1e-4);
    }
  }
}

TEST(Published, ModelsAreFoundAsOpenClipFindsThem) {
  const PublishedModel* soup = find_published("convnext_large_d_320", "laion2B-s29B_b131k-ft_soup");
  ASSERT_NE(soup, nullptr);
  EXPECT_EQ(figure_of(*soup, "imagenet1k", "acc1").value, 0.7685);
  EXPECT_NE(find_published("ViT-B-32-quickgelu", "openai"), nullptr);
  EXPECT_EQ(find_published("convnext_large_d_320", "openai"), nullptr);
}

TEST(Expected, TolerancesAreThoseOfThePolicy) {
  const auto figure = [](const char* dataset, const char* metric, int64_t n,
                         FigureSource source = FigureSource::kSuite38) {
    return Figure{
        .dataset = dataset, .metric = metric, .value = 0.5, .samples = n, .source = source};
  };
  const struct {
    Figure figure;
    double fp32, half, int8;  // points
  } kCases[] = {
      {figure("imagenet1k", "acc1", 50000), 0.10, 0.20, 0.50},
      {figure("vtab/cifar10", "acc1", 10000), 0.10, 0.20, 0.50},
      {figure("vtab/dtd", "acc1", 1880), 0.32, 0.38, 0.50},      // twice 0.16; max
      {figure("imagenet-o", "acc1", 2000), 0.15, 0.25, 0.50},    // 3 and 5 samples
      {figure("renderedsst2", "acc1", 1821), 0.66, 1.04, 1.04},  // the scatter
      {figure("vtab/svhn", "acc1", 26032), 0.10, 0.20, 0.50},    // its scatter is no guide
      {figure("vtab/kitti_closest_vehicle_distance", "acc1", 711), 1.5, 1.5, 1.5},
      {figure("wilds/iwildcam", "F1-macro_all", 42791), 0.5, 0.5, 0.5},
      {figure("voc2007_multilabel", "mean_average_precision", 4952), 0.10, 0.20, 0.50},
      {figure("imagenet1k", "acc1", 50000, FigureSource::kOlder), 0.15, 0.20, 0.50},
      {figure("flickr8k", "text_retrieval_recall@5", 100, FigureSource::kOlder), 5, 5, 8},
  };
  for (const auto& one : kCases) {
    EXPECT_NEAR(100 * tolerance(one.figure, Precision::kFp32), one.fp32, 1e-9)
        << one.figure.dataset;
    EXPECT_NEAR(100 * tolerance(one.figure, Precision::kHalf), one.half, 1e-9)
        << one.figure.dataset;
    EXPECT_NEAR(100 * tolerance(one.figure, Precision::kInt8), one.int8, 1e-9)
        << one.figure.dataset;
  }
}

TEST(Expected, PublishedFiguresTellMatchFromDeviation) {
  const Expectations expected = read_expectations("builtin", "convnext_large_d_320", kSoup);
  EXPECT_FALSE(expected.complete);
  const auto verdicts = compare(
      std::vector{measured("wds/imagenet1k", {{"acc1", 0.7676}, {"acc5", 0.94}}),
                  measured("wds/vtab/pets", {{"acc1", 0.5}, {"mean_per_class_recall", 0.93}}),
                  measured("cifar10", {{"acc1", 0.9659}})},
      expected, Precision::kFp32);
  ASSERT_EQ(verdicts.size(), 3U);  // what was not evaluated is left out
  EXPECT_EQ(verdicts[0].outcome, Outcome::kMatch);
  EXPECT_NEAR(*verdicts[0].samples_apart, -45, 1e-6);
  EXPECT_EQ(verdicts[1].figure.dataset, "vtab/cifar10");
  EXPECT_EQ(verdicts[1].outcome, Outcome::kMatch);
  EXPECT_EQ(verdicts[2].outcome, Outcome::kDeviation);
  EXPECT_TRUE(missed(verdicts));
  EXPECT_FALSE(missed(std::span(verdicts).first(2)));
  EXPECT_NE(verdict_table(verdicts).find("-0.58"), std::string::npos) << verdict_table(verdicts);
  EXPECT_EQ(verdict_json(verdicts)[2]["verdict"], "deviation");
}

TEST(Expected, MeanRecallIsDerivedFromBoth) {
  const Expectations expected = read_expectations("hf-hub:" + std::string(kSoupRepo), "x", "y");
  const auto verdicts =
      compare(std::vector{measured("flickr30k", {{"image_retrieval_recall@1", 0.7704},
                                                 {"text_retrieval_recall@1", 0.9230}})},
              expected, Precision::kFp32);
  ASSERT_EQ(verdicts.size(), 3U);
  EXPECT_EQ(verdicts[0].figure.metric, "mean_recall@1");
  for (const Verdict& verdict : verdicts) EXPECT_EQ(verdict.outcome, Outcome::kMatch);
}

TEST(Expected, ImplausibleFiguresAreNoTargets) {
  const PublishedModel* xxl = find_published("convnext_xxlarge", "laion2b_s34b_b82k_augreg_soup");
  ASSERT_NE(xxl, nullptr);
  const Verdict verdict =
      judge(figure_of(*xxl, "wilds/fmow", "acc_worst_region"), 0.2, Precision::kFp32);
  EXPECT_EQ(verdict.outcome, Outcome::kNotJudged);
  const PublishedModel* vit = find_published("ViT-B-32", "openai");
  ASSERT_NE(vit, nullptr);
  EXPECT_FALSE(figure_of(*vit, "vtab/svhn", "acc1").no_target.empty());
  EXPECT_TRUE(figure_of(*vit, "mnist", "acc1").no_target.empty());
  EXPECT_TRUE(missed({}));
}

TEST(Expected, Int8IsNotJudgedByFewSamples) {
  const Figure small{.dataset = "a", .metric = "acc1", .value = 0.5, .samples = 1000};
  EXPECT_EQ(judge(small, 0.4, Precision::kInt8).outcome, Outcome::kNotJudged);
  EXPECT_EQ(judge(small, 0.5, Precision::kInt8).outcome, Outcome::kMatch);
  EXPECT_EQ(judge(small, 0.4, Precision::kHalf).outcome, Outcome::kDeviation);
}

TEST(Expected, ACardPassesMissesAndKnowsWhatIsMissing) {
  const TestFolder folder;
  const std::string card = (folder / "card.json").string();
  write_file(card, R"({"model": "mine", "figures": [
      {"dataset": "wds/pets", "metric": "acc1", "value": 0.9, "n": 1000},
      {"dataset": "food101", "metric": "acc5", "value": 0.8, "tolerance": 0.05},
      {"dataset": "cars", "metric": "acc1", "value": 0.8}]})");
  const Expectations expected = read_expectations(card, "m", "p");
  std::vector<RunResult> results = {measured("pets", {{"acc1", 0.897}}),
                                    measured("food101", {{"acc5", 0.76}}),
                                    measured("cars", {{"acc1", 0.8}})};
  EXPECT_FALSE(missed(compare(results, expected, Precision::kFp32)));
  results[0].metrics["acc1"] = 0.8969;
  EXPECT_TRUE(missed(compare(results, expected, Precision::kFp32)));
  results[0].metrics["acc1"] = 0.897;
  results.pop_back();
  const auto verdicts = compare(results, expected, Precision::kFp32);
  EXPECT_EQ(verdicts[2].outcome, Outcome::kMissing);
  EXPECT_TRUE(missed(verdicts));
}

TEST(Expected, ResultsAreToBeReachedAgain) {
  const TestFolder folder;
  const std::string path = (folder / "r.json").string();
  RunResult result = measured("pets", {{"acc1", 0.9}, {"acc5", nullptr}, {"seed", 0}});
  const std::string line = to_json_line(result);
  for (const std::string& text : {line, "[" + line + "]"}) {
    write_file(path, text);
    const Expectations expected = read_expectations(path, "m", "p");
    ASSERT_EQ(expected.figures.size(), 1U);
    EXPECT_EQ(expected.figures[0].value, 0.9);
  }
}

TEST(Expected, WhatCannotBeIsRefused) {
  const TestFolder folder;
  const std::string path = (folder / "card.json").string();
  const std::pair<const char*, const char*> cases[] = {
      {R"({"a": 1})", "neither"},
      {R"({"figures": []})", "no figures"},
      {R"({"figures": [{"dataset": "a", "metric": "acc1"}]})", "no \"value\""},
      {R"({"figures": [{"dataset": "a", "metric": "acc1", "value": 75}]})", "a fraction"},
      {R"({"figures": [{"dataset": "a", "metric": "acc1", "value": NaN}]})", "\"value\""},
      {R"({"figures": [{"dataset": "a", "metric": "acc1", "value": 1, "n": 0}]})", "\"n\""},
      {R"([{"dataset": "a"}])", "no \"model\""},
      {"7", "neither"}};
  for (const auto& [text, part] : cases) {
    write_file(path, text);
    EXPECT_NE(error_of(path).find(part), std::string::npos) << text << ": " << error_of(path);
  }
  EXPECT_NE(error_of("builtin").find("convnext_xxlarge,"), std::string::npos);
  EXPECT_NE(error_of("laion/none").find("neither a file"), std::string::npos);
}

}  // namespace
}  // namespace clipnext::eval
