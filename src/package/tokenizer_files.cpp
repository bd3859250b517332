#include "package/tokenizer_files.h"

#include "base/json.h"

namespace clipnext::package {
namespace {

constexpr const char* kStart = "<|startoftext|>";
constexpr const char* kEnd = "<|endoftext|>";

// What CLIP's pre-tokenizer matches, in the syntax of the tokenizers library.
constexpr const char* kPieces = R"('s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)";

OrderedJson vocab_json(const text::Vocabulary& vocabulary) {
  OrderedJson::object_t vocab;
  vocab.reserve(static_cast<size_t>(vocabulary.size()));
  for (int32_t id = 0; id < vocabulary.size(); ++id) {
    const bool special = id >= vocabulary.start();
    // Past nlohmann's look for an equal key, which takes the square of the number of tokens.
    vocab.emplace_back(special ? std::string(id == vocabulary.start() ? kStart : kEnd)
                               : std::string(vocabulary.token(id)),
                       id);
  }
  return vocab;
}

OrderedJson merges_json(const std::string& merges) {
  OrderedJson list = OrderedJson::array();
  for (size_t begin = 0; begin < merges.size();) {
    const size_t end = merges.find('\n', begin);
    list.push_back(merges.substr(begin, end - begin));
    begin = end + 1;
  }
  return list;
}

OrderedJson special_token(const char* content) {
  return {{"content", content},
          {"lstrip", false},
          {"normalized", true},
          {"rstrip", false},
          {"single_word", false}};
}

OrderedJson added_token(const char* content, int32_t id) {
  OrderedJson token = {{"id", id}};
  token.update(special_token(content));
  token["special"] = true;
  return token;
}

OrderedJson special_tokens() {
  return {{"bos_token", special_token(kStart)},
          {"eos_token", special_token(kEnd)},
          {"pad_token", kEnd},
          {"unk_token", special_token(kEnd)}};
}

OrderedJson tokenizer_json(const text::Vocabulary& vocabulary, OrderedJson vocab,
                           const std::string& merges) {
  const OrderedJson normalizer = {
      {"type", "Sequence"},
      {"normalizers",
       {{{"type", "NFC"}},
        {{"type", "Replace"}, {"pattern", {{"Regex", "\\s+"}}}, {"content", " "}},
        {{"type", "Lowercase"}}}}};
  const OrderedJson splitter = {{"type", "Sequence"},
                                {"pretokenizers",
                                 {{{"type", "Split"},
                                   {"pattern", {{"Regex", kPieces}}},
                                   {"behavior", "Removed"},
                                   {"invert", true}},
                                  {{"type", "ByteLevel"},
                                   {"add_prefix_space", false},
                                   {"trim_offsets", true},
                                   {"use_regex", true}}}}};
  OrderedJson sep = OrderedJson::array({kEnd, vocabulary.end()});
  OrderedJson cls = OrderedJson::array({kStart, vocabulary.start()});
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", OrderedJson::array({added_token(kStart, vocabulary.start()),
                                               added_token(kEnd, vocabulary.end())})},
          {"normalizer", normalizer},
          {"pre_tokenizer", splitter},
          {"post_processor",
           {{"type", "RobertaProcessing"},
            {"sep", std::move(sep)},
            {"cls", std::move(cls)},
            {"trim_offsets", false},
            {"add_prefix_space", false}}},
          {"decoder",
           {{"type", "ByteLevel"},
            {"add_prefix_space", true},
            {"trim_offsets", true},
            {"use_regex", true}}},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", kEnd},
            {"continuing_subword_prefix", ""},
            {"end_of_word_suffix", text::kWordEnd},
            {"fuse_unk", false},
            {"vocab", std::move(vocab)},
            {"merges", merges_json(merges)}}}};
}

OrderedJson tokenizer_config(int64_t context_length) {
  OrderedJson config = {{"add_prefix_space", false}};
  config.update(special_tokens());
  config["do_lower_case"] = true;
  config["errors"] = "replace";
  config["model_max_length"] = context_length;
  config["tokenizer_class"] = "CLIPTokenizer";
  return config;
}

}  // namespace

std::map<std::string, std::string> tokenizer_files(const text::Vocabulary& vocabulary,
                                                   int64_t context_length) {
  const std::string merges = vocabulary.merges_text();
  OrderedJson vocab = vocab_json(vocabulary);
  std::map<std::string, std::string> files;
  files["vocab.json"] = vocab.dump();
  files["merges.txt"] = "#version: 0.2\n" + merges;
  files["tokenizer.json"] = tokenizer_json(vocabulary, std::move(vocab), merges).dump(2) + "\n";
  files["tokenizer_config.json"] = tokenizer_config(context_length).dump(2) + "\n";
  files["special_tokens_map.json"] = special_tokens().dump(2) + "\n";
  return files;
}

}  // namespace clipnext::package
