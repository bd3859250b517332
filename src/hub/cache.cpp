#include "hub/cache.h"

#include <unistd.h>

#include <algorithm>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/text_lines.h"
#include "hub/names.h"

namespace clipnext::hub {
namespace {

namespace fs = std::filesystem;

// https://bford.info/cachedir/: backups leave such folders out.
constexpr const char* kCacheTag =
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This folder is a cache; see https://bford.info/cachedir/\n";

std::string folder_name(const std::string& id) {
  const size_t slash = id.find('/');
  if (slash == std::string::npos) return "models--" + id;
  return "models--" + id.substr(0, slash) + "--" + id.substr(slash + 1);
}

}  // namespace

RepositoryCache::RepositoryCache(const fs::path& cache, const std::string& id)
    : cache_(cache), folder_(cache / folder_name(id)), locks_(cache / ".locks" / folder_name(id)) {}

std::optional<std::string> RepositoryCache::commit_of(const std::string& revision) const {
  if (is_commit(revision)) return revision;
  const fs::path ref = folder_ / "refs" / revision;
  std::error_code ignored;
  if (!fs::is_regular_file(ref, ignored)) return std::nullopt;
  std::string commit(trim(read_file(ref, 1 << 16)));
  if (!is_commit(commit)) return std::nullopt;
  return commit;
}

void RepositoryCache::write_ref(const std::string& revision, const std::string& commit) const {
  if (commit_of(revision) == commit) return;
  const fs::path ref = folder_ / "refs" / revision;
  fs::create_directories(ref.parent_path());
  write_file(ref, commit);
}

fs::path RepositoryCache::snapshot(const std::string& commit) const {
  return folder_ / "snapshots" / commit;
}

fs::path RepositoryCache::file(const std::string& commit, const std::string& name) const {
  return snapshot(commit) / name;
}

bool RepositoryCache::has(const std::string& commit, const std::string& name) const {
  std::error_code ignored;
  return fs::is_regular_file(file(commit, name), ignored);
}

std::vector<std::string> RepositoryCache::names(const std::string& commit) const {
  std::vector<std::string> names;
  std::error_code error;
  const fs::path folder = snapshot(commit);
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code ignored;
    if (it->is_regular_file(ignored)) names.push_back(it->path().lexically_relative(folder));
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string RepositoryCache::etag_of(const std::string& commit, const std::string& name) const {
  std::error_code error;
  const fs::path target = fs::read_symlink(file(commit, name), error);
  return error ? "" : target.filename().string();
}

fs::path RepositoryCache::blob(const std::string& etag) const { return folder_ / "blobs" / etag; }

fs::path RepositoryCache::part(const std::string& etag) const {
  return folder_ / "blobs" / (etag + ".clipnext.incomplete");
}

fs::path RepositoryCache::lock(const std::string& etag) const { return locks_ / (etag + ".lock"); }

void RepositoryCache::prepare() const {
  std::error_code error;
  for (const fs::path& folder : {folder_ / "blobs", folder_ / "snapshots", locks_}) {
    fs::create_directories(folder, error);
    require(!error, folder.string(), ": cannot be made: ", error.message(),
            "; HF_HUB_CACHE says where models are kept");
  }
  if (!fs::exists(cache_ / "CACHEDIR.TAG", error)) write_file(cache_ / "CACHEDIR.TAG", kCacheTag);
}

void RepositoryCache::link(const std::string& commit, const std::string& name,
                           const std::string& etag) const {
  const fs::path pointer = file(commit, name);
  fs::create_directories(pointer.parent_path());
  const fs::path target = blob(etag).lexically_relative(pointer.parent_path());
  std::error_code error;
  if (fs::read_symlink(pointer, error) == target) return;
  // A name of its own first: at no moment is there none, or a wrong one.
  fs::path temporary = pointer;
  temporary += "." + std::to_string(getpid()) + ".tmp";
  fs::remove(temporary, error);
  fs::create_symlink(target, temporary, error);
  if (error) fs::copy_file(blob(etag), temporary, fs::copy_options::overwrite_existing);
  fs::rename(temporary, pointer);
}

void RepositoryCache::mark_absent(const std::string& commit, const std::string& name) const {
  const fs::path mark = folder_ / ".no_exist" / commit / name;
  std::error_code ignored;
  if (fs::exists(mark, ignored)) return;
  fs::create_directories(mark.parent_path());
  write_file(mark, "");
}

}  // namespace clipnext::hub
