// How many multiply-adds one core can do when nothing else is asked of it.
#pragma once

#include <cstdint>
#include <string_view>

namespace clipnext::bench {

/// Runs `rounds` of register-only multiply-adds with the widest vectors of that instruction set: of
/// f32 for avx2 and avx512, of what the name says for the other tables (bf16, 8 bits). Returns how
/// many operations that was, two a multiply-add; 0 for a name it does not know.
double run_fma(std::string_view isa, int64_t rounds);

}  // namespace clipnext::bench
