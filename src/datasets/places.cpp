#include "datasets/places.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "datasets/unpack.h"

namespace clipnext::datasets {
namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

fs::path find_in(const fs::path& folder, const std::vector<std::string>& candidates) {
  for (const std::string& candidate : candidates) {
    fs::path path = candidate == "." ? folder : folder / candidate;
    if (is_there(path)) return path;
  }
  return {};
}

std::string list(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

Places::Places(const Request& request, std::vector<std::string> archives)
    : request_(request), archives_(std::move(archives)) {
  const fs::path root = request.root;
  require(is_there(root), root.string(), ": no such folder (the root of data set ", request.name,
          "; set --dataset_root)");
  std::error_code ignored;
  if (fs::is_directory(root, ignored)) {
    folders_.push_back(root);
  } else {
    archives_ = {root.filename().string()};
    folders_.push_back(unpack_archive(root, request.cache));
    archives_.clear();
  }
}

fs::path Places::find_if_there(const std::vector<std::string>& candidates) {
  for (const fs::path& folder : folders_) {
    if (fs::path found = find_in(folder, candidates); !found.empty()) return found;
  }
  while (!archives_.empty()) {
    const fs::path archive = fs::path(request_.root) / archives_.front();
    archives_.erase(archives_.begin());
    if (!is_there(archive)) continue;
    folders_.push_back(unpack_archive(archive, request_.cache));
    if (fs::path found = find_in(folders_.back(), candidates); !found.empty()) return found;
  }
  return {};
}

fs::path Places::find(const std::vector<std::string>& candidates) {
  const std::string archives = list(archives_);
  fs::path found = find_if_there(candidates);
  require(!found.empty(), request_.root, ": data set ", request_.name, " needs ", list(candidates),
          archives.empty() ? "" : " in this folder, or the archive as published: ", archives,
          "; none is there");
  return found;
}

fs::path path_inside(const fs::path& folder, std::string_view name, const std::string& where) {
  const fs::path inner(name);
  const bool leaves = inner.is_absolute() ||
                      std::find(inner.begin(), inner.end(), fs::path("..")) != inner.end() ||
                      name.find('\0') != std::string_view::npos;
  require(!name.empty() && !leaves, where, ": \"", name.substr(0, 200),
          "\" is no path inside the data set");
  return folder / inner;
}

void require_split(const Request& request, const std::vector<std::string_view>& splits) {
  if (std::find(splits.begin(), splits.end(), request.split) != splits.end()) return;
  std::string known;
  for (const std::string_view split : splits) {
    known += (known.empty() ? "" : ", ") + std::string(split);
  }
  fail(request.name, ": has no split \"", request.split, "\"; there is ", known);
}

}  // namespace clipnext::datasets
