#include "base/json.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace clipnext {
namespace {

TEST(Json, ErrorsNameTheSource) {
  for (const char* bad : {"", "{", "[1,]", "{\"a\":\"\xff\"}", "nul", "{} {}"}) {
    try {
      parse_json(bad, "config.json");
      ADD_FAILURE() << bad;
    } catch (const Error& e) {
      EXPECT_EQ(std::string(e.what()).rfind("config.json: ", 0), 0U) << e.what();
    }
  }
  EXPECT_EQ(parse_json("{\"a\": [1, 2]}", "x")["a"][1], 2);
}

TEST(Json, ErrorsSayWhere) {
  try {
    parse_json("{\"a\": 1,\n  \"b\" 2}", "config.json");
    ADD_FAILURE() << "no error";
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "config.json: not valid JSON at line 2, column 7");
  }
}

TEST(Json, DeepNestingIsRefused) {
  EXPECT_NO_THROW(parse_json(std::string(60, '[') + std::string(60, ']'), "x"));
  EXPECT_THROW(parse_json(std::string(100'000, '['), "x"), Error);
}

}  // namespace
}  // namespace clipnext
