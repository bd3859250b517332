#include "data/shard_list.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/test_error.h"

namespace clipnext::data {
namespace {

std::vector<std::string> expand(const std::string& pattern) {
  const BracePattern braces(pattern);
  std::vector<std::string> strings;
  for (int64_t i = 0; i < braces.size(); ++i) strings.push_back(braces.at(i));
  return strings;
}

// What the reference said is in tests/data/data/braces.json (braceexpand 0.1.7).
// Spec: training.md section 10, item 8.
TEST(BracePattern, ExpandsAsTheReferenceDoes) {
  const std::string file = CLIPNEXT_SOURCE_DIR "/tests/data/data/braces.json";
  const Json fixture = parse_json(read_file(file), file);
  ASSERT_GT(fixture.at("patterns").size(), 350U);
  for (const auto& [pattern, strings] : fixture.at("patterns").items()) {
    if (strings.is_null()) {
      EXPECT_THROW(expand(pattern), Error) << pattern;
    } else {
      EXPECT_EQ(expand(pattern), strings.get<std::vector<std::string>>()) << pattern;
    }
  }
}

std::string error_of(const std::string& spec, const std::string& factors = "") {
  return message_of([&] { const ShardList shards(spec, factors); });
}

// Spec: training.md section 10, item 8.
TEST(BracePattern, UnbalancedBracesAreAnErrorThatSaysWhere) {
  // The pattern of the published command of the convnext_large_d models.
  EXPECT_EQ(error_of("s3/{laion{00000..xxxxx}.tar"),
            "braces do not match in \"s3/{laion{00000..xxxxx}.tar\": { is never closed, at "
            "character 4; write a backslash before a brace that is part of the name");
  EXPECT_NE(error_of("{0..3}.tar}x").find("} closes nothing, at character 11;"), std::string::npos)
      << error_of("{0..3}.tar}x");
}

TEST(BracePattern, RefusesWhatCannotBeCounted) {
  EXPECT_THROW(BracePattern("{0..99999999999999999999}"), Error);
  EXPECT_THROW(BracePattern("{1..999999999999999}{1..999999999999999}"), Error);
  EXPECT_THROW(BracePattern(std::string(1000, '{') + "a,b" + std::string(1000, '}')), Error);
}

TEST(ShardList, IsNotWrittenOut) {
  const ShardList shards(
      "pipe:aws s3 cp s3://laion/{00000..231349}.tar -::b/{0..999999999999}.tar");
  ASSERT_EQ(shards.size(), 231'350 + 1'000'000'000'000);
  EXPECT_EQ(shards.url(0), "pipe:aws s3 cp s3://laion/000000.tar -");
  EXPECT_EQ(shards.url(231'349), "pipe:aws s3 cp s3://laion/231349.tar -");
  EXPECT_EQ(shards.url(231'350), "b/0.tar");
  EXPECT_EQ(shards.url(shards.size() - 1), "b/999999999999.tar");
}

TEST(ShardList, PutsVariablesOfTheEnvironmentIn) {
  setenv("WDS_CLIPNEXT_ROOT", "/data/${CLIPNEXT_SET}", 1);
  setenv("WDS_CLIPNEXT_SET", "{a,b}", 1);
  setenv("WDS_CLIPNEXT_LOOP", "x${CLIPNEXT_LOOP}", 1);
  setenv("WDS_CLIPNEXT_BOMB", "${CLIPNEXT_BOMB}${CLIPNEXT_BOMB}${CLIPNEXT_BOMB}${CLIPNEXT_BOMB}",
         1);
  const ShardList shards("${CLIPNEXT_ROOT}/{0..1}.tar");
  ASSERT_EQ(shards.size(), 4);
  EXPECT_EQ(shards.url(2), "/data/b/0.tar");
  EXPECT_EQ(ShardList("${CLIPNEXT_LOOP}").url(0), "xxxxxxxxxx${CLIPNEXT_LOOP}");
}

TEST(ShardList, MissingVariableIsAnErrorThatNamesIt) {
  unsetenv("WDS_CLIPNEXT_NONE");
  EXPECT_NE(error_of("${CLIPNEXT_NONE}/{0..1}.tar").find("WDS_CLIPNEXT_NONE is not set"),
            std::string::npos);
  // With factors the reference looks at no variable.
  EXPECT_EQ(ShardList("pipe:cat ${CLIPNEXT_NONE}/0.tar", "1").url(0),
            "pipe:cat ${CLIPNEXT_NONE}/0.tar");
}

// Spec: training.md section 10, item 8.
TEST(ShardList, FactorsMustFitTheSources) {
  EXPECT_NE(error_of("a::b", "1").find("1 for 2 sources"), std::string::npos);
  EXPECT_NE(error_of("a::b", "1::x").find("\"x\" is not a number"), std::string::npos);
  EXPECT_NE(error_of("a::b", "1::-2").find("\"-2\" is not a number"), std::string::npos);
  EXPECT_NE(error_of("a::b", "0::0").find("all 0"), std::string::npos);
  EXPECT_NE(error_of("a::b", "1::nan").find("\"nan\" is not"), std::string::npos);
  EXPECT_NE(error_of("a::").find("empty source"), std::string::npos);
}

// How often each source is drawn, of `draws`.
std::vector<double> shares(const ShardList& shards, const std::vector<int64_t>& ends, int draws) {
  std::vector<double> counts(ends.size());
  RandomStream random(7);
  for (int i = 0; i < draws; ++i) {
    const int64_t shard = shards.draw(random);
    size_t part = 0;
    while (shard >= ends[part]) ++part;
    counts[part] += 1.0 / draws;
  }
  return counts;
}

TEST(ShardList, DrawsSourcesByFactorTimesShards) {
  constexpr int kDraws = 100'000;
  const double tolerance = 4 * std::sqrt(0.25 / kDraws);  // four standard deviations at most
  const std::string spec = "a/{0..9}::b/{0..29}::c/{0..4}";
  const auto alike = shares(ShardList(spec), {10, 40, 45}, kDraws);
  EXPECT_NEAR(alike[0], 10 / 45.0, tolerance);
  EXPECT_NEAR(alike[1], 30 / 45.0, tolerance);
  const auto weighted = shares(ShardList(spec, "2::0.5::0"), {10, 40, 45}, kDraws);
  EXPECT_NEAR(weighted[0], 20 / 35.0, tolerance);
  EXPECT_NEAR(weighted[1], 15 / 35.0, tolerance);
  EXPECT_EQ(weighted[2], 0);
}

TEST(ShardList, DrawsEveryShardOfASource) {
  const ShardList shards("{0..9}::{0..9}", "0::1");
  RandomStream random(1);
  std::set<int64_t> drawn;
  for (int i = 0; i < 1000; ++i) drawn.insert(shards.draw(random));
  EXPECT_EQ(drawn.size(), 10U);
  EXPECT_EQ(*drawn.begin(), 10);
}

}  // namespace
}  // namespace clipnext::data
