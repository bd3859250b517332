#include "base/python_json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/test_error.h"

namespace clipnext {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// The right-hand sides are Python 3.11's.
TEST(PythonJson, NumbersAreWrittenAsPythonWritesThem) {
  const std::pair<double, const char*> cases[] = {
      {1.0, "1.0"},
      {0.1, "0.1"},
      {1.0 / 3, "0.3333333333333333"},
      {100.0, "100.0"},
      {1e15, "1000000000000000.0"},
      {1e16, "1e+16"},
      {0.0001, "0.0001"},
      {0.00001, "1e-05"},
      {1.5e-7, "1.5e-07"},
      {123456789012345680.0, "1.2345678901234568e+17"},
      {-0.0, "-0.0"},
      {5e-324, "5e-324"},
      {kNan, "NaN"},
      {-std::numeric_limits<double>::infinity(), "-Infinity"}};
  for (const auto& [value, text] : cases) EXPECT_EQ(python_float(value), text);
  EXPECT_EQ(python_json({{"a", 1}, {"b", true}, {"c", nullptr}, {"d", {0.5, kNan}}}),
            R"({"a": 1, "b": true, "c": null, "d": [0.5, NaN]})");
  EXPECT_EQ(python_json({{"a", kNan}}, true), R"({"a": null})");
}

TEST(PythonJson, TextIsAsciiAndBadBytesAreReplaced) {
  EXPECT_EQ(python_json("caf\u00e9 \"x\"\n\u007f\U0001F600"),
            R"("caf\u00e9 \"x\"\n\u007f\ud83d\ude00")");
  EXPECT_EQ(python_json("a\xff"), R"("a\ufffd")");
}

TEST(PythonJson, WordsAreNumbersOnlyOutsideText) {
  const OrderedJson json = parse_python_json(
      R"({"NaN": "NaN \" NaN", "a": [NaN, -Infinity, Infinity, -1], "b": "\\"})", "x");
  EXPECT_EQ(json["NaN"], "NaN \" NaN");
  EXPECT_TRUE(std::isnan(json["a"][0].get<double>()));
  EXPECT_EQ(json["a"][1], -std::numeric_limits<double>::infinity());
  EXPECT_EQ(json["a"][3], -1);
  for (const char* bad : {"nan", "NaNN", "1NaN", "[NaN", "-NaN", "\"NaN"}) {
    EXPECT_NE(message_of([&] { parse_python_json(bad, "x"); }).find("not valid JSON"),
              std::string::npos)
        << bad;
  }
}

}  // namespace
}  // namespace clipnext
