// safetensors, torch zip, TorchScript, legacy torch, npz and npy: the reader tells them apart.
#include "hostile/fuzz.h"
#include "weights/checkpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return clipnext::hostile::fuzz_one(data, size, [](std::span<const std::byte> bytes) {
    clipnext::weights::read_checkpoint(bytes, nullptr, "input");
  });
}
