// Scores that were computed before, so that a search that was killed goes on where it was.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>

namespace clipnext::soup {

using Scores = std::map<std::string, double>;

/// A file of JSON lines, {"key", "scores"}, that is added to. A last line that a kill cut short is
/// left out; other damage is an Error that names the line.
class ScoreFile {
 public:
  explicit ScoreFile(std::filesystem::path path);

  std::optional<Scores> find(const std::string& key) const;
  /// Adds a line, which is on the disk when this returns.
  void add(const std::string& key, const Scores& scores);
  size_t size() const { return known_.size(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::map<std::string, Scores> known_;
};

/// The key of an average: a hash of what is averaged (hashes of the files, in order, and how) and
/// of all that the score depends on.
std::string score_key(std::span<const std::string> sha256, const std::string& how,
                      const std::string& evaluator);

}  // namespace clipnext::soup
