// A pickle without the archive around it, whose checksum would stop most mutants.
#include "hostile/fuzz.h"
#include "weights/pickle.h"
#include "weights/torch_tensor.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return clipnext::hostile::fuzz_one(data, size, [](std::span<const std::byte> bytes) {
    clipnext::weights::read_pickle(bytes, clipnext::weights::is_torch_global, "input");
  });
}
