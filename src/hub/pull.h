// Files of a repository into the cache: what there is, what is missing, and fetching it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "hub/names.h"
#include "hub/settings.h"

namespace clipnext::hub {

/// Which files of a repository are wanted.
struct Selection {
  enum class Kind : uint8_t {
    kModel,   // open_clip_config.json, its weights, its tokenizer's files if it names one
    kConfig,  // open_clip_config.json
    kAll,
    kGlobs,  // those that fit one of `globs`
  };
  Kind kind = Kind::kModel;
  std::vector<std::string> globs = {};
};

struct PulledFile {
  std::string name = {};
  std::string etag = {};            // its name in the cache; empty if that does not say
  int64_t size = -1;                // bytes, -1: not known
  bool cached = false;              // was there before
  std::filesystem::path path = {};  // in the snapshot, where it lies or will lie
};

/// A repository's files that are wanted, at one commit.
struct Plan {
  Repository repository = {};
  std::string commit = {};
  std::filesystem::path folder = {};  // the snapshot
  std::vector<PulledFile> files = {};
  std::vector<std::string> absent = {};  // what open_clip would look for and the repository lacks

  bool whole() const;
  int64_t size() const;  // bytes of all files, as far as known
  int64_t missing_bytes() const;
};

/// How files are fetched.
struct PullOptions {
  int connections = 4;                              // of one large file
  int64_t least_range = int64_t{8} << 20;           // bytes of a part of one
  std::function<void(int64_t bytes)> advance = {};  // so many have arrived, or were there already
};

/// Asks the hub which files there are and what they are; of a selected model the configuration is
/// fetched, which says what else it needs. Offline: what the cache has. Throws Error that says what
/// is missing and what to do.
Plan make_plan(const Settings& settings, const Repository& repository, const Selection& selection);

/// Fetches what is missing, several files at once. Each is hashed before it gets its name where the
/// tag is a hash; one that is another is thrown away, and that is an Error. What arrived of a file
/// is kept for the next call, also of another process; two that want the same one fetch it once.
void fetch(const Settings& settings, const Plan& plan, const PullOptions& options = {});

/// Copies the files of a plan that was fetched to a folder, by their names; each is whole or as it
/// was before. A file that is there with that content is left alone.
void copy_to(const Plan& plan, const std::filesystem::path& folder);

/// Throws Error, naming `url`, unless the file's hash is what the tag says (SHA-256 by 64 digits,
/// git's blob by 40; no other tag says anything).
void check_hash(const std::filesystem::path& file, const std::string& etag, const std::string& url);

/// The folder of a model that is in the cache, or is brought there, with a word about it on
/// standard error; with_weights = false: only its configuration. Throws Error; offline, with what
/// to do.
std::filesystem::path model_folder(const Repository& repository, bool with_weights);

/// One file of a repository, likewise.
std::filesystem::path repository_file(const Repository& repository, const std::string& name);

}  // namespace clipnext::hub
