// How many operations a core can do when nothing else is asked of it: loops that touch registers
// only, one for each instruction that products are made of.
#pragma once

#include <cstdint>
#include <span>

namespace clipnext::bench {

/// One such loop.
struct CeilingLoop {
  const char* dtype;        // what it multiplies: "fp32", "bf16", "int8"
  const char* instruction;  // "vfmadd (512 bits)"
  const char* isa;          // the table of kernels (kernels.h) that brings it
  void (*run)(int64_t rounds);
  double operations;  // of one round; a multiply-add is two
};

/// Every loop there is; call `run` only where kernels::available() has its table.
std::span<const CeilingLoop> ceiling_loops();

}  // namespace clipnext::bench
