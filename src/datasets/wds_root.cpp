#include "datasets/wds_root.h"

#include <string_view>
#include <system_error>

#include "base/content_hash.h"
#include "base/error.h"
#include "base/file.h"
#include "hub/settings.h"
#include "net/http.h"

namespace clipnext::datasets {
namespace {

namespace fs = std::filesystem;

/// A folder name that tells what is in it, and is another one for every URL.
std::string folder_name(std::string_view url) {
  constexpr size_t kMostCharacters = 100;
  std::string name;
  for (const char c : url.substr(url.find("://") + 3)) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                       c == '-' || c == '.';
    name += plain ? c : '_';
  }
  if (name.size() > kMostCharacters) name = name.substr(name.size() - kMostCharacters);
  return name + "-" + hash_text(url).hex().substr(0, 16);
}

}  // namespace

RemoteBases remote_bases(const std::string& url) {
  std::string base = url;
  while (base.ends_with('/')) base.pop_back();
  const std::string prefix = std::string(hub::kHub) + "/datasets/";
  if (!base.starts_with(prefix)) return {.texts = base, .shards = base};
  const std::string_view rest = std::string_view(base).substr(prefix.size());
  const size_t user = rest.find('/');
  const size_t repo = user == std::string_view::npos ? user : rest.find('/', user + 1);
  const bool tree = repo != std::string_view::npos && rest.substr(repo).starts_with("/tree/");
  require(tree && user > 0 && repo > user + 1 && rest.size() > repo + 6, url,
          ": is no address of "
          "a data set's files; those are like ",
          prefix, "USER/REPO/tree/main");
  const std::string repository = hub::endpoint() + "/datasets/" + std::string(rest.substr(0, repo));
  const std::string branch(rest.substr(repo + 6));
  return {.texts = repository + "/raw/" + branch, .shards = repository + "/resolve/" + branch};
}

WdsRoot::WdsRoot(const Request& request) : request_(request) {
  std::error_code ignored;
  if (!net::is_url(request.root)) {
    require(fs::is_directory(request.root, ignored), request.root, ": there is no such folder");
    return;
  }
  remote_ = remote_bases(request.root);
  require(!request.cache.empty(), request.root,
          ": shards from the web need a folder to be kept in (--wds_cache_dir)");
  cache_ = request.cache / "wds" / folder_name(remote_->shards);
}

std::string WdsRoot::where(const std::string& name) const {
  return remote_ ? remote_->texts + "/" + name : (fs::path(request_.root) / name).string();
}

std::optional<std::string> WdsRoot::text(const std::string& name, int64_t max_bytes) const {
  if (remote_) return net::fetch_text(where(name), {}, max_bytes);
  std::error_code ignored;
  const fs::path path = fs::path(request_.root) / name;
  if (!fs::exists(path, ignored)) return std::nullopt;
  return read_file(path, max_bytes);
}

fs::path WdsRoot::shard(const std::string& name) const {
  if (remote_) {
    const net::Progress progress = [&](int64_t done, int64_t total) {
      if (request_.progress) request_.progress(name, done, total);
    };
    net::download(remote_->shards + "/" + name, cache_ / name, {}, progress);
    return cache_ / name;
  }
  fs::path path = fs::path(request_.root) / name;
  std::error_code ignored;
  require(fs::exists(path, ignored), path.string(), ": there is no such shard");
  return path;
}

}  // namespace clipnext::datasets
