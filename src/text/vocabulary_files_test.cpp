#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/json.h"
#include "base/test_folder.h"
#include "hostile/mutate.h"
#include "text/tokenizer.h"
#include "text/vocabulary.h"

namespace clipnext::text {
namespace {

namespace fs = std::filesystem;

/// CLIP's first merges and some that make "cat".
const std::vector<Merge> kMerges = {{"i", "n"},     {"t", "h"},      {"a", "n"},
                                    {"a", "t</w>"}, {"c", "at</w>"}, {"p", "h"}};

std::string merges_txt() {
  std::string text = "#version: 0.2\n";
  for (const Merge& merge : kMerges)
    text.append(merge.left).append(" ").append(merge.right) += '\n';
  return text;
}

OrderedJson vocab_json() {
  const Vocabulary vocabulary(kMerges, "test");
  OrderedJson vocab = OrderedJson::object();
  for (int32_t id = 0; id < vocabulary.start(); ++id) vocab[std::string(vocabulary.token(id))] = id;
  vocab["<|startoftext|>"] = vocabulary.start();
  vocab["<|endoftext|>"] = vocabulary.end();
  return vocab;
}

/// As Hugging Face writes CLIP's, with the merges as strings or as pairs.
OrderedJson tokenizer_json(bool pairs = false) {
  OrderedJson merges = OrderedJson::array();
  for (const auto& [left, right] : kMerges) {
    const std::string l(left);
    const std::string r(right);
    merges.push_back(pairs ? OrderedJson{l, r} : OrderedJson(l + " " + r));
  }
  const int32_t start = 512 + static_cast<int32_t>(kMerges.size());
  return {{"version", "1.0"},
          {"added_tokens",
           {{{"id", start}, {"special", true}, {"content", "<|startoftext|>"}},
            {{"id", start + 1}, {"special", true}, {"content", "<|endoftext|>"}}}},
          {"normalizer", {{"type", "Sequence"}}},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", "<|endoftext|>"},
            {"continuing_subword_prefix", ""},
            {"end_of_word_suffix", "</w>"},
            {"fuse_unk", false},
            {"merges", merges},
            {"vocab", vocab_json()}}}};
}

class VocabularyFiles : public testing::Test {
 protected:
  void put(const std::string& name, const std::string& content) {
    std::ofstream(folder_ / name, std::ios::binary) << content;  // without waiting for the disk
  }
  std::string error() {
    try {
      read_vocabulary(folder_);
      return "";
    } catch (const Error& e) {
      return e.what();
    }
  }
  void expect_error(const std::string& part) {
    EXPECT_NE(error().find(part), std::string::npos) << error() << "\nlacks: " << part;
  }
  /// tokenizer.json with `value` at `pointer`.
  void put_changed(const std::string& pointer, const OrderedJson& value) {
    OrderedJson file = tokenizer_json();
    file[OrderedJson::json_pointer(pointer)] = value;
    put("tokenizer.json", file.dump());
  }

  const TestFolder temporary_;
  const fs::path folder_ = temporary_.path();
};

TEST_F(VocabularyFiles, AreReadInEveryForm) {
  const auto tokens = [&] { return Tokenizer::from_folder(folder_).tokenize("cat thin"); };
  put("tokenizer.json", tokenizer_json().dump());
  const std::vector<int32_t> from_strings = tokens();
  EXPECT_EQ(from_strings.front(), 518);
  EXPECT_EQ(from_strings[1], 516) << "cat is one token";
  EXPECT_EQ(from_strings.back(), 519);
  EXPECT_EQ(Tokenizer::from_folder(folder_).vocab_size(), 520);
  put("tokenizer.json", tokenizer_json(true).dump());
  EXPECT_EQ(tokens(), from_strings);
  fs::remove(folder_ / "tokenizer.json");
  put("vocab.json", vocab_json().dump());
  put("merges.txt", merges_txt());
  EXPECT_EQ(tokens(), from_strings);
}

TEST_F(VocabularyFiles, FollowFromTheirMerges) {
  put("tokenizer.json", tokenizer_json().dump());
  const Tokenizer tokenizer = Tokenizer::from_folder(folder_);
  const std::string merges = tokenizer.own_merges();
  EXPECT_EQ(Tokenizer::from_merges(merges, "test").tokenize("cat thin"),
            tokenizer.tokenize("cat thin"));
  EXPECT_EQ(Tokenizer().own_merges(), "") << "is inside the program";
  EXPECT_EQ(parse_merges(embedded_vocabulary()->merges_text(), "test")->merges_text(),
            embedded_vocabulary()->merges_text());
}

TEST_F(VocabularyFiles, MayHaveOpenClipsNamesAndNoVersionLine) {
  OrderedJson vocab = vocab_json();
  vocab.erase("<|startoftext|>");
  vocab["<start_of_text>"] = 518;
  put("vocab.json", vocab.dump());
  put("merges.txt", merges_txt().substr(merges_txt().find('\n') + 1));
  EXPECT_EQ(error(), "");
}

TEST_F(VocabularyFiles, OfTheWholeVocabularyGiveTheSameIds) {
  const auto embedded = embedded_vocabulary();
  Json vocab = Json::object();
  std::string merges = "#version: 0.2\n";
  // Which two tokens a merge joined is found by trying where it can be cut.
  for (int32_t id = 0; id < embedded->size(); ++id) {
    const std::string_view token = embedded->token(id);
    vocab[std::string(token)] = id;
    if (id < kByteTokens || id >= embedded->start()) continue;
    for (size_t cut = 1; cut < token.size(); ++cut) {
      const auto left = embedded->find(token.substr(0, cut));
      const auto right = embedded->find(token.substr(cut));
      if (!left || !right || embedded->merges().rank(*left, *right) != id - kByteTokens) continue;
      merges.append(token.substr(0, cut)).append(" ").append(token.substr(cut)) += '\n';
    }
  }
  put("vocab.json", vocab.dump());
  put("merges.txt", merges);
  const Tokenizer ours;
  const Tokenizer theirs = Tokenizer::from_folder(folder_);
  EXPECT_EQ(theirs.vocab_size(), 49408);
  for (const std::string_view text :
       {"a photo of a cat", "antidisestablishmentarianism", "猫の写真"}) {
    EXPECT_EQ(theirs.encode(text), ours.encode(text));
  }
}

TEST_F(VocabularyFiles, MayBeMissing) {
  EXPECT_EQ(Tokenizer::from_folder(folder_).vocab_size(), 49408);
  put("vocab.json", vocab_json().dump());
  expect_error("has vocab.json but no merges.txt");
}

TEST_F(VocabularyFiles, NameTheFirstWrongEntry) {
  put_changed("/model/type", "Unigram");
  expect_error("model.type is \"Unigram\"");
  put_changed("/model/end_of_word_suffix", nullptr);
  expect_error("end_of_word_suffix is null");
  put_changed("/model/merges/2", "an");
  expect_error("merge 2 \"an\" is not two symbols");
  put_changed("/model/merges/2", 5);
  expect_error("merge 2 is neither");
  put_changed("/model/merges/4", "c xat");
  expect_error("merge 4 \"c xat\" joins a symbol");
  put_changed("/model/vocab/th", 512);
  expect_error("id 512 is given to");
  put_changed("/model/vocab/th", -1);
  expect_error("token \"th\" has id -1");
  put_changed("/model/vocab/th", 1e9);
  expect_error("the id of \"th\" is not an integer");
  put_changed("/model/vocab/th", UINT64_MAX);
  expect_error("token \"th\" has id 9223372036854775807");
  put_changed("/model/vocab", OrderedJson::array());
  expect_error("the vocabulary is not an object");
  put_changed("/added_tokens/1/id", 520);
  expect_error("is not supported; only start (518) and end (519)");
  put("tokenizer.json", "{}");
  expect_error("model.type is null");
  put("tokenizer.json", "[1");
  expect_error("tokenizer.json: not valid JSON");
}

TEST_F(VocabularyFiles, NameTokensThatMergesDoNotLeadTo) {
  OrderedJson file = tokenizer_json();
  file["model"]["vocab"].erase("th");
  file["model"]["vocab"]["ht"] = 513;
  put("tokenizer.json", file.dump());
  expect_error("id 513 should be \"th\" in a vocabulary of CLIP's form, found \"ht\"");
  file["model"]["vocab"].erase("ht");
  put("tokenizer.json", file.dump());
  expect_error("id 513 should be \"th\" in a vocabulary of CLIP's form, found none");
}

constexpr hostile::Limits kLimits{.peak_bytes = 4 << 20};

TEST(HostileVocabularyFiles, TokenizerJsonSurvivesMutation) {
  const auto parse = [](std::span<const std::byte> bytes) {
    parse_tokenizer_json(hostile::as_text(bytes), "tokenizer.json");
  };
  hostile::expect_survives(tokenizer_json().dump(), parse, kLimits);
  hostile::expect_survives(tokenizer_json(true).dump(), parse, kLimits);
}

TEST(HostileVocabularyFiles, VocabJsonSurvivesMutation) {
  hostile::expect_survives(
      vocab_json().dump(),
      [](std::span<const std::byte> bytes) {
        parse_merges_and_vocab({merges_txt(), "merges.txt"},
                               {std::string(hostile::as_text(bytes)), "vocab.json"});
      },
      kLimits);
}

TEST(HostileVocabularyFiles, MergesTxtSurvivesMutation) {
  const std::string vocab = vocab_json().dump();
  hostile::expect_survives(
      merges_txt(),
      [&](std::span<const std::byte> bytes) {
        parse_merges_and_vocab({std::string(hostile::as_text(bytes)), "merges.txt"},
                               {vocab, "vocab.json"});
      },
      kLimits);
}

}  // namespace
}  // namespace clipnext::text
