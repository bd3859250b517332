// Where the bytes of a shard come from: a file, standard input, or what a command prints.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "data/stop.h"

namespace clipnext::data {

class ByteStream {
 public:
  virtual ~ByteStream() = default;
  /// Up to out.size() bytes, at least one; 0 at the end. Throws Error if reading fails or, at the
  /// end, if the command did; Interrupted if the user asks to stop or the flag given to open_shard
  /// is set, also while no bytes come. Messages do not name the shard.
  virtual size_t read(std::span<char> out) = 0;
  /// Says that no more will be read. Throws Error as the end of read().
  virtual void finish() = 0;
};

/// Opens a shard by its URL:
///   PATH, file:PATH         a local file
///   -                       standard input, once in a process
///   pipe:COMMAND            what /bin/sh -c COMMAND prints; exit status 0 and 141 (it wrote to a
///                           closed pipe) are fine, any other is an Error once all it printed is
///                           read
///   http: https: ftps: sftp: scp:   through the program curl (23 is fine too), gs: through gsutil
/// A stream destroyed early kills its command, and what that started in its process group, and
/// waits for it. Commands read nothing from standard input. `stop` must outlive the reading. Throws
/// Error, without the shard's name.
std::unique_ptr<ByteStream> open_shard(const std::string& url, StopFlag stop = nullptr);

}  // namespace clipnext::data
