// A webdataset shard as training reads it, in order. Shards are opened by name, so the input is
// one, in memory.
#include <sys/mman.h>
#include <unistd.h>

#include "data/shard_reader.h"
#include "hostile/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace cn = clipnext::data;
  return clipnext::hostile::fuzz_one(data, size, [](std::span<const std::byte> bytes) {
    static const int file = memfd_create("input", MFD_CLOEXEC);
    if (ftruncate(file, 0) != 0) return;
    if (pwrite(file, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return;
    cn::MemberKeys keys;
    keys.max_member_bytes = 1 << 20;
    keys.json = {.fields = {"a", "b"}, .weights = {1, 2}};
    const cn::OnFault ignore = [](const std::string&, const std::string&) {};
    cn::ShardReader reader("/proc/self/fd/" + std::to_string(file), keys,
                           cn::RepeatedPart::kNextSample, 1, ignore);
    while (reader.next()) {
    }
  });
}
