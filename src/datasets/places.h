// Where the files of a data set lie: in its root folder, or in the archives it is published as.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/dataset.h"

namespace clipnext::datasets {

/// Looks for files in Request::root and then, one after another, in what the archives that lie
/// there hold; an archive is unpacked (into Request::cache, once) when it is needed.
class Places {
 public:
  /// `archives`: file names as published, in the order they are looked into. The root may also be
  /// such a file itself. Throws Error if the root does not exist.
  Places(const Request& request, std::vector<std::string> archives);

  /// The first of `candidates` (relative paths, "." for the place itself) that exists, as a path.
  /// Throws Error that lists what was looked for.
  std::filesystem::path find(const std::vector<std::string>& candidates);
  /// The same, an empty path if there is none; archives are looked into all the same.
  std::filesystem::path find_if_there(const std::vector<std::string>& candidates);

 private:
  const Request& request_;
  std::vector<std::string> archives_;  // not looked into yet
  std::vector<std::filesystem::path> folders_;
};

/// `folder` / `name`, where `name` comes from a file of the data set. Throws Error naming `where`
/// if it leads out of the folder or is empty.
std::filesystem::path path_inside(const std::filesystem::path& folder, std::string_view name,
                                  const std::string& where);

/// Throws Error unless the request's split is one of `splits`.
void require_split(const Request& request, const std::vector<std::string_view>& splits);

}  // namespace clipnext::datasets
