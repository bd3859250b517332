// For tests only: a hub on this machine, with a server of another address for large files.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/json.h"
#include "base/sha.h"
#include "hub/names.h"
#include "net/test_server.h"

namespace clipnext::hub {

inline std::string git_hash(const std::string& content) {
  Sha1 hash;
  hash.add("blob " + std::to_string(content.size()) + std::string(1, '\0'));
  hash.add(content);
  return hash.hex();
}

/// The repository org/model at one commit, which is also its branch main. Large files (lfs) lie on
/// the other server, as the hub's do.
class TestHub {
 public:
  using Hook = std::function<std::optional<net::TestAnswer>(const net::TestRequest&)>;

  struct File {
    std::string content;
    bool lfs = false;

    std::string etag() const { return lfs ? sha256_hex(content) : git_hash(content); }
  };

  static constexpr const char* kCommit = "0123456789abcdef0123456789abcdef01234567";

  explicit TestHub(std::map<std::string, File> repository)
      : files(std::move(repository)),
        cdn([this](const net::TestRequest& request) { return answer_cdn(request); }, true),
        server([this](const net::TestRequest& request) { return answer(request); }, true) {}

  std::string url(const std::string& path = "") const { return server.url(path); }
  /// Bytes of bodies, less what the API says.
  int64_t bytes_served() const { return cdn.bytes_served() + server.bytes_served() - api_bytes_; }

  std::map<std::string, File> files;
  std::string token;             // asked for, if not empty
  Hook hook;                     // answers instead of the hub
  Hook cdn_hook;                 // and instead of the other server
  int64_t bytes_per_second = 0;  // of the other server

 private:
  std::string listing() const {
    Json siblings = Json::array();
    for (const auto& [name, file] : files) {
      siblings.push_back({{"rfilename", name}, {"size", file.content.size()}});
    }
    return Json{{"id", "org/model"}, {"sha", kCommit}, {"siblings", siblings}}.dump();
  }

  static net::TestAnswer missing(const std::string& code) {
    return {.status = 404,
            .headers = {"X-Error-Code: " + code, std::string("X-Repo-Commit: ") + kCommit},
            .body = "Not found"};
  }

  net::TestAnswer answer(const net::TestRequest& request) {
    if (hook) {
      if (auto answer = hook(request)) return *answer;
    }
    const auto given = request.headers.find("authorization");
    if (!token.empty() && (given == request.headers.end() || given->second != "Bearer " + token)) {
      return {.status = 401, .headers = {"X-Error-Code: GatedRepo"}};
    }
    const std::string path = request.path.substr(0, request.path.find('?'));
    const std::string api = "/api/models/org/model/revision/";
    if (path.starts_with(api)) {
      const std::string revision = path.substr(api.size());
      if (revision != "main" && revision != kCommit) return missing("RevisionNotFound");
      net::TestAnswer reply{.body = listing()};
      api_bytes_ += static_cast<int64_t>(reply.body.size());
      return reply;
    }
    for (const char* revision : {"main", kCommit}) {
      const std::string prefix = "/org/model/resolve/" + std::string(revision) + "/";
      if (path.starts_with(prefix)) return resolve(request, path.substr(prefix.size()));
    }
    return missing("RepoNotFound");
  }

  /// The file of that name, percent-encoded.
  std::map<std::string, File>::const_iterator find(const std::string& quoted) const {
    return std::find_if(files.begin(), files.end(),
                        [&](const auto& file) { return quote(file.first, true) == quoted; });
  }

  net::TestAnswer resolve(const net::TestRequest& request, const std::string& quoted) {
    const auto found = find(quoted);
    if (found == files.end()) return missing("EntryNotFound");
    const auto& [name, file] = *found;
    net::TestAnswer answer;
    if (file.lfs) {
      answer.status = 302;
      answer.headers = {"Location: " + cdn.url("/" + quote(name, true) + "?signature=1"),
                        "X-Linked-Etag: \"" + file.etag() + "\"",
                        "X-Linked-Size: " + std::to_string(file.content.size())};
    } else {
      answer = net::serve_file(request, file.content, "\"" + file.etag() + "\"");
    }
    answer.headers.push_back(std::string("X-Repo-Commit: ") + kCommit);
    return answer;
  }

  net::TestAnswer answer_cdn(const net::TestRequest& request) {
    if (cdn_hook) {
      if (auto answer = cdn_hook(request)) return *answer;
    }
    const auto found = find(request.path.substr(1, request.path.find('?') - 1));
    if (found == files.end()) return {.status = 403};
    const std::string& content = found->second.content;
    net::TestAnswer answer =
        net::serve_file(request, content, "\"cdn-" + sha256_hex(content).substr(0, 8) + "\"");
    answer.bytes_per_second = bytes_per_second;
    return answer;
  }

  std::atomic<int64_t> api_bytes_{0};

 public:
  net::TestServer cdn;
  net::TestServer server;
};

}  // namespace clipnext::hub
