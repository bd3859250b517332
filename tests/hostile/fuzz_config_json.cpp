// A model's configuration.
#include "hostile/fuzz.h"
#include "model/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return clipnext::hostile::fuzz_one(data, size, [](std::span<const std::byte> bytes) {
    const auto json = clipnext::parse_json(clipnext::hostile::as_text(bytes), "input");
    clipnext::model::parse_model_config(json, "input", "input");
  });
}
