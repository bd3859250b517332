#include <algorithm>
#include <cmath>

#include "e2e/program.h"

namespace clipnext::e2e {
namespace {

const std::string kLabels = "cactus,elephant,hamburger,light bulb,snowman,sunflower,taxi,trophy";

std::string best_label(const Json& image) {
  return image["predictions"][0]["label"].get<std::string>();
}

TEST_F(Program, ClassifyNamesTheExamplePictures) {
  const Outcome outcome = run({"classify", source_path("examples/emoji/pictures"), "--labels",
                               kLabels, "--template", "an emoji of {}", "--top", "8", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Json json = outcome.json();
  ASSERT_EQ(json["images"].size(), 8U);
  int right = 0;
  for (const Json& image : json["images"]) {
    std::string name = std::filesystem::path(image["image"].get<std::string>()).stem();
    std::replace(name.begin(), name.end(), '-', ' ');
    right += best_label(image) == name ? 1 : 0;
    double sum = 0;
    for (const Json& p : image["predictions"]) sum += p["probability"].get<double>();
    EXPECT_NEAR(sum, 1, 1e-9);
  }
  EXPECT_GE(right, 7) << outcome.out;
  EXPECT_EQ(json["templates"], Json::parse(R"(["an emoji of {}"])"));
  EXPECT_EQ(json["bad"], Json::array());
}

TEST_F(Program, ClassifyProbabilitiesAreTheSoftmaxOfScaledSimilarities) {
  const Json json = run({"classify", picture("taxi"), "--labels", "taxi,cactus", "--json"}).json();
  const Json& p = json["images"][0]["predictions"];
  const double scale = json["logit_scale"].get<double>();
  const double gap = p[0]["similarity"].get<double>() - p[1]["similarity"].get<double>();
  EXPECT_GT(scale, 1);
  EXPECT_NEAR(p[0]["probability"].get<double>(), 1 / (1 + std::exp(-scale * gap)), 1e-4);
}

TEST_F(Program, ClassifyKnowsImageNetsNames) {
  const Json json = run({"classify", picture("taxi"), "--labels", "@imagenet", "--json"}).json();
  EXPECT_EQ(json["labels"].size(), 1000U);
  EXPECT_EQ(json["labels"][0], "tench");
  const Json most =
      run({"classify", picture("taxi"), "--labels", "taxi", "--template", "@imagenet", "--json"})
          .json();
  EXPECT_EQ(most["templates"].size(), 80U);
}

TEST_F(Program, ClassifyPrintsLabelsAndProbabilitiesAsText) {
  const Outcome outcome = run({"classify", picture("taxi"), "--labels", kLabels, "--top", "2"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 3);
  EXPECT_NE(outcome.out.find("%  taxi\n"), std::string::npos) << outcome.out;
  EXPECT_EQ(outcome.out.find("\033"), std::string::npos) << "escape codes into a file";
}

TEST_F(Program, ClassifyReadsStandardInput) {
  const std::vector<std::string> args = {"classify", "-", "--labels", kLabels, "--json"};
  const Json piped = run({.args = args, .input = read(picture("taxi"))}).json();
  const Json named = run({"classify", picture("taxi"), "--labels", kLabels, "--json"}).json();
  EXPECT_EQ(piped["images"][0]["image"], "-");
  EXPECT_EQ(piped["images"][0]["predictions"], named["images"][0]["predictions"]);
}

TEST_F(Program, ClassifyTakesLabelsAndTemplatesFromFiles) {
  const std::string labels = write("labels.txt", "taxi, yellow\n\n cactus \r\n");
  const std::string templates = write("templates.txt", "{c}\nan emoji of {}\n");
  const Json json = run({"classify", picture("taxi"), "--labels-file", labels, "--templates-file",
                         templates, "--json"})
                        .json();
  EXPECT_EQ(json["labels"], Json::parse(R"(["taxi, yellow", "cactus"])"));
  EXPECT_EQ(json["templates"], Json::parse(R"(["{c}", "an emoji of {}"])"));
  EXPECT_EQ(best_label(json["images"][0]), "taxi, yellow");
}

TEST_F(Program, ClassifyRefusesBadLabelsAndTemplates) {
  const std::string image = picture("taxi");
  expect_error(run({"classify", image}), 2, "--labels");
  expect_error(run({"classify", image, "--labels", " "}), 2, "--labels");
  expect_error(run({"classify", image, "--labels", "a,,b"}), 2, "--labels");
  expect_error(run({"classify", image, "--labels", "a", "--template", "a photo"}), 2, "a photo");
  expect_error(run({"classify", image, "--labels", "a", "--top", "0"}), 2, "--top");
  expect_error(run({"classify", "--labels", "a"}), 2, "image");
  expect_error(run({"classify", image, "--labels-file", path("none.txt")}), 1, "none.txt");
  expect_error(run({"classify", image, "--labels-file", write("empty.txt", "\n\n")}), 1,
               "empty.txt");
  expect_error(
      run({"classify", image, "--labels", "a", "--templates-file", write("bad.txt", "a photo\n")}),
      1, "a photo");
}

TEST_F(Program, ClassifyNamesTheBadImageAndFailsOrSkips) {
  const std::string bad = write("bad.png", "no picture");
  expect_error(run({"classify", picture("taxi"), bad, "--labels", kLabels}), 1, bad);
  expect_error(run({"classify", path("none.png"), "--labels", kLabels}), 1, path("none.png"));
  expect_error(run({"classify", folder_ / "nowhere", "--labels", kLabels}), 1, "nowhere");

  const Outcome skipped = run({"classify", bad, picture("taxi"), path("none.png"), "--labels",
                               kLabels, "--on-bad", "skip", "--json"});
  ASSERT_EQ(skipped.status, 0) << skipped.err;
  const Json json = skipped.json();
  ASSERT_EQ(json["images"].size(), 1U);
  EXPECT_EQ(json["images"][0]["image"], picture("taxi"));
  ASSERT_EQ(json["bad"].size(), 2U);
  EXPECT_EQ(json["bad"][0]["source"], bad);
  EXPECT_NE(skipped.err.find("skipped " + bad), std::string::npos) << skipped.err;
  EXPECT_NE(skipped.err.find("skipped 2 of 3 images"), std::string::npos) << skipped.err;

  EXPECT_EQ(run({"classify", bad, "--labels", kLabels, "--on-bad", "skip"}).status, 1);
}

TEST_F(Program, DemoReachesTheAccuracyOfTheReference) {
  const Outcome outcome = run({"demo", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Json json = outcome.json();
  ASSERT_EQ(json["sets"].size(), 2U);
  // Right answers of the float64 reference run (models/emoji-convnext-atto), to within one picture.
  const Json& seen = json["sets"][0];
  EXPECT_EQ(seen["name"], "seen");
  EXPECT_NEAR(seen["top1"].get<double>() * 978, 233, 1.01);
  EXPECT_NEAR(seen["top5"].get<double>() * 978, 431, 1.01);
  const Json& unseen = json["sets"][1];
  EXPECT_EQ(unseen["classes"], 162);
  EXPECT_NEAR(unseen["top1"].get<double>() * 109, 19, 1.01);
  EXPECT_NEAR(unseen["top5"].get<double>() * 109, 28, 1.01);
  EXPECT_EQ(json["images"].size(), 8U);
}

TEST_F(Program, DemoSaysWhatToTypeNext) {
  const std::string set = source_path("examples/emoji/unseen");
  const Outcome outcome = run({"demo", "--eval", set});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.out.find(" classify PICTURE.jpg --labels"), std::string::npos) << outcome.out;
  expect_error(run({"demo", "--eval", path("none")}), 1, "none");
  expect_error(run({"demo", "--eval", folder_.string()}), 1, "classnames.txt");
}

}  // namespace
}  // namespace clipnext::e2e
