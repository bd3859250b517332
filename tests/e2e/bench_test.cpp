// clipnext bench: one case, the same case again and again, everything; numbers only as far as they
// must hold on any machine.
#include <algorithm>

#include "e2e/program.h"

namespace clipnext::e2e {
namespace {

void expect_case(const Json& json, const std::string& tower, int batch, int threads) {
  EXPECT_EQ(json["tower"], tower);
  EXPECT_EQ(json["batch"], batch);
  EXPECT_EQ(json["threads"], threads);
  EXPECT_GT(json["seconds_per_item"].get<double>(), 0);
  EXPECT_GE(json["seconds_per_item_median"], json["seconds_per_item"]);
  EXPECT_GE(json["repeats"].get<int>(), 1);
  const double rate = json["flops_per_item"].get<double>() / json["seconds_per_item"].get<double>();
  EXPECT_NEAR(json["operations_per_second"].get<double>() / rate, 1, 1e-4);
  if (json["share_of_ceiling"].is_null()) {  // the `ref` kernels have none
    EXPECT_EQ(json["ceiling_operations_per_second"].get<double>(), 0);
    return;
  }
  const double ceiling = json["ceiling_operations_per_second"].get<double>();
  EXPECT_NEAR(json["share_of_ceiling"].get<double>() / (rate / ceiling), 1, 1e-4);
}

TEST_F(Program, BenchTimesOneCase) {
  const Outcome outcome = run({"bench", "--batch", "2", "--tower", "text", "--threads", "1",
                               "--min-time", "0", "--json", "--out", path("bench.json")});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Json json = outcome.json();
  expect_case(json, "text", 2, 1);
  EXPECT_EQ(json["dtype"], "fp32");
  EXPECT_EQ(Json::parse(read(path("bench.json"))), json);
}

TEST_F(Program, BenchNeedsNoWeightsForAConfigName) {
  const Outcome outcome =
      run({"bench", "--model", "convnext_tiny", "--batch", "1", "--min-time", "0", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Json json = outcome.json();
  EXPECT_EQ(json["model"], "convnext_tiny (synthetic weights)");
  expect_case(json, "image", 1, json["threads"].get<int>());
  const Json profile = run({"profile", "convnext_tiny", "--json"}).json();
  EXPECT_EQ(json["flops_per_item"], profile["image"]["flops"]);
}

TEST_F(Program, BenchTimesPreprocessing) {
  const std::string file = source_path("tests/data/image/rgb420.jpg");
  const Outcome outcome = run({"bench", "--model", "convnext_large_d_320", "--preprocess", file,
                               "--min-time", "0", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Json json = outcome.json();
  EXPECT_EQ(json["width"], 45);
  EXPECT_EQ(json["height"], 31);
  EXPECT_EQ(json["threads"], 1);
  EXPECT_GT(json["seconds"].get<double>(), 0);
  EXPECT_GE(json["seconds_median"], json["seconds"]);
  EXPECT_EQ(json["repeats"], 3);
  expect_error(run({"bench", "--preprocess", file, "--batch", "2"}), 2, "--preprocess");
  expect_error(run({"bench", "--preprocess", path("none.jpg")}), 1, "none.jpg");
}

TEST_F(Program, BenchRefusesANameItDoesNotKnowBeforeItMeasures) {
  const Outcome outcome = run({"bench", "--model", "convnext_tinny"});
  expect_error(outcome, 1, "did you mean convnext_tiny");
  EXPECT_EQ(outcome.out, "");
}

TEST_F(Program, BenchTimesAgainForEachLine) {
  const Outcome outcome = run(
      {.args = {"bench", "--tower", "text", "--min-time", "0", "--each-line"}, .input = "\n\n\n"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 3) << outcome.out;
  const Json last =
      Json::parse(outcome.out.substr(outcome.out.rfind('\n', outcome.out.size() - 2)));
  expect_case(last, "text", 1, last["threads"].get<int>());
}

TEST_F(Program, BenchOfEverythingHasCeilingsKernelsAndTowers) {
  const Outcome outcome = run({"bench", "--threads", "1", "--min-time", "0", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Json json = outcome.json();
  for (const char* field :
       {"version", "date", "cpu", "features", "cpus", "isa", "model", "dtype"}) {
    EXPECT_TRUE(json.contains(field)) << field;
  }
  EXPECT_EQ(json["ceilings"].empty(), json["isa"] == "ref");
  EXPECT_GT(json["read_bytes_per_second"][0]["bytes_per_second"].get<double>(), 1e8);
  for (const Json& kernel : json["kernels"]) {
    EXPECT_NE(kernel.contains("operations_per_second"), kernel.contains("bytes_per_second"));
    EXPECT_GT(kernel["seconds"].get<double>(), 0) << kernel;
  }
  ASSERT_EQ(json["towers"].size(), 6u);
  expect_case(json["towers"][0], "image", 1, 1);
  expect_case(json["towers"][5], "text", 32, 1);
}

TEST_F(Program, BenchPrintsTablesAsItGoes) {
  const Outcome outcome = run({"bench", "--threads", "1", "--min-time", "0"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  for (const char* part : {"memory read", "stage 2 fc1", "depthwise_conv7", "ms per item"}) {
    EXPECT_NE(outcome.out.find(part), std::string::npos) << part;
  }
}

TEST_F(Program, BenchInterruptedPrintsWhatIsDone) {
  const Outcome outcome =
      run({.args = {"bench", "--min-time", "20", "--json"}, .interrupt_after_ms = 1500});
  EXPECT_EQ(outcome.status, 130);
  const Json json = outcome.json();
  EXPECT_EQ(json["interrupted"], true);
  EXPECT_FALSE(json.contains("towers"));
}

TEST_F(Program, BenchRefusesWhatItCannotTime) {
  expect_error(run({"bench", "--each-line"}), 2, "--batch");
  expect_error(run({"bench", "--batch", "0"}), 2, "--batch");
  expect_error(run({"bench", "--dtype", "fp8"}), 2, "--dtype");
  expect_error(run({"bench", "--model", "convnext_tyni", "--batch", "1"}), 1, "convnext_tiny");
}

}  // namespace
}  // namespace clipnext::e2e
