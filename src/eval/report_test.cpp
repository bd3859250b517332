#include "eval/report.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "base/test_folder.h"
#include "eval/prediction_stats.h"
#include "image/encode.h"

namespace clipnext::eval {
namespace {

const std::string kHostile = "<script>alert('1')</script>\"&\x01";

RunResult result(const std::string& dataset, const std::string& model, double acc1) {
  RunResult one;
  one.dataset = dataset;
  one.model = model;
  one.pretrained = "laion2b_s13b_b82k";
  one.task = "zeroshot_classification";
  one.metrics = {{"acc1", acc1}};
  return one;
}

PredictedImage predicted(int64_t label, int64_t guess, double probability) {
  return {
      .image = "i", .label = label, .top = {guess}, .scores = {0.3f}, .probability = probability};
}

Predictions predictions(std::vector<PredictedImage> images) {
  Predictions all;
  all.header.dataset = "d";
  all.header.classes = {"cat", kHostile, "cow"};
  all.header.images = static_cast<int64_t>(images.size());
  all.images = std::move(images);
  return all;
}

size_t count(const std::string& text, const std::string& part) {
  size_t times = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++times;
  return times;
}

TEST(PredictionStats, CountClassesPairsAndMistakes) {
  const auto all = predictions({predicted(0, 0, 0.9), predicted(0, 1, 0.8), predicted(0, 1, 0.95),
                                predicted(1, 2, 0.3), predicted(2, 2, 0.5)});
  const PredictionStats stats = prediction_stats(all, 10, 2);
  EXPECT_EQ(stats.right, 2);
  ASSERT_EQ(stats.classes.size(), 3U);
  EXPECT_EQ(stats.classes[0].label, 1);
  EXPECT_EQ(stats.classes[1].label, 0);
  EXPECT_EQ(stats.classes[1].right, 1);
  ASSERT_EQ(stats.confusions.size(), 2U);
  EXPECT_EQ(stats.confusions[0].guess, 1);
  EXPECT_EQ(stats.confusions[0].images, (std::vector<size_t>{2, 1}));
  EXPECT_EQ(stats.hardest, (std::vector<size_t>{2, 1}));
}

TEST(PredictionStats, CalibrationIsTheWeighedGapOfEachBin) {
  // Bins of 1/15: two of 0.9 (one right), one of 0.5 (right), one of 1 (right).
  const auto all = predictions(
      {predicted(0, 0, 0.9), predicted(0, 1, 0.9), predicted(0, 0, 0.5), predicted(0, 0, 1.0)});
  const PredictionStats stats = prediction_stats(all, 10, 10);
  ASSERT_EQ(stats.bins.size(), 15U);
  EXPECT_EQ(stats.bins[13].images, 2);
  EXPECT_EQ(stats.bins[14].images, 1);
  EXPECT_NEAR(stats.bins[13].accuracy, 0.5, 1e-12);
  EXPECT_NEAR(stats.calibration_error, 0.5 * 0.4 + 0.25 * 0.5, 1e-12);
}

TEST(PredictionStats, AnyOfSeveralRightClassesIsRight) {
  auto image = predicted(-1, 2, 0.5);
  image.positives = {1, 2};
  EXPECT_TRUE(is_right(image));
  image.positives = {1};
  EXPECT_FALSE(is_right(image));
  EXPECT_TRUE(prediction_stats(predictions({image}), 10, 10).classes.empty());
}

TEST(Report, TagsTellTheSamplesSeen) {
  EXPECT_EQ(samples_seen("laion2b_s34b_b88k"), 34e9);
  EXPECT_EQ(samples_seen("laion2b_s29b_b131k_ft_soup"), 29e9);
  for (const char* tag : {"openai", "laion400m_e32", "_sb_", "_s12", "_s1bc", "_s"}) {
    EXPECT_EQ(samples_seen(tag), std::nullopt) << tag;
  }
}

TEST(Report, TheCurveIsOfTheMainSetBesidePublishedFigures) {
  ReportData data;
  data.runs.push_back(
      {.path = "a", .result = result("wds/imagenet1k", "convnext_base_w", 0.7), .details = {}});
  data.runs.push_back(
      {.path = "b", .result = result("cars", "convnext_base_w", 0.9), .details = {}});
  data.runs.push_back({.path = "c", .result = result("imagenet1k", "unknown", 0.6), .details = {}});
  const auto chart = zero_shot_chart(data, {});
  ASSERT_TRUE(chart);
  EXPECT_EQ(chart->points.size(), 1U + 17U);  // no one knows what "unknown" costs
  EXPECT_NEAR(chart->points[0].x, 20.46, 0.5);
  const auto samples = zero_shot_chart(data, {.axis = ChartAxis::kSamplesSeen});
  ASSERT_TRUE(samples);
  EXPECT_EQ(samples->points[0].x, 13e9);
  EXPECT_EQ(count(page::scatter_svg(*samples), "<circle"), samples->points.size());
  EXPECT_FALSE(zero_shot_chart(data, {.chart_dataset = "mnist"}));
}

TEST(Report, PicturesAreEmbeddedOrStoodInFor) {
  const TestFolder folder;
  const image::Image picture = image::make_image(image::Mode::kRgb, 300, 200);
  const std::string png = image::encode(picture, image::Encoding::kPng, "a");
  write_file(folder / "a.bin", "xx" + png);
  PredictedImage image = predicted(0, 1, 0.5);
  EXPECT_EQ(picture_url(image), "");
  image.file = (folder / "a.bin").string();
  image.offset = 2;
  image.size = static_cast<int64_t>(png.size());
  EXPECT_TRUE(picture_url(image).starts_with("data:image/jpeg;base64,/9j/"));
  image.offset = 0;
  EXPECT_EQ(picture_url(image), "");
  image.size = INT64_MAX / 2;
  EXPECT_EQ(picture_url(image), "");
  image.file = folder.path().string();
  EXPECT_EQ(picture_url(image), "");
}

TEST(Report, NothingFromOutsideBecomesMarkup) {
  ReportData data;
  RunResult hostile = result(kHostile, kHostile, 0.5);
  hostile.pretrained = hostile.task = hostile.language = kHostile;
  hostile.metrics[kHostile] = 0.5;
  Details details;
  details.skipped = {{kHostile, kHostile}};
  details.dtype = kHostile;
  data.runs.push_back({.path = kHostile, .result = hostile, .details = details});
  Predictions answers = predictions({predicted(0, 1, 0.8), predicted(1, 2, 0.5)});
  answers.images[0].image = answers.images[0].file = kHostile;
  answers.header.dataset = answers.header.model = kHostile;
  data.predictions = {answers};
  data.notes = {kHostile};
  const std::string html = report_html(data, {.title = kHostile});
  EXPECT_EQ(count(html, "<script"), 0U);
  EXPECT_EQ(count(html, "'1'"), 0U);
  EXPECT_EQ(count(html, "\x01"), 0U);
  EXPECT_GT(count(html, "&lt;script&gt;"), 10U);
  // The namespace of SVG is a name, not a place to go to.
  EXPECT_EQ(count(html, "://"), count(html, "http://www.w3.org/2000/svg"));
  EXPECT_EQ(count(html, "picture not found"), 4U);
}

TEST(Report, FilesOfAFolderThatAreNeitherAreNoted) {
  const TestFolder folder;
  const std::vector<std::string> paths = {folder.path().string()};
  EXPECT_THROW(read_report(paths), Error);
  write_result(folder / "a.json", result("d", "m", 0.5));
  write_file(folder / "b.json", "{}");
  write_file(folder / "c.txt", "no");
  PredictionWriter writer(folder / "p.jsonl", {.classes = {"cat"}, .images = 0});
  writer.commit();
  const ReportData data = read_report(paths);
  EXPECT_EQ(data.runs.size(), 1U);
  EXPECT_EQ(data.predictions.size(), 1U);
  ASSERT_EQ(data.notes.size(), 1U);
  EXPECT_NE(data.notes[0].find("b.json"), std::string::npos);
  write_file(details_path(folder / "a.json"), "{");
  EXPECT_THROW(read_report(std::vector{(folder / "a.json").string()}), Error);
  EXPECT_THROW(read_report(std::vector{(folder / "b.json").string()}), Error);
}

}  // namespace
}  // namespace clipnext::eval
