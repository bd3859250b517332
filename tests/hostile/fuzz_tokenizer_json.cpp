// A model folder's tokenizer.json, which is only read from a folder.

#include <filesystem>
#include <fstream>

#include "base/test_folder.h"
#include "hostile/fuzz.h"
#include "text/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const clipnext::TestFolder folder;
  return clipnext::hostile::fuzz_one(data, size, [](std::span<const std::byte> bytes) {
    std::ofstream(folder / "tokenizer.json", std::ios::binary) << clipnext::hostile::as_text(bytes);
    clipnext::text::Tokenizer::from_folder(folder.path());
  });
}
