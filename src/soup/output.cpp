#include "soup/output.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/random.h"
#include "soup/mean.h"
#include "weights/safetensors.h"

namespace clipnext::soup {
namespace {

namespace fs = std::filesystem;

constexpr size_t kAlignment = 8;  // of safetensors' own writer

/// A file that is written at places, from several threads.
class PlacedFile {
 public:
  PlacedFile(fs::path path, int64_t size) : path_(std::move(path)) {
    fd_ = open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    require(fd_ >= 0, path_.string(), ": cannot create: ", std::strerror(errno));
    // A full disk shows now rather than after minutes; file systems without this just go on.
    if (fallocate(fd_, 0, 0, size) != 0 && errno != EOPNOTSUPP && errno != ENOSYS) {
      const int error = errno;
      close(std::exchange(fd_, -1));
      fail(path_.string(), ": no room for ", size, " bytes: ", std::strerror(error));
    }
  }
  ~PlacedFile() {
    if (fd_ >= 0) close(fd_);
  }
  PlacedFile(const PlacedFile&) = delete;
  PlacedFile& operator=(const PlacedFile&) = delete;

  void write(int64_t at, std::span<const std::byte> bytes) {
    const int64_t begin = at;
    const auto size = static_cast<int64_t>(bytes.size());
    while (!bytes.empty()) {
      const ssize_t count = pwrite(fd_, bytes.data(), bytes.size(), at);
      if (count < 0 && errno == EINTR) continue;
      require(count > 0, path_.string(), ": cannot write: ", std::strerror(errno));
      bytes = bytes.subspan(static_cast<size_t>(count));
      at += count;
    }
    // The disk begins now, and not all at once at the end.
    sync_file_range(fd_, begin, size, SYNC_FILE_RANGE_WRITE);
  }

  void finish() {
    require(fsync(fd_) == 0, path_.string(), ": cannot write: ", std::strerror(errno));
    require(close(std::exchange(fd_, -1)) == 0, path_.string(),
            ": cannot write: ", std::strerror(errno));
  }

 private:
  fs::path path_;
  int fd_ = -1;
};

// A one-element tensor of each source, for computing an element by itself.
PlannedTensor element(const PlannedTensor& planned, int64_t index) {
  PlannedTensor one = planned;
  one.shape = {1};
  for (weights::Tensor& source : one.sources) {
    const auto item = static_cast<size_t>(weights::dtype_size(source.dtype));
    source.shape = {1};
    source.data = source.data.subspan(static_cast<size_t>(index) * item, item);
  }
  return one;
}

void check_elements(const fs::path& file, const Plan& plan, const PlannedTensor& planned,
                    const weights::Tensor& written, Block& block) {
  constexpr int64_t kLookedAt = 64;
  const auto item = static_cast<size_t>(weights::dtype_size(planned.dtype));
  const int64_t numel = planned.numel();
  RandomStream random(random_key(0, static_cast<uint64_t>(numel)));
  std::array<std::byte, sizeof(double)> expected{};
  for (int64_t i = 0; i < std::min(kLookedAt, numel); ++i) {
    const int64_t index = numel <= kLookedAt ? i : random.below(numel);
    make_values(plan, element(planned, index), 0, 1, block, expected.data());
    const std::byte* found = written.data.data() + static_cast<size_t>(index) * item;
    require(std::memcmp(found, expected.data(), item) == 0, file.string(), ": element ", index,
            " of ", planned.output_name, " is not what was computed; is the disk failing?");
  }
}

}  // namespace

void check_output(const fs::path& folder, bool replace) {
  std::error_code error;
  if (!fs::exists(fs::symlink_status(folder, error))) return;
  require(fs::is_directory(folder, error), folder.string(),
          ": is a file, and a folder is to be written");
  require(replace, folder.string(), ": is there already; --force replaces the model in it");
}

std::vector<std::string> stale_files() {
  std::vector<std::string> names = {"open_clip_pytorch_model.bin", "wise-ft.svg", "wise-ft.json"};
  const auto tokenizer = tokenizer_files();
  names.insert(names.end(), tokenizer.begin(), tokenizer.end());
  return names;
}

WrittenWeights write_weights(const fs::path& file, const Plan& plan,
                             std::span<const Ingredient> ingredients, const PassOptions& options,
                             bool allow_nonfinite, ThreadPool& pool) {
  std::vector<std::pair<std::string, weights::Tensor>> list;
  for (const PlannedTensor& planned : plan.tensors) {
    weights::Tensor tensor;
    tensor.dtype = planned.dtype;
    tensor.shape = planned.shape;
    list.emplace_back(planned.output_name, std::move(tensor));
  }
  const std::string header =
      weights::safetensors_header(file.string(), list, {{"format", "pt"}}, kAlignment);
  std::vector<int64_t> begins;
  int64_t size = std::ssize(header);
  for (const PlannedTensor& planned : plan.tensors) {
    begins.push_back(size);
    size += planned.byte_size();
  }

  WrittenWeights written;
  PlacedFile out(file, size);
  out.write(0, std::as_bytes(std::span(header)));
  written.pass = run_pass(plan, ingredients, options, pool,
                          [&](size_t tensor, int64_t begin, std::span<const std::byte> bytes) {
                            out.write(begins[tensor] + begin, bytes);
                          });
  if (!allow_nonfinite) require_finite(written.pass.nonfinite, ingredients);
  out.finish();
  check_written(file, plan);
  const MappedFile mapped(file);
  written.sha256 = hash_mapped(mapped.bytes());
  return written;
}

void check_written(const fs::path& file, const Plan& plan) {
  const weights::Checkpoint checkpoint = weights::open_checkpoint(file);
  require(checkpoint.tensors.size() == plan.tensors.size(), file.string(), ": holds ",
          checkpoint.tensors.size(), " tensors, ", plan.tensors.size(), " were written");
  for (const PlannedTensor& planned : plan.tensors) {
    const auto found = checkpoint.tensors.find(planned.output_name);
    require(found != checkpoint.tensors.end() && found->second.dtype == planned.dtype &&
                found->second.shape == planned.shape,
            file.string(), ": tensor ", planned.output_name, " is not as it was written");
    Block block(planned.sources.size());
    check_elements(file, plan, planned, found->second, block);
  }
}

}  // namespace clipnext::soup
