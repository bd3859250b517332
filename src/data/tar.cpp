#include "data/tar.h"

#include <string_view>
#include <utility>

#include "base/error.h"
#include "data/archive.h"

namespace clipnext::data {
namespace {

constexpr size_t kReadBlock = size_t{1} << 16;
// Between two members of an index there are pictures, which are sought over.
constexpr size_t kIndexBlock = size_t{1} << 14;
constexpr size_t kMaxParts = 64;  // of a sample

// "train/s1.seg.PNG" is part "seg.png" of sample "train/s1"; nothing for what is no sample's.
std::optional<std::pair<std::string, std::string>> split_name(const std::string& name) {
  const size_t slash = name.rfind('/');
  const size_t base = slash == std::string::npos ? 0 : slash + 1;
  const size_t dot = name.find('.', base);
  if (dot == std::string::npos || dot == base) return std::nullopt;
  const std::string_view first = std::string_view(name).substr(0, name.find('/'));
  if (first.size() >= 4 && first.starts_with("__") && first.ends_with("__")) return std::nullopt;
  std::string part = name.substr(dot + 1);
  for (char& c : part) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return std::pair(name.substr(0, dot), std::move(part));
}

}  // namespace

TarReader::TarReader(std::filesystem::path path, int64_t max_member_bytes)
    : archive_(std::make_unique<Archive>(std::move(path), max_member_bytes, kReadBlock)) {}

TarReader::~TarReader() = default;

std::optional<TarMember> TarReader::next() {
  if (!archive_->next()) return std::nullopt;
  return TarMember{.name = archive_->name(), .content = archive_->read()};
}

std::string read_part(const TarPart& part) {
  return part.bytes != nullptr ? *part.bytes : read_range(part.range.value());
}

std::vector<IndexedMember> index_tar(const std::filesystem::path& path, int64_t inline_bytes,
                                     int64_t max_member_bytes) {
  const auto file = std::make_shared<const std::filesystem::path>(path);
  std::vector<IndexedMember> members;
  Archive archive(path, max_member_bytes, kIndexBlock);
  while (archive.next()) {
    IndexedMember& member = members.emplace_back();
    member.name = archive.name();
    if (archive.plain()) {
      member.part.range =
          FileRange{.file = file, .offset = archive.offset(), .size = archive.size()};
    }
    if (!archive.plain() || archive.size() <= inline_bytes) {
      member.part.bytes = std::make_shared<const std::string>(archive.read());
    }
  }
  return members;
}

std::vector<Sample> index_samples(const std::filesystem::path& path) {
  std::vector<Sample> samples;
  for (IndexedMember& member : index_tar(path)) {
    auto name = split_name(member.name);
    if (!name) continue;
    const auto& [key, part] = *name;
    if (samples.empty() || samples.back().key != key) samples.push_back({.key = key, .parts = {}});
    auto& parts = samples.back().parts;
    require(parts.size() < kMaxParts, path.string(), ": sample ", key, " has more than ", kMaxParts,
            " parts");
    require(parts.emplace(part, std::move(member.part)).second, path.string(), ": sample ", key,
            " has two parts named ", part);
  }
  return samples;
}

}  // namespace clipnext::data
