#include "data/file_range.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace clipnext::data {
namespace {

struct Descriptor {
  explicit Descriptor(const std::filesystem::path& path)
      : fd(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    require(fd >= 0, path.string(), ": ", std::strerror(errno));
  }
  ~Descriptor() { close(fd); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int fd;
};

}  // namespace

std::string read_range(const FileRange& range) {
  const Descriptor file(*range.file);
  std::string bytes(static_cast<size_t>(range.size), '\0');
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t count = pread(file.fd, bytes.data() + done, bytes.size() - done,
                                static_cast<off_t>(range.offset) + static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    require(count >= 0, range.file->string(), ": ", std::strerror(errno));
    require(count > 0, range.file->string(), " is cut short: ", range.size, " bytes from ",
            range.offset, " on are needed, it ends after ", done, " of them");
    done += static_cast<size_t>(count);
  }
  return bytes;
}

}  // namespace clipnext::data
