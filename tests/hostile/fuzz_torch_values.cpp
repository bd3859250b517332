// Files of torch.save, zip and legacy, as values: with checksums, which mutants rarely pass, and
// without.
#include "hostile/fuzz.h"
#include "weights/torch_value.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return clipnext::hostile::fuzz_one(data, size, [](std::span<const std::byte> bytes) {
    const bool verify = !bytes.empty() && (bytes.back() & std::byte{1}) != std::byte{0};
    clipnext::weights::read_torch_values(bytes, nullptr, "input", verify);
  });
}
