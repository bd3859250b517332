// Hugging Face's files for CLIP's tokenizer. They are read as data: what they say of cleaning and
// splitting is not followed, as open_clip does not, but must be of the kind that CLIP's is.
#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "text/vocabulary.h"

namespace clipnext::text {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxFileBytes = int64_t{64} << 20;

/// What Hugging Face's CLIP calls the special tokens, start and end.
constexpr std::string_view kHubNames[] = {"<|startoftext|>", "<|endoftext|>"};

/// `left right`; throws Error naming the entry if it is something else.
Merge parse_merge(std::string_view line, size_t index, const std::string& source) {
  const size_t space = line.find(' ');
  require(space != std::string_view::npos && space > 0 && space + 1 < line.size() &&
              line.find(' ', space + 1) == std::string_view::npos,
          source, ": merge ", index, " \"", line, "\" is not two symbols and a space between");
  return {line.substr(0, space), line.substr(space + 1)};
}

/// Both forms there are: `"left right"` and `["left", "right"]`.
Merge parse_merge(const Json& entry, size_t index, const std::string& source) {
  if (entry.is_string()) {
    return parse_merge(std::string_view(entry.get_ref<const std::string&>()), index, source);
  }
  require(entry.is_array() && entry.size() == 2 && entry[0].is_string() && entry[1].is_string(),
          source, ": merge ", index, " is neither a string nor a pair of strings");
  return {entry[0].get_ref<const std::string&>(), entry[1].get_ref<const std::string&>()};
}

/// Holds the file's token -> id object against the ids that its merges lead to.
void check_tokens(const Json& vocab, const Vocabulary& expected, const std::string& source) {
  require(vocab.is_object(), source, ": the vocabulary is not an object of token: id");
  std::vector<const std::string*> tokens(static_cast<size_t>(expected.size()), nullptr);
  for (const auto& [token, id] : vocab.items()) {
    require(id.is_number_integer(), source, ": the id of \"", token, "\" is not an integer");
    const int64_t value = id.is_number_unsigned() && id.get<uint64_t>() > INT64_MAX
                              ? std::numeric_limits<int64_t>::max()
                              : id.get<int64_t>();
    require(value >= 0 && value < expected.size(), source, ": token \"", token, "\" has id ", value,
            "; the merges make ", expected.size(), " tokens");
    const std::string*& place = tokens[static_cast<size_t>(value)];
    require(place == nullptr, source, ": id ", value, " is given to \"", token, "\" and to \"",
            place == nullptr ? "" : *place, "\"");
    place = &token;
  }
  for (int32_t id = 0; id < expected.size(); ++id) {
    const std::string* found = tokens[static_cast<size_t>(id)];
    const bool special = id >= expected.start();
    const std::string_view hub_name = special ? kHubNames[id - expected.start()] : "";
    const bool same =
        found != nullptr && (*found == expected.token(id) || (special && *found == hub_name));
    require(same, source, ": id ", id, " should be \"", special ? hub_name : expected.token(id),
            "\" in a vocabulary of CLIP's form, found ",
            found == nullptr ? "none" : '"' + *found + '"');
  }
}

/// The member at `key`, or null if there is none.
const Json& member(const Json& object, const char* key) {
  static const Json missing;
  if (!object.is_object()) return missing;
  const auto it = object.find(key);
  return it == object.end() ? missing : *it;
}

/// Tokens beyond the vocabulary would be split differently by those who made the file.
void check_added_tokens(const Json& added, const Vocabulary& vocabulary,
                        const std::string& source) {
  if (added.is_null()) return;
  require(added.is_array(), source, ": added_tokens is not an array");
  for (const Json& entry : added) {
    const Json& id = member(entry, "id");
    const bool known = id.is_number_integer() && id.get<int64_t>() >= vocabulary.start() &&
                       id.get<int64_t>() <= vocabulary.end();
    require(known, source, ": added token ", entry.dump(-1, ' ', true),
            " is not supported; only start (", vocabulary.start(), ") and end (", vocabulary.end(),
            ") of text are");
  }
}

}  // namespace

std::shared_ptr<const Vocabulary> parse_tokenizer_json(std::string_view text,
                                                       const std::string& source) {
  const Json file = parse_json(text, source);
  const Json& model = member(file, "model");
  require(member(model, "type") == "BPE", source, ": model.type is ",
          member(model, "type").dump(-1, ' ', true), "; only CLIP's byte-pair encoding, \"BPE\", ",
          "is supported");
  require(member(model, "end_of_word_suffix") == kWordEnd, source, ": model.end_of_word_suffix is ",
          member(model, "end_of_word_suffix").dump(-1, ' ', true), ", CLIP's is \"", kWordEnd, '"');
  const Json& entries = member(model, "merges");
  require(entries.is_array(), source, ": model.merges is not an array");
  std::vector<Merge> merges;
  merges.reserve(entries.size());
  for (const Json& entry : entries) merges.push_back(parse_merge(entry, merges.size(), source));
  auto vocabulary = std::make_shared<const Vocabulary>(merges, source);
  check_tokens(member(model, "vocab"), *vocabulary, source);
  check_added_tokens(member(file, "added_tokens"), *vocabulary, source);
  return vocabulary;
}

std::shared_ptr<const Vocabulary> parse_merges(std::string_view text, const std::string& source) {
  std::vector<Merge> merges;
  std::string_view rest = text;
  if (rest.starts_with("#version")) rest.remove_prefix(std::min(rest.find('\n'), rest.size()));
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) merges.push_back(parse_merge(line, merges.size(), source));
  }
  return std::make_shared<const Vocabulary>(merges, source);
}

std::shared_ptr<const Vocabulary> parse_merges_and_vocab(const SourceText& merges_file,
                                                         const SourceText& vocab_file) {
  auto vocabulary = parse_merges(merges_file.text, merges_file.source);
  check_tokens(parse_json(vocab_file.text, vocab_file.source), *vocabulary, vocab_file.source);
  return vocabulary;
}

std::shared_ptr<const Vocabulary> read_vocabulary(const fs::path& folder) {
  const fs::path whole = folder / "tokenizer.json";
  if (fs::exists(whole)) {
    return parse_tokenizer_json(read_file(whole, kMaxFileBytes), whole.string());
  }
  const fs::path vocab = folder / "vocab.json";
  const fs::path merges = folder / "merges.txt";
  if (!fs::exists(vocab) && !fs::exists(merges)) return nullptr;
  require(fs::exists(vocab), folder.string(),
          ": has merges.txt but no vocab.json; both are needed");
  require(fs::exists(merges), folder.string(),
          ": has vocab.json but no merges.txt; both are needed");
  return parse_merges_and_vocab({read_file(merges, kMaxFileBytes), merges.string()},
                                {read_file(vocab, kMaxFileBytes), vocab.string()});
}

}  // namespace clipnext::text
