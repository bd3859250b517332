// What this processor and its operating system can run.
#pragma once

namespace clipnext::kernels {

/// Groups of x86-64 features, each as the table of that name needs them. A bit counts only where
/// the operating system saves the registers too (XGETBV).
struct Cpu {
  bool avx2 = false;    // AVX2, FMA, F16C
  bool avx512 = false;  // avx2 and AVX-512 F, BW, DQ, VL
};

/// Asks CPUID.
Cpu detect_cpu() noexcept;

}  // namespace clipnext::kernels
