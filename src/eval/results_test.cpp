#include "eval/results.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>

#include "base/file.h"
#include "base/python_json.h"
#include "base/test_error.h"
#include "base/test_folder.h"
#include "eval/predictions.h"

namespace clipnext::eval {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

RunResult cifar() {
  RunResult result;
  result.dataset = "wds/vtab/cifar10";
  result.model = "convnext_base_w";
  result.pretrained = "laion2b_s13b_b82k";
  result.task = "zeroshot_classification";
  result.metrics = {{"acc1", 0.9383}, {"acc5", 1.0}, {"mean_per_class_recall", 0.9382999999999999}};
  return result;
}

// The right-hand sides are Python 3.11's.
TEST(Results, KeysAndOrderAreTheReferences) {
  RunResult result = cifar();
  result.metrics["acc5"] = kNan;
  const std::string plain =
      R"({"dataset": "wds/vtab/cifar10", "model": "convnext_base_w", )"
      R"("pretrained": "laion2b_s13b_b82k", "task": "zeroshot_classification", )"
      R"("metrics": {"acc1": 0.9383, "acc5": NaN, "mean_per_class_recall": 0.9382999999999999}, )"
      R"("language": "en")";
  EXPECT_EQ(to_json_line(result), plain + "}");
  result.classnames = {"cat", "dog"};
  result.templates = {"a {c}"};
  EXPECT_EQ(to_json_line(result),
            plain + R"(, "classnames": ["cat", "dog"], "templates": ["a {c}"]})");
  EXPECT_NE(to_json_line(result, true).find(R"("acc5": null)"), std::string::npos);
}

TEST(Results, ReadWhatWasWritten) {
  const TestFolder folder;
  RunResult result = cifar();
  result.metrics["acc5"] = kNan;
  result.metrics["seed"] = 0;
  result.classnames = {"cat"};
  write_result(folder / "sub/er/r.json", result);
  const RunResult read = read_result(folder / "sub/er/r.json");
  EXPECT_EQ(to_json_line(read), to_json_line(result));
  EXPECT_EQ(metric(read, "acc1"), 0.9383);
  EXPECT_EQ(metric(read, "acc5"), std::nullopt);
  EXPECT_EQ(metric(read, "acc7"), std::nullopt);
}

TEST(Results, OtherJsonIsNotTakenForAResult) {
  const TestFolder folder;
  const auto error_of = [&](const char* text) {
    write_file(folder / "r.json", text);
    return message_of([&] { read_result(folder / "r.json"); });
  };
  EXPECT_NE(error_of("").find("not valid JSON"), std::string::npos);
  EXPECT_NE(error_of("[1]").find("no JSON object"), std::string::npos);
  EXPECT_NE(error_of(R"({"dataset": "a"})").find("no \"model\""), std::string::npos);
  const std::string head = R"({"dataset":"a","model":"b","pretrained":"c","task":"d","metrics":)";
  EXPECT_NE(error_of((head + "[]}").c_str()).find("\"metrics\" is no object"), std::string::npos);
  EXPECT_NE(error_of((head + R"({"acc1":"1"}})").c_str()).find("\"acc1\" is no number"),
            std::string::npos);
  EXPECT_EQ(error_of((head + "null}").c_str()), "no error");
}

TEST(Results, TheTableIsThatOfPythonsCsvModule) {
  RunResult plain = cifar();
  plain.metrics = {{"acc1", 0.5}, {"acc5", kNan}};
  RunResult quoted = cifar();
  quoted.dataset = "a \"b\", c";
  quoted.metrics = {{"normalized", true}, {"epochs", 10}, {"dataset", 3}};
  quoted.other = {{"extra", {1, 2}}};
  RunResult none = cifar();
  none.metrics = nullptr;
  const std::string model =
      ",convnext_base_w,laion2b_s13b_b82k,zeroshot_classification,en,"
      "convnext_base_w laion2b_s13b_b82k,";
  EXPECT_EQ(results_csv(std::vector{plain, quoted, none}),
            "dataset,model,pretrained,task,language,model_fullname,"
            "acc1,acc5,epochs,normalized,extra\r\n"
            "wds/vtab/cifar10" +
                model +
                "0.5,nan,,,\r\n"
                "\"a \"\"b\"\", c\"" +
                model +
                ",,10,True,\"[1, 2]\"\r\n"
                "wds/vtab/cifar10" +
                model + ",,,,\r\n");
}

TEST(Results, AFolderGivesItsResultsByName) {
  const TestFolder folder;
  RunResult result = cifar();
  for (const char* name : {"b", "a"}) {
    result.dataset = name;
    write_result(folder / (std::string(name) + ".json"), result);
  }
  write_file(folder / "c.json", "[]");
  write_file(folder / "a.json.details", "{}");
  std::vector<std::string> passed_over;
  const std::vector<std::string> paths = {folder.path().string(), (folder / "a.json").string()};
  const auto results = read_results(paths, passed_over);
  ASSERT_EQ(results.size(), 3U);
  EXPECT_EQ(results[0].dataset + results[1].dataset + results[2].dataset, "aba");
  ASSERT_EQ(passed_over.size(), 1U);
  EXPECT_NE(passed_over[0].find("c.json"), std::string::npos);
  const std::vector<std::string> wrong = {(folder / "c.json").string()};
  EXPECT_THROW(read_results(wrong, passed_over), Error);
}

TEST(Results, DetailsAreReadAsWritten) {
  const TestFolder folder;
  Details details;
  details.images = 3;
  details.skipped = {{"a.jpg", "a.jpg: not a JPEG"}};
  details.confidence = {{"acc1", 0.25, 0.75}};
  details.seconds = 1.5;
  details.dtype = "fp32";
  const auto path = details_path(folder / "r.json");
  EXPECT_EQ(path, folder / "r.json.details");
  write_details(path, details);
  const Details read = read_details(path);
  EXPECT_EQ(read.images, 3);
  ASSERT_EQ(read.skipped.size(), 1U);
  EXPECT_EQ(read.skipped[0].reason, "a.jpg: not a JPEG");
  ASSERT_EQ(read.confidence.size(), 1U);
  EXPECT_EQ(read.confidence[0].high, 0.75);
  EXPECT_EQ(read.seconds, 1.5);
  EXPECT_EQ(read.dtype, "fp32");
}

PredictionHeader two_classes() {
  return {.dataset = "d",
          .model = "m",
          .pretrained = "p",
          .language = "en",
          .task = "t",
          .classes = {"cat", "dog"},
          .logit_scale = 100,
          .images = 2};
}

TEST(Predictions, AreReadAsWritten) {
  const TestFolder folder;
  PredictionWriter writer(folder / "p", two_classes());
  writer.add({.image = "a.tar:s0",
              .file = "a.tar",
              .offset = 512,
              .size = 99,
              .label = 1,
              .top = {1, 0},
              .scores = {0.3f, 0.2f},
              .probability = 0.75});
  writer.add(
      {.image = "stdin", .positives = {0, 1}, .top = {0}, .scores = {0.1f}, .probability = 1});
  writer.commit();
  const Predictions read = read_predictions(folder / "p");
  EXPECT_EQ(read.header.classes, two_classes().classes);
  ASSERT_EQ(read.images.size(), 2U);
  EXPECT_EQ(read.images[0].offset, 512);
  EXPECT_EQ(read.images[0].size, 99);
  EXPECT_EQ(read.images[0].scores, (std::vector<float>{0.3f, 0.2f}));
  EXPECT_EQ(read.images[1].label, -1);
  EXPECT_EQ(read.images[1].positives, (std::vector<int64_t>{0, 1}));
  EXPECT_TRUE(read.images[1].file.empty());
}

TEST(Predictions, ThatCannotBeAreRefusedByLine) {
  const TestFolder folder;
  {
    PredictionWriter writer(folder / "p", two_classes());
    EXPECT_NE(message_of([&] { writer.commit(); }), "no error");
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "p"));
  const std::string header =
      R"({"clipnext_predictions":1,"dataset":"d","model":"m","pretrained":"p","language":"en",)"
      R"("task":"t","classes":["cat","dog"],"logit_scale":100,"images":1})"
      "\n";
  const auto error_of = [&](const std::string& lines) {
    write_file(folder / "p", lines);
    return message_of([&] { read_predictions(folder / "p"); });
  };
  EXPECT_EQ(error_of(header + R"({"image":"a","label":0,"top":[0],"scores":[1],"probability":1})"),
            "no error");
  EXPECT_NE(error_of(header).find("holds 0 pictures"), std::string::npos);
  EXPECT_NE(error_of("").find("is empty"), std::string::npos);
  EXPECT_NE(error_of("{}").find("clipnext_predictions"), std::string::npos);
  for (
      const char* line :
      {R"({"image":"a","label":2,"top":[0],"scores":[1],"probability":1})",
       R"({"image":"a","label":0,"top":[9],"scores":[1],"probability":1})",
       R"({"image":"a","label":0,"top":[0,1],"scores":[1],"probability":1})",
       R"({"image":"a","label":0,"top":[],"scores":[],"probability":1})",
       R"({"image":"a","label":0,"top":[0],"scores":[NaN],"probability":1})",
       R"({"image":"a","label":0,"top":[0],"scores":[1],"probability":2})",
       R"({"image":"a","label":0,"top":[0],"scores":[1],"probability":NaN})",
       R"({"image":"a","label":1e99,"top":[0],"scores":[1],"probability":1})",
       R"({"image":"a","file":"f","offset":-1,"size":3,"label":0,"top":[0],"scores":[1],"probability":1})"}) {
    EXPECT_NE(error_of(header + line).find("line 2"), std::string::npos) << line;
  }
}

}  // namespace
}  // namespace clipnext::eval
