#include "run/python_literal.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "run/fixtures_test.h"

namespace clipnext::run {
namespace {

TEST(PythonLiteral, IsReadAsPythonReadsIt) {
  for (const Json& one : fixture("format.json")["literals"]) {
    EXPECT_EQ(python_repr(parse_python_literal(one[0].get<std::string>())),
              one[1].get<std::string>())
        << one[0];
  }
}

TEST(PythonLiteral, WhatIsNoneIsAnError) {
  for (const Json& text : fixture("format.json")["bad_literals"]) {
    EXPECT_NE(message_of([&] { parse_python_literal(text.get<std::string>()); }), "no error")
        << text;
  }
  EXPECT_NE(message_of([] { parse_python_literal("(0.5,, 1)"); }).find("character 6"),
            std::string::npos);
  EXPECT_NE(message_of([] { parse_python_literal(std::string(100'000, '[')); }).find("too deeply"),
            std::string::npos);
  EXPECT_NE(message_of([] { parse_python_literal("99999999999999999999"); }), "no error");
}

TEST(PythonLiteral, NumbersPrintAsPythonPrintsThem) {
  for (const Json& one : fixture("format.json")["numbers"]) {
    const double value = std::strtod(one["value"].get<std::string>().c_str(), nullptr);
    EXPECT_EQ(python_repr(value), one["repr"].get<std::string>());
  }
}

TEST(PythonLiteral, KeyValuesKeepTheirOrderAndTheLastOfEqualKeys) {
  EXPECT_EQ(python_repr(parse_key_values({"b=1", "a=x", "", "b=(1,)"})), "{'a': 'x', 'b': (1,)}");
  EXPECT_NE(message_of([] { parse_key_values({"a"}); }).find("KEY=VALUE"), std::string::npos);
  EXPECT_NE(message_of([] { parse_key_values({"a=b=c"}); }).find("more than one"),
            std::string::npos);
  EXPECT_NE(message_of([] { parse_key_values({"scale=(0.5"}); }).find("scale="), std::string::npos);
}

}  // namespace
}  // namespace clipnext::run
