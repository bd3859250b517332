#include "text/vocabulary.h"

#include <zlib.h>

#include <algorithm>
#include <bit>
#include <functional>

#include "base/error.h"
#include "text/alphabet.h"
#include "text/pieces.h"

extern "C" const unsigned char clipnext_asset_bpe_vocab[];
extern "C" const unsigned char clipnext_asset_bpe_vocab_end[];

namespace clipnext::text {
namespace {

/// Of the merges in the file CLIP uses those that fill 49,152 ids, without the two special tokens.
constexpr size_t kEmbeddedMerges = 49152 - 256 - 2;

/// The first `lines` lines of the gzip file inside the program, which has far more.
std::string inflate_lines(size_t lines) {
  z_stream stream{};
  constexpr int kGzip = 16 + MAX_WBITS;
  require(inflateInit2(&stream, kGzip) == Z_OK, "embedded vocabulary: zlib does not start");
  // zlib's older interface takes a pointer to what it does not change.
  stream.next_in = const_cast<unsigned char*>(clipnext_asset_bpe_vocab);
  stream.avail_in = static_cast<uInt>(clipnext_asset_bpe_vocab_end - clipnext_asset_bpe_vocab);
  std::string text;
  size_t found = 0;
  int status = Z_OK;
  while (status == Z_OK && found < lines) {
    constexpr size_t kChunk = 1 << 16;
    const size_t size = text.size();
    text.resize(size + kChunk);
    stream.next_out = reinterpret_cast<unsigned char*>(text.data() + size);
    stream.avail_out = kChunk;
    status = inflate(&stream, Z_NO_FLUSH);
    text.resize(size + kChunk - stream.avail_out);
    found += static_cast<size_t>(
        std::count(text.begin() + static_cast<std::ptrdiff_t>(size), text.end(), '\n'));
  }
  inflateEnd(&stream);
  require(found >= lines, "embedded vocabulary: damaged, ", found, " lines of ", lines,
          "; run ./dev setup and build again");
  return text;
}

/// A hash table of twice the entries it is to hold, as a power of two.
size_t table_size(int64_t entries) {
  return std::bit_ceil(static_cast<size_t>(std::max<int64_t>(entries, 1)) * 2);
}

}  // namespace

MergeTable::MergeTable(int64_t merges)
    : entries_(table_size(merges), kEmpty),
      mask_(entries_.size() - 1),
      shift_(64 - std::countr_zero(entries_.size())) {}

bool MergeTable::insert(int32_t left, int32_t right, int32_t rank) {
  const uint64_t key = pack(left, right);
  size_t place = hash(key);
  for (; entries_[place] != kEmpty; place = (place + 1) & mask_) {
    if (entries_[place] >> kRankBits == key) return false;
  }
  entries_[place] = key << kRankBits | static_cast<uint64_t>(rank);
  return true;
}

std::vector<std::pair<int32_t, int32_t>> MergeTable::pairs() const {
  const auto empty = std::count(entries_.begin(), entries_.end(), kEmpty);
  std::vector<std::pair<int32_t, int32_t>> pairs(entries_.size() - static_cast<size_t>(empty));
  for (const uint64_t entry : entries_) {
    if (entry == kEmpty) continue;
    const uint64_t key = entry >> kRankBits;
    pairs[entry & kRankMask] = {static_cast<int32_t>(key >> 21 & kIdMask),
                                static_cast<int32_t>(key & kIdMask)};
  }
  return pairs;
}

Vocabulary::Vocabulary(const std::vector<Merge>& merges, const std::string& source)
    : merges_(std::ssize(merges)), index_(table_size(std::ssize(merges) + kByteTokens + 2), -1) {
  require(std::ssize(merges) + kByteTokens + 2 <= MergeTable::kMaxTokens, source, ": ",
          merges.size(), " merges; at most ", MergeTable::kMaxTokens, " tokens are possible");
  texts_.reserve(merges.size() * 8);
  ends_.reserve(merges.size() + kByteTokens + 2);
  for (int32_t id = 0; id < 256; ++id) add(alphabet().symbol(id), "");
  for (int32_t id = 0; id < 256; ++id) add(alphabet().symbol(id), kWordEnd);
  for (size_t i = 0; i < merges.size(); ++i) {
    const auto [left, right] = merges[i];
    const std::optional<int32_t> left_id = find(left);
    const std::optional<int32_t> right_id = find(right);
    require(left_id && right_id, source, ": merge ", i, " \"", left, " ", right,
            "\" joins a symbol that neither a byte nor an earlier merge makes");
    std::string joined(left);
    joined += right;
    require(!find(joined) && merges_.insert(*left_id, *right_id, static_cast<int32_t>(i)), source,
            ": merge ", i, " \"", left, " ", right, "\" makes a token that is there already");
    add(left, right);
  }
  add(kStartName, "");
  add(kEndName, "");
}

std::string_view Vocabulary::token(int32_t id) const {
  const auto i = static_cast<size_t>(id);
  const size_t first = i == 0 ? 0 : ends_[i - 1];
  return std::string_view(texts_).substr(first, ends_[i] - first);
}

std::optional<int32_t> Vocabulary::find(std::string_view token) const {
  const int32_t id = index_[place(token)];
  return id >= 0 ? std::optional(id) : std::nullopt;
}

std::string Vocabulary::merges_text() const {
  std::string text;
  for (const auto& [left, right] : merges_.pairs()) {
    text += token(left);
    text += ' ';
    text += token(right);
    text += '\n';
  }
  return text;
}

/// Where in the index the token is, or belongs.
size_t Vocabulary::place(std::string_view wanted) const {
  const size_t mask = index_.size() - 1;
  size_t place = std::hash<std::string_view>()(wanted) & mask;
  while (index_[place] >= 0 && token(index_[place]) != wanted) place = (place + 1) & mask;
  return place;
}

void Vocabulary::add(std::string_view left, std::string_view right) {
  texts_ += left;
  texts_ += right;
  ends_.push_back(static_cast<uint32_t>(texts_.size()));
  const int32_t id = size() - 1;
  index_[place(token(id))] = id;
}

std::shared_ptr<const Vocabulary> embedded_vocabulary() {
  static const auto instance = [] {
    const std::string text = inflate_lines(kEmbeddedMerges + 1);  // the first is a version
    std::vector<Merge> merges;
    merges.reserve(kEmbeddedMerges);
    size_t at = text.find('\n') + 1;
    while (merges.size() < kEmbeddedMerges) {
      const size_t end = text.find('\n', at);
      const std::string_view line = std::string_view(text).substr(at, end - at);
      const size_t space = line.find(' ');
      require(space != std::string_view::npos, "embedded vocabulary: damaged at merge ",
              merges.size(), "; run ./dev setup and build again");
      merges.push_back({line.substr(0, space), line.substr(space + 1)});
      at = end + 1;
    }
    return std::make_shared<const Vocabulary>(merges, "embedded vocabulary");
  }();
  return instance;
}

}  // namespace clipnext::text
