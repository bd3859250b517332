// How many f32 multiply-adds one core can do when nothing else is asked of it.
#pragma once

#include <cstdint>
#include <string_view>

namespace clipnext::bench {

/// Runs `rounds` of register-only fused multiply-adds with the widest vectors of that instruction
/// set and returns how many floating-point operations that was; 0 for one it does not know.
double run_fma(std::string_view isa, int64_t rounds);

}  // namespace clipnext::bench
