#include "data/tar.h"

#include <utility>

#include "base/error.h"
#include "data/archive.h"
#include "data/member_name.h"

namespace clipnext::data {
namespace {

constexpr size_t kReadBlock = size_t{1} << 16;
// Between two members of an index there are pictures, which are sought over.
constexpr size_t kIndexBlock = size_t{1} << 14;
constexpr size_t kMaxParts = 64;  // of a sample

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
    auto name = split_member_name(member.name);
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
