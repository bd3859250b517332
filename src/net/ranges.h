// A large file in several parts at once.
#pragma once

#include <string>
#include <string_view>

#include "net/http.h"
#include "net/partial_file.h"
#include "net/transfer.h"

namespace clipnext::net {

/// "bytes 100-199/1234", "bytes */1234" or "bytes 100-199/*"; -1 for what is not there.
struct ContentRange {
  int64_t first = -1;
  int64_t total = -1;
};
ContentRange parse_content_range(std::string_view text);

/// What tells this file from a later one under the same URL, an entity tag; empty if nothing does.
std::string validator(const Answer& answer);

/// Divides `file`, of which nothing has arrived, if its server sends parts, says by a tag which
/// file they are of, and there are enough bytes.
void divide_if_large(const std::string& url, const HttpOptions& options, const DownloadOptions& how,
                     PartialFile& file);

/// Loads what is missing of a divided file. False if the server has another file now.
bool load_ranges(const std::string& url, const HttpOptions& options, const Progress& progress,
                 int connections, PartialFile& file);

}  // namespace clipnext::net
