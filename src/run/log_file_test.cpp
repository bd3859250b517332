#include "run/log_file.h"

#include <gtest/gtest.h>

#include "base/python_json.h"
#include "base/test_folder.h"
#include "run/fixtures_test.h"

namespace clipnext::run {
namespace {

TEST(LineFile, ALineThatAKillCutShortGoes) {
  const TestFolder folder;
  const auto path = folder / "results.jsonl";
  {
    LineFile file(path, true);
    file.append(R"({"epoch": 1})");
    file.append(R"({"epoch": 2})");
  }
  const std::string whole = read_file(path);
  for (size_t cut = 0; cut <= whole.size(); ++cut) {
    write_file(path, whole.substr(0, cut));
    LineFile(path, true).append(R"({"epoch": 3})");
    const auto lines = read_json_lines(path);
    const size_t kept = cut < whole.size() / 2 ? 0 : cut < whole.size() ? 1 : 2;
    ASSERT_EQ(lines.size(), kept + 1) << cut;
    EXPECT_EQ(lines.back()["epoch"], 3);
  }
}

TEST(LineFile, ALongTornLineGoesToo) {
  const TestFolder folder;
  write_file(folder / "a", "first\n" + std::string(20'000, 'x'));
  LineFile(folder / "a", false).append("second");
  EXPECT_EQ(read_file(folder / "a"), "first\nsecond\n");
  write_file(folder / "a", "first\ntorn");
  LineFile(folder / "a", false, TornLine::kEnd).append("second");
  EXPECT_EQ(read_file(folder / "a"), "first\ntorn\nsecond\n");
}

TEST(LineFile, WhatCannotBeOpenedIsNamed) {
  EXPECT_NE(message_of([] { LineFile("/nowhere/a", false); }).find("/nowhere/a"),
            std::string::npos);
}

TEST(JsonLines, WhatWillBeWrittenAgainIsDropped) {
  const TestFolder folder;
  const auto path = folder / "a.jsonl";
  keep_json_lines(path, [](const OrderedJson&) { return true; });  // no file, nothing to do
  write_file(path, "{\"step\": 1, \"loss\": NaN}\n{\"step\": 5}\n{\"st");
  keep_json_lines(path, [](const OrderedJson& line) { return line["step"] < 5; });
  EXPECT_EQ(read_file(path), "{\"step\": 1, \"loss\": NaN}\n");
  write_file(path, "{}\nno json\n");
  EXPECT_NE(message_of([&] { read_json_lines(path); }).find("line 2"), std::string::npos);
}

TEST(RunLog, WritesTheReferencesLines) {
  const TestFolder folder;
  const auto path = folder / "out.log";
  {
    RunLog log(path, false, true);
    log.info("Start epoch 0");
    log.debug("left out");
    log.warning("a");
  }
  RunLog(path, true, true).debug("kept");
  const std::string text = read_file(path);
  EXPECT_NE(text.find(" | INFO | Start epoch 0\n"), std::string::npos);
  EXPECT_EQ(text.find("left out"), std::string::npos);
  EXPECT_NE(text.find(" | WARNING | a\n"), std::string::npos);
  EXPECT_NE(text.find(" | DEBUG | kept\n"), std::string::npos);
}

}  // namespace
}  // namespace clipnext::run
