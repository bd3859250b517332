// What this processor and its operating system can run.
#pragma once

namespace clipnext::kernels {

/// Groups of x86-64 features, each as the table of that name needs them. A bit counts only where
/// the operating system saves the registers too (XGETBV).
struct Cpu {
  bool avx2 = false;         // AVX2, FMA, F16C
  bool avx512 = false;       // avx2 and AVX-512 F, BW, DQ, VL
  bool avx_vnni = false;     // with avx2
  bool avx512_vnni = false;  // with avx512
  bool avx512_bf16 = false;  // with avx512_vnni
  bool amx_bf16 = false;     // AMX tiles, avx512 and avx512_bf16 with them
  bool amx_int8 = false;     // AMX tiles and avx512
};

/// Asks CPUID.
Cpu detect_cpu() noexcept;

/// Asks Linux for AMX's tiles, for this process and its threads; false if it refuses. Call only
/// where the processor has them.
bool request_amx() noexcept;

}  // namespace clipnext::kernels
