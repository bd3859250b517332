// A webdataset shard. libarchive opens files, so the input is one, in memory.
#include <sys/mman.h>
#include <unistd.h>

#include "data/tar.h"
#include "hostile/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return clipnext::hostile::fuzz_one(data, size, [](std::span<const std::byte> bytes) {
    static const int file = memfd_create("input", MFD_CLOEXEC);
    if (ftruncate(file, 0) != 0) return;
    if (pwrite(file, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return;
    const std::string path = "/proc/self/fd/" + std::to_string(file);
    for (const auto& member : clipnext::data::index_tar(path, 16, 1 << 20)) {
      clipnext::data::read_part(member.part);
    }
    clipnext::data::index_samples(path);
  });
}
