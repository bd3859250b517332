#include "soup/score_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/sha.h"

namespace clipnext::soup {
namespace {

namespace fs = std::filesystem;

std::pair<std::string, Scores> parse_line(std::string_view line, const std::string& source) {
  const Json json = parse_json(line, source);
  require(json.is_object() && json.contains("key") && json["key"].is_string() &&
              json.contains("scores") && json["scores"].is_object(),
          source, ": expected {\"key\": TEXT, \"scores\": {...}}; remove the file to begin anew");
  Scores scores;
  for (const auto& [name, value] : json["scores"].items()) {
    require(value.is_number(), source, ": score ", name, " is no number");
    scores[name] = value.get<double>();
  }
  return {json["key"].get<std::string>(), std::move(scores)};
}

}  // namespace

ScoreFile::ScoreFile(fs::path path) : path_(std::move(path)) {
  std::error_code ignored;
  if (!fs::exists(path_, ignored)) return;
  const std::string text = read_file(path_);
  const size_t end = text.rfind('\n') + 1;  // 0 without
  int64_t number = 0;
  for (size_t at = 0; at < end;) {
    const size_t next = text.find('\n', at);
    auto [key, scores] = parse_line(std::string_view(text).substr(at, next - at),
                                    path_.string() + ":" + std::to_string(++number));
    known_[std::move(key)] = std::move(scores);
    at = next + 1;
  }
  if (end < text.size()) write_file(path_, std::string_view(text).substr(0, end));
}

std::optional<Scores> ScoreFile::find(const std::string& key) const {
  const auto found = known_.find(key);
  return found == known_.end() ? std::nullopt : std::optional(found->second);
}

void ScoreFile::add(const std::string& key, const Scores& scores) {
  const std::string line = OrderedJson{{"key", key}, {"scores", scores}}.dump() + "\n";
  std::error_code ignored;
  if (path_.has_parent_path()) fs::create_directories(path_.parent_path(), ignored);
  const int fd = open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  require(fd >= 0, path_.string(), ": cannot write: ", std::strerror(errno));
  const bool written = ::write(fd, line.data(), line.size()) == std::ssize(line) && fsync(fd) == 0;
  const int error = errno;
  close(fd);
  require(written, path_.string(), ": cannot write: ", std::strerror(error));
  known_[key] = scores;
}

std::string score_key(std::span<const std::string> sha256, const std::string& how,
                      const std::string& evaluator) {
  std::string text;
  for (const std::string& hash : sha256) text += hash + "\n";
  return sha256_hex(text + how + "\n" + evaluator);
}

}  // namespace clipnext::soup
