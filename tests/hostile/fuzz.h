// What a fuzz target is: a parser that may refuse its input with Error, and do nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/error.h"
#include "hostile/views.h"

namespace clipnext::hostile {

/// Runs parse(span<const std::byte>); everything but a return or an Error ends the program, which
/// is how libFuzzer learns of it.
template <class Parse>
int fuzz_one(const uint8_t* data, size_t size, const Parse& parse) noexcept {
  try {
    parse(std::as_bytes(std::span(data, size)));
  } catch (const Error&) {  // a clear refusal is a right answer
  }
  return 0;
}

}  // namespace clipnext::hostile
