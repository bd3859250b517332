// Reading over HTTP and HTTPS: small texts, and large files that may be cut off and go on. Proxies
// are taken from the environment (HTTPS_PROXY and its like), as curl takes them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace clipnext::net {

struct Answer;  // net/transfer.h

struct HttpOptions {
  /// "Name: value". A redirect to another host (or port) is not told Authorization.
  std::vector<std::string> headers = {};
  int tries = 5;              // in a row in which nothing arrives
  double first_wait_s = 0.5;  // before the second try; doubled each time
  double stall_s = 60;        // a transfer that stands still for so long has failed
  /// What a status means to this server's users, for messages; empty: no more than its number.
  std::function<std::string(const Answer&)> explain = {};
  /// Asked often, from whichever thread transfers; true ends it with nothing said.
  std::function<bool()> stop = {};
};

/// Whether `text` begins with http:// or https://.
bool is_url(std::string_view text);

/// The body of a page; nothing if the server says that there is none (404). Any other failure is
/// tried again (if the server may answer otherwise next time; it may also say when, by
/// Retry-After), then Error naming the URL and the last failure; so is a body above `max_bytes`,
/// which is not tried again. Throws Interrupted if the user asks to stop.
std::optional<std::string> fetch_text(const std::string& url, const HttpOptions& options = {},
                                      int64_t max_bytes = int64_t{1} << 26);

/// Hears of bytes that are there and of all that will be (0 if the server does not say). One call
/// at a time, though from several threads.
using Progress = std::function<void(int64_t done, int64_t total)>;

/// How a file is downloaded.
struct DownloadOptions {
  /// Parts of the file that are loaded at once, where it is large and its server sends parts.
  int connections = 1;
  int64_t least_range = int64_t{8} << 20;  // bytes; smaller files are not divided further
  int64_t size = -1;                       // what it must have, if known
  int64_t max_bytes = int64_t{1} << 36;
  std::filesystem::path part = {};  // where it lies until it is whole; empty: PATH.part
  /// Called with the path of the whole file, just before it gets its name; if it throws, the file
  /// is removed.
  std::function<void(const std::filesystem::path&)> check = {};
};

/// Makes `path` the file of that URL; one that is there already is left alone. What has arrived
/// lies in PATH.part, and where it came from in PATH.part.json, so that the next try, also of a
/// later process, asks for the rest only (RFC 9110, sections 13.1.5 and 14.2). Where the server
/// cannot promise that its file is still the same one, it begins again. Several processes may ask
/// for one path; one of them loads. Throws Error naming the URL (404 too), and Interrupted.
void download(const std::string& url, const std::filesystem::path& path,
              const HttpOptions& options = {}, const Progress& progress = {},
              const DownloadOptions& how = {});

}  // namespace clipnext::net
