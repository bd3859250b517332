#include "eval/feature_store.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/mapped_file.h"
#include "base/text_lines.h"
#include "weights/checkpoint.h"

namespace clipnext::eval {
namespace {

namespace fs = std::filesystem;

constexpr char kMagic[16] = "clipnext part 1";
constexpr std::chrono::milliseconds kBlockTime{500};

struct PartHeader {
  char magic[16];
  ContentHash key;
  int64_t dim;
};

/// hash: of the rows, after the key and the number of the first row.
struct BlockHeader {
  int64_t rows;
  ContentHash hash;
};

ContentHash block_hash(const ContentHash& key, int64_t first, std::span<const std::byte> rows) {
  return hash_bytes(rows, hash_bytes(std::as_bytes(std::span(&first, 1)), key));
}

}  // namespace

FeatureStore::FeatureStore(fs::path stem, const ContentHash& key, int64_t rows, int64_t dim)
    : stem_(std::move(stem)), key_(key), rows_(rows), dim_(dim) {}

// After an error or an interrupt: what is pending is worth keeping, and there is nobody to tell.
FeatureStore::~FeatureStore() {
  try {
    write_block();
  } catch (const Error&) {
    pending_.clear();
  }
  if (part_ != nullptr) std::fclose(part_);
}

fs::path FeatureStore::path(const char* extension) const {
  return fs::path(stem_).concat(extension);
}

std::vector<float> FeatureStore::load() {
  if (stem_.empty()) return {};
  auto complete = load_complete();
  std::vector<float> rows = complete ? *std::move(complete) : load_part();
  done_ = static_cast<int64_t>(rows.size()) / dim_;
  return rows;
}

std::optional<std::vector<float>> FeatureStore::load_complete() const {
  std::error_code none;
  if (!fs::is_regular_file(path(".key"), none)) return std::nullopt;
  if (trim(read_file(path(".key"), 1024)) != key_.hex()) return std::nullopt;
  try {
    const weights::Checkpoint file = weights::open_checkpoint(path(".npy"));
    const weights::Tensor& tensor = file.tensors.begin()->second;
    if (tensor.dtype != weights::DType::kF32 || tensor.shape != weights::Shape{rows_, dim_}) {
      return std::nullopt;
    }
    return weights::to_f32(tensor);
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::vector<float> FeatureStore::load_part() {
  std::vector<float> rows;
  std::error_code none;
  if (!fs::is_regular_file(path(".part"), none)) return rows;
  size_t at = sizeof(PartHeader);
  {
    const MappedFile file(path(".part"));
    const std::span<const std::byte> bytes = file.bytes();
    PartHeader header;
    if (bytes.size() < sizeof header) return rows;
    std::memcpy(&header, bytes.data(), sizeof header);
    if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0 || header.key != key_ ||
        header.dim != dim_) {
      return rows;
    }
    const auto row_bytes = static_cast<size_t>(dim_) * sizeof(float);
    BlockHeader block;
    while (bytes.size() - at >= sizeof block) {
      std::memcpy(&block, bytes.data() + at, sizeof block);
      const int64_t first = static_cast<int64_t>(rows.size()) / dim_;
      if (block.rows <= 0 || block.rows > rows_ - first) break;
      const size_t size = static_cast<size_t>(block.rows) * row_bytes;
      if (bytes.size() - at - sizeof block < size) break;
      const auto data = bytes.subspan(at + sizeof block, size);
      if (block.hash != block_hash(key_, first, data)) break;
      const size_t end = rows.size();
      rows.resize(end + size / sizeof(float));
      std::memcpy(rows.data() + end, data.data(), size);
      at += sizeof block + size;
    }
  }
  // What is behind the last whole block is of no use, and appending goes on here.
  fs::resize_file(path(".part"), at, none);
  if (none) rows.clear();
  return rows;
}

void FeatureStore::append(std::span<const float> rows) {
  if (stem_.empty()) return;
  pending_.insert(pending_.end(), rows.begin(), rows.end());
  if (Clock::now() - written_ >= kBlockTime) write_block();
}

/// Goes on with the file that load_part accepted, or begins a new one.
void FeatureStore::open_part() {
  const fs::path file = path(".part");
  std::error_code failed;
  fs::create_directories(file.parent_path(), failed);
  part_ = std::fopen(file.c_str(), done_ > 0 ? "abe" : "wbe");
  require(part_ != nullptr, file.string(), ": ", std::strerror(errno),
          "; choose another folder for features");
  if (done_ > 0) return;
  PartHeader header{.magic = {}, .key = key_, .dim = dim_};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  require(std::fwrite(&header, sizeof header, 1, part_) == 1, file.string(), ": ",
          std::strerror(errno));
}

void FeatureStore::write_block() {
  if (pending_.empty()) return;
  if (part_ == nullptr) open_part();
  const auto bytes = std::as_bytes(std::span(pending_));
  const BlockHeader block{.rows = std::ssize(pending_) / dim_,
                          .hash = block_hash(key_, done_, bytes)};
  const bool written = std::fwrite(&block, sizeof block, 1, part_) == 1 &&
                       std::fwrite(bytes.data(), 1, bytes.size(), part_) == bytes.size() &&
                       std::fflush(part_) == 0 && fdatasync(fileno(part_)) == 0;
  require(written, path(".part").string(), ": ", std::strerror(errno),
          "; what was written before is kept, and the next run goes on from there");
  done_ += block.rows;
  pending_.clear();
  written_ = Clock::now();
}

void FeatureStore::finish(std::span<const float> all, bool keep) {
  if (stem_.empty()) return;
  pending_.clear();
  if (part_ != nullptr) std::fclose(std::exchange(part_, nullptr));
  std::error_code none;
  if (keep && !load_complete()) {
    fs::create_directories(stem_.parent_path(), none);
    fs::remove(path(".key"), none);  // of other vectors, which the next line replaces
    weights::write_npy(path(".npy"), weights::make_tensor({rows_, dim_}, all));
    write_file(path(".key"), key_.hex() + "\n");
  }
  fs::remove(path(".part"), none);
}

}  // namespace clipnext::eval
