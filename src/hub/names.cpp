#include "hub/names.h"

#include <fnmatch.h>

#include <algorithm>

#include "base/error.h"

namespace clipnext::hub {
namespace {

constexpr size_t kLongestName = 96;
constexpr size_t kLongestPath = 1024;

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool is_repository_part(std::string_view part) {
  const auto allowed = [](char c) {
    return is_alphanumeric(c) || c == '-' || c == '_' || c == '.';
  };
  const auto edge = [](char c) { return c == '-' || c == '.'; };
  return !part.empty() && part.size() <= kLongestName &&
         std::all_of(part.begin(), part.end(), allowed) && !edge(part.front()) &&
         !edge(part.back()) && part.find("--") == std::string_view::npos &&
         part.find("..") == std::string_view::npos;
}

}  // namespace

std::string Repository::name() const {
  return std::string(kPrefix) + id + (revision == "main" ? "" : "@" + revision);
}

Repository parse_repository(std::string_view text) {
  const std::string given(text);
  if (text.starts_with(kPrefix)) text.remove_prefix(kPrefix.size());
  Repository repository;
  const size_t at = text.find('@');
  if (at != std::string_view::npos) {
    repository.revision = text.substr(at + 1);
    text = text.substr(0, at);
    require(is_safe_path(repository.revision), given, ": \"", repository.revision,
            "\" is no revision (a branch, tag or commit)");
  }
  while (text.ends_with('/')) text.remove_suffix(1);  // as in open_clip's table of weights
  const size_t slash = text.find('/');
  const bool parts =
      slash == std::string_view::npos
          ? is_repository_part(text)
          : is_repository_part(text.substr(0, slash)) && is_repository_part(text.substr(slash + 1));
  require(parts && !text.ends_with(".git"), given,
          ": is no repository of the hub; those are like hf-hub:ORG/NAME or "
          "hf-hub:ORG/NAME@REVISION");
  repository.id = text;
  return repository;
}

bool is_safe_path(std::string_view name) {
  if (name.empty() || name.size() > kLongestPath || name.front() == '/') return false;
  for (size_t at = 0; at <= name.size();) {
    const size_t slash = std::min(name.find('/', at), name.size());
    const std::string_view part = name.substr(at, slash - at);
    if (part.empty() || part == "." || part == ".." || part.size() > 255) return false;
    at = slash + 1;
  }
  return std::all_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) >= ' ' && c != 127 && c != '\\';
  });
}

bool is_hex(std::string_view text, size_t digits) {
  return text.size() == digits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

bool is_commit(std::string_view text) { return is_hex(text, 40); }

std::string quote(std::string_view text, bool slashes) {
  constexpr const char* kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (is_alphanumeric(c) || c == '-' || c == '_' || c == '.' || c == '~' ||
        (slashes && c == '/')) {
      out += c;
    } else {
      out += {'%', kDigits[byte >> 4], kDigits[byte & 0xF]};
    }
  }
  return out;
}

std::string origin_of(std::string_view url) {
  const bool secure = url.starts_with("https://");
  if (!secure && !url.starts_with("http://")) return "";
  const size_t begin = url.find("://") + 3;
  std::string_view host = url.substr(begin, url.find_first_of("/?#", begin) - begin);
  const size_t user = host.rfind('@');
  if (user != std::string_view::npos) host.remove_prefix(user + 1);
  std::string origin(secure ? "https://" : "http://");
  for (const char c : host) origin += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  const size_t colon = host.rfind(':');
  const bool has_port = colon != std::string_view::npos && colon + 1 < host.size() &&
                        host.find_first_not_of("0123456789", colon + 1) == std::string_view::npos;
  if (!has_port) origin += secure ? ":443" : ":80";
  return origin;
}

bool matches(const std::string& name, const std::string& glob) {
  const std::string pattern = glob.ends_with('/') ? glob + "*" : glob;
  return fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
}

}  // namespace clipnext::hub
