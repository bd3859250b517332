#include "hub/settings.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/text_lines.h"

namespace clipnext::hub {
namespace {

namespace fs = std::filesystem;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool is_on(const char* name) {
  std::string value = variable(name);
  for (char& c : value) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return value == "1" || value == "ON" || value == "YES" || value == "TRUE";
}

fs::path home() {
  const std::string folder = variable("HOME");
  require(!folder.empty(), "no folder to keep models in: set HF_HOME (or HOME)");
  return folder;
}

// "~/x" is written in variables where no shell expands it.
fs::path expand(const std::string& path) {
  if (path == "~") return home();
  return path.starts_with("~/") ? home() / path.substr(2) : fs::path(path);
}

fs::path hub_home() {
  const std::string given = variable("HF_HOME");
  if (!given.empty()) return expand(given);
  const std::string caches = variable("XDG_CACHE_HOME");
  return (caches.empty() ? home() / ".cache" : expand(caches)) / "huggingface";
}

fs::path cache_folder() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    const std::string given = variable(name);
    if (!given.empty()) return expand(given);
  }
  return hub_home() / "hub";
}

std::string checked_token(std::string_view text, const std::string& source) {
  std::string token(trim(text));
  const bool plain =
      std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 127; });
  require(plain, source, ": is no token: it has spaces or characters that tokens do not have");
  return token;
}

std::string read_token() {
  for (const char* name : {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}) {
    std::string token = checked_token(variable(name), name);
    if (!token.empty()) return token;
  }
  const std::string given = variable("HF_TOKEN_PATH");
  const bool knows_home = !variable("HF_HOME").empty() || !variable("XDG_CACHE_HOME").empty() ||
                          !variable("HOME").empty();
  if (given.empty() && !knows_home) return "";
  const fs::path file = given.empty() ? hub_home() / "token" : expand(given);
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return "";
  return checked_token(read_file(file, 1 << 16), file.string());
}

}  // namespace

std::string endpoint() {
  std::string address = variable("HF_ENDPOINT");
  if (address.empty()) address = kHub;
  while (address.ends_with('/')) address.pop_back();
  return address;
}

Settings read_settings() {
  return {.endpoint = endpoint(),
          .cache = cache_folder(),
          .token = is_on("HF_HUB_DISABLE_IMPLICIT_TOKEN") ? "" : read_token(),
          .offline = is_on("HF_HUB_OFFLINE") || is_on("TRANSFORMERS_OFFLINE")};
}

}  // namespace clipnext::hub
