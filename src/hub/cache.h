// A repository in the hub's cache, laid out as huggingface_hub lays it out, which finds what lies
// here and the other way round:
//   CACHE/models--ORG--NAME/refs/REVISION             the commit, as text
//   CACHE/models--ORG--NAME/snapshots/COMMIT/FILE     a relative link to
//   CACHE/models--ORG--NAME/blobs/ETAG                the content
//   CACHE/models--ORG--NAME/.no_exist/COMMIT/FILE     empty: the repository has no such file
//   CACHE/.locks/models--ORG--NAME/ETAG.lock          held while the blob is written
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace clipnext::hub {

class RepositoryCache {
 public:
  RepositoryCache(const std::filesystem::path& cache, const std::string& id);

  /// The commit that a revision was last known to be; itself if it is one.
  std::optional<std::string> commit_of(const std::string& revision) const;
  void write_ref(const std::string& revision, const std::string& commit) const;

  /// The folder of a commit's files, which need not all be there.
  std::filesystem::path snapshot(const std::string& commit) const;
  std::filesystem::path file(const std::string& commit, const std::string& name) const;
  bool has(const std::string& commit, const std::string& name) const;
  /// The names of a commit's files that are there, those in sub-folders as "a/b"; sorted.
  std::vector<std::string> names(const std::string& commit) const;
  /// The tag of a file that is there; empty if the cache does not say.
  std::string etag_of(const std::string& commit, const std::string& name) const;

  std::filesystem::path blob(const std::string& etag) const;
  /// What has arrived of a blob. Not ETAG.incomplete, to which some versions of huggingface_hub
  /// append: ours may have holes.
  std::filesystem::path part(const std::string& etag) const;
  std::filesystem::path lock(const std::string& etag) const;

  /// Makes the folders that the others need, and the cache's CACHEDIR.TAG.
  void prepare() const;
  /// Names a blob in a snapshot; a copy where the file system has no links.
  void link(const std::string& commit, const std::string& name, const std::string& etag) const;
  void mark_absent(const std::string& commit, const std::string& name) const;

 private:
  std::filesystem::path cache_, folder_, locks_;
};

}  // namespace clipnext::hub
