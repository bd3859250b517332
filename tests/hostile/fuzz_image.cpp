// Every image format: the decoder tells them apart.
#include "hostile/fuzz.h"
#include "image/decode.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return clipnext::hostile::fuzz_one(data, size, [](std::span<const std::byte> bytes) {
    clipnext::image::decode(clipnext::hostile::as_u8(bytes), "input", {.max_pixels = 1 << 20});
  });
}
