// A model folder's tokenizer.json, which is only read from a folder.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "hostile/fuzz.h"
#include "text/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto folder = std::filesystem::temp_directory_path() /
                             ("clipnext_fuzz_tokenizer_" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  return clipnext::hostile::fuzz_one(data, size, [](std::span<const std::byte> bytes) {
    std::ofstream(folder / "tokenizer.json", std::ios::binary) << clipnext::hostile::as_text(bytes);
    clipnext::text::Tokenizer::from_folder(folder);
  });
}
