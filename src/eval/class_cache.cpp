#include "eval/class_cache.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/error.h"
#include "weights/checkpoint.h"

namespace clipnext::eval {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTensor = "class_vectors";
constexpr const char* kHash = "clipnext.hash";
constexpr size_t kMostFiles = 100;

// Relative paths in these variables are to be ignored (XDG Base Directory Specification).
fs::path absolute_path_in(const char* variable) {
  const char* value = std::getenv(variable);
  const fs::path path = value == nullptr ? "" : value;
  return path.is_absolute() ? path : fs::path();
}

}  // namespace

fs::path default_cache_folder() {
  if (const char* own = std::getenv("CLIPNEXT_CACHE")) return own;
  if (const fs::path cache = absolute_path_in("XDG_CACHE_HOME"); !cache.empty()) {
    return cache / "clipnext";
  }
  const fs::path home = absolute_path_in("HOME");
  return home.empty() ? home : home / ".cache" / "clipnext";
}

ClassCache::ClassCache(const fs::path& folder, double least_flop)
    : folder_(folder.empty() ? folder : folder / "classifiers"), least_flop_(least_flop) {}

fs::path ClassCache::path_of(const ContentHash& key) const {
  return folder_ / (key.hex() + ".safetensors");
}

std::optional<std::vector<float>> ClassCache::find(const ContentHash& key, int64_t labels,
                                                   int64_t dim) const {
  std::error_code none;
  if (folder_.empty() || !fs::is_regular_file(path_of(key), none)) return std::nullopt;
  try {
    const weights::Checkpoint file = weights::open_checkpoint(path_of(key));
    const auto tensor = file.tensors.find(kTensor);
    const auto hash = file.metadata.find(kHash);
    if (tensor == file.tensors.end() || hash == file.metadata.end()) return std::nullopt;
    if (tensor->second.dtype != weights::DType::kF32 ||
        tensor->second.shape != weights::Shape{labels, dim} ||
        hash->second != hash_bytes(tensor->second.data, key).hex()) {
      return std::nullopt;
    }
    return weights::to_f32(tensor->second);
  } catch (const Error&) {
    return std::nullopt;
  }
}

bool ClassCache::keep(const ContentHash& key, std::span<const float> vectors, int64_t labels,
                      int64_t dim) const {
  std::error_code failed;
  fs::create_directories(folder_, failed);
  if (failed) return false;
  const weights::Tensor tensor = weights::make_tensor({labels, dim}, vectors);
  try {
    weights::write_safetensors(path_of(key), {{kTensor, tensor}},
                               {{kHash, hash_bytes(tensor.data, key).hex()}});
  } catch (const Error&) {
    return false;
  }
  remove_oldest();
  return true;
}

/// Another process may remove or write at the same time; what is gone already is no matter.
void ClassCache::remove_oldest() const {
  std::vector<std::pair<fs::file_time_type, fs::path>> files;
  std::error_code failed;
  for (fs::directory_iterator it(folder_, failed), end; !failed && it != end;
       it.increment(failed)) {
    std::error_code gone;
    const auto time = fs::last_write_time(it->path(), gone);
    if (!gone && it->path().extension() == ".safetensors") files.emplace_back(time, it->path());
  }
  if (files.size() <= kMostFiles) return;
  std::sort(files.begin(), files.end());
  files.resize(files.size() - kMostFiles);
  for (const auto& [time, path] : files) fs::remove(path, failed);
}

}  // namespace clipnext::eval
