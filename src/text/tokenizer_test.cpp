#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "text/unicode.h"

namespace clipnext::text {
namespace {

using Ids = std::vector<int32_t>;

/// The rows of a JSON lines file under tests/data/text.
std::vector<Json> read_vectors(const std::string& name) {
  const std::string path = std::string(CLIPNEXT_SOURCE_DIR) + "/tests/data/text/" + name;
  std::ifstream file(path);
  std::vector<Json> rows;
  for (std::string line; std::getline(file, line);) rows.push_back(parse_json(line, path));
  return rows;
}

Ids padded(Ids ids, size_t size) {
  ids.resize(size, 0);
  return ids;
}

std::string repeated(std::string_view unit, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += unit;
  return out;
}

TEST(Tokenizer, AgreesWithEveryGoldenVector) {
  const Tokenizer tokenizer;
  const std::vector<Json> rows = read_vectors("vectors.jsonl");
  ASSERT_EQ(rows.size(), 738U);
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto text = rows[i].at("text").get<std::string>();
    EXPECT_EQ(padded(tokenizer.tokenize(text), 77), rows[i].at("ids").get<Ids>())
        << "line " << i + 1 << ": " << text;
  }
}

TEST(Tokenizer, AgreesWithTheReferenceInEveryCleaningModeItHas) {
  const std::vector<Json> rows = read_vectors("more_vectors.jsonl");
  ASSERT_GT(rows.size(), 400U);
  for (const Json& row : rows) {
    const auto clean = row.at("clean").get<std::string>();
    const Tokenizer tokenizer(parse_clean(clean));
    const auto text = row.at("text").get<std::string>();
    EXPECT_EQ(tokenizer.tokenize(text), row.at("ids").get<Ids>()) << clean << ": " << row;
  }
}

TEST(Tokenizer, CleansAsEachModeSays) {
  const Ids cafe_lower{15304, 261, 1075, 12138, 614, 2005, 283, 321,
                       285,   273, 1764, 34308, 321, 29,   256};
  const Ids cafe_kept{34,  702, 4166, 261, 34,   81,    12138, 614, 2005,
                      283, 321, 285,  273, 1764, 34308, 321,   29,  256};
  const Ids cafe_canonical{15304, 1075, 12138, 614, 2005, 321, 273, 5625, 321};
  const struct {
    Clean clean;
    Ids cafe, snake, dots;
  } rows[] = {
      {Clean::kLower, cafe_lower, {8798, 318, 2068, 318, 9093}, {320, 269, 321, 568, 322}},
      {Clean::kWhitespace, cafe_kept, {8798, 318, 2068, 318, 9093}, {288, 269, 289, 568, 322}},
      {Clean::kWhitespaceUnderscore, cafe_kept, {8798, 2068, 9093}, {288, 269, 289, 568, 322}},
      {Clean::kCanonicalize, cafe_canonical, {8798, 2068, 9093}, {11109, 322}},
  };
  for (const auto& row : rows) {
    const Tokenizer tokenizer(row.clean);
    EXPECT_EQ(tokenizer.encode("Café &amp; Crème — <b>2nd</b>!"), row.cafe);
    EXPECT_EQ(tokenizer.encode("snake_case_label"), row.snake);
    EXPECT_EQ(tokenizer.encode("A.B's  c"), row.dots);
  }
}

TEST(Tokenizer, NamesTheCleaningModesItKnows) {
  EXPECT_EQ(parse_clean("whitespace_underscore"), Clean::kWhitespaceUnderscore);
  EXPECT_THROW(parse_clean("upper"), Error);
}

TEST(Tokenizer, CutsLongTextAndEndsIt) {
  const Tokenizer tokenizer;
  EXPECT_EQ(tokenizer.tokenize("a b c", 4), (Ids{49406, 320, 321, 49407}));
  EXPECT_EQ(tokenizer.tokenize("a b c", 5), (Ids{49406, 320, 321, 322, 49407}));
  EXPECT_EQ(tokenizer.tokenize("a b c", 77), (Ids{49406, 320, 321, 322, 49407}));
  EXPECT_EQ(tokenizer.tokenize("a b c", 2), (Ids{49406, 49407}));
  EXPECT_EQ(tokenizer.tokenize("", 77), (Ids{49406, 49407}));
  EXPECT_EQ(tokenizer.tokenize("antidisestablishmentarianism", 4), (Ids{49406, 3120, 4262, 49407}));
  EXPECT_THROW(tokenizer.tokenize("a", 1), Error);
}

TEST(Tokenizer, TakesControlCharactersAndNul) {
  const Tokenizer tokenizer;
  using namespace std::string_view_literals;
  EXPECT_EQ(tokenizer.encode("a\0b"sv), (Ids{3937}));
  EXPECT_EQ(tokenizer.encode("a\rb"), tokenizer.encode("a b"));
  EXPECT_EQ(tokenizer.encode("a\r\nb\r"), tokenizer.encode("a b"));
}

TEST(Tokenizer, RefusesBytesThatAreNotUtf8) {
  const Tokenizer tokenizer;
  for (const std::string_view bytes :
       {"caf\xE9", "\x80", "\xC0\x80", "\xED\xA0\xBD\xED\xB8\x80", "\xF4\x90\x80\x80", "\xE2\x82",
        "\xF8\x88\x80\x80\x80", "\xFF"}) {
    EXPECT_THROW(tokenizer.encode(bytes), Error) << bytes;
  }
  try {
    tokenizer.encode("caf\xE9 noir");
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("byte 3 (0xE9)"), std::string::npos) << e.what();
  }
}

TEST(Tokenizer, DecodesForDisplay) {
  const Tokenizer tokenizer;
  const auto decode = [&](const Ids& ids) { return tokenizer.decode(ids); };
  EXPECT_EQ(decode({49406, 320, 1125, 539, 320, 2368, 49407, 0}),
            "<start_of_text>a photo of a cat <end_of_text>!");
  EXPECT_EQ(decode({163, 234, 360}), "猫 ");
  EXPECT_EQ(decode({163}), "\uFFFD");
  EXPECT_EQ(decode({320, 34308, 342, 285, 321}), "a </ w > b ");
  EXPECT_EQ(decode({187, 188, 255, 220, 221}), std::string("\uFFFD\0\uFFFD \x7F", 9));
  EXPECT_THROW(decode({49408}), Error);
  EXPECT_THROW(decode({-1}), Error);
}

TEST(Tokenizer, HasTheSizeOfClipsVocabulary) {
  const Tokenizer tokenizer;
  EXPECT_EQ(tokenizer.vocab_size(), 49408);
  EXPECT_EQ(kStartOfText, tokenizer.tokenize("").front());
  EXPECT_EQ(kEndOfText, tokenizer.tokenize("").back());
}

TEST(Tokenizer, WorksFromManyThreads) {
  const Tokenizer tokenizer;
  const Ids expected = tokenizer.encode("Ã©t&eacute; ＬＯＵＤ ΟΔΟΣ don't");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        EXPECT_EQ(tokenizer.encode("Ã©t&eacute; ＬＯＵＤ ΟΔΟΣ don't"), expected);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

/// Inputs that a quadratic step anywhere would make take minutes or more.
TEST(Tokenizer, TakesAMegabyteOfAnything) {
  const Tokenizer tokenizer;
  std::mt19937 random(1);
  std::string unicode;
  while (unicode.size() < 1'000'000) {
    const char32_t code = random() % (random() % 2 == 0 ? 0x3000 : 0x20000);
    if (code < 0xD800 || code > 0xDFFF) append_utf8(unicode, code);
  }
  const std::string texts[] = {
      unicode,
      repeated("x", 1'000'000),
      repeated("ab", 500'000),
      "é&" + repeated("amp;", 250'000),
      repeated("&#", 100'000) + repeated(";", 100'000),
      "e" + repeated("\u0327\u0301", 250'000),
      repeated("Ã", 100'000) + "©",
      repeated("Ã©", 250'000),
      repeated("Σ.", 300'000),
      repeated("\x1B[1;", 250'000),
      repeated("\uFFFD", 300'000),
      "é&#" + repeated("9", 1'000'000) + ";" + repeated("\u732B", 100),
  };
  for (const std::string& text : texts) {
    EXPECT_EQ(tokenizer.tokenize(text).size(), 77U) << text.substr(0, 8);
  }
}

}  // namespace
}  // namespace clipnext::text
