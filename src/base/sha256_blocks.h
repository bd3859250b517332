// SHA-256 by the processor's own instructions, five times as fast as without.
#pragma once

#include <cstddef>
#include <cstdint>

namespace clipnext {

/// Takes `count` blocks of 64 bytes into a state of 8 words (base/sha.h). False, with nothing done,
/// on a processor without SHA extensions.
bool sha256_blocks(uint32_t* state, const void* blocks, size_t count);

/// The same on every processor.
void sha256_portable(uint32_t* state, const void* blocks, size_t count);

}  // namespace clipnext
