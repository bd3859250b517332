// Where a webdataset folder lies: on this machine or on the web.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "datasets/dataset.h"

namespace clipnext::datasets {

/// The addresses of a set's text files and of its shards. They differ for
/// https://huggingface.co/datasets/USER/REPO/tree/BRANCH (a mirror in $HF_ENDPOINT takes that
/// host's place), which keeps large files elsewhere. Throws Error for a page of that site that is
/// no such address.
struct RemoteBases {
  std::string texts;
  std::string shards;
};
RemoteBases remote_bases(const std::string& url);

/// The files of a set's root, named as they are from there ("test/nshards.txt").
class WdsRoot {
 public:
  /// Throws Error if the root is a folder that is not there, or a URL and request.cache is empty.
  explicit WdsRoot(const Request& request);

  /// A file's text; nothing if it is absent. Throws Error as read_file and net::fetch_text do.
  std::optional<std::string> text(const std::string& name, int64_t max_bytes) const;
  /// The file's path or URL, for messages.
  std::string where(const std::string& name) const;
  /// The path of a shard, which is downloaded first if need be: to request.cache, once. Throws
  /// Error if it is absent.
  std::filesystem::path shard(const std::string& name) const;

 private:
  const Request& request_;
  std::optional<RemoteBases> remote_;  // else request.root is a folder
  std::filesystem::path cache_;
};

}  // namespace clipnext::datasets
