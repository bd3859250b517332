// clipnext report, run as the program runs it.
#include <gtest/gtest.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/test_folder.h"
#include "cli/commands.h"

namespace clipnext::cli {
namespace {

std::string output_of(std::vector<std::string> arguments) {
  CLI::App app;
  add_report(app);
  std::reverse(arguments.begin(), arguments.end());
  testing::internal::CaptureStdout();
  app.parse(arguments);
  return testing::internal::GetCapturedStdout();
}

TEST(ReportCommand, WritesThePageAndTheLastValues) {
  const TestFolder folder;
  std::filesystem::create_directory(folder / "first");
  write_file(folder / "first" / "scalars.jsonl",
             "{\"step\": 0, \"train/loss\": 3.5}\n{\"step\": 9, \"train/loss\": 1.25}\n{\"ste");
  const std::string page = (folder / "page.html").string();
  const std::string logs = folder.path().string();
  EXPECT_EQ(output_of({"report", logs, "-o", page}), "first: loss 1.25 (step 9)\n");
  EXPECT_NE(read_file(page).find("Training loss"), std::string::npos);
  const Json json = parse_json(output_of({"report", logs, "-o", page, "--json"}), "output");
  EXPECT_EQ(json["runs"][0]["last"]["train/loss"], (std::vector<double>{9, 1.25}));
}

}  // namespace
}  // namespace clipnext::cli
