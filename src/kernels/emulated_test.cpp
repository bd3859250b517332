// Tables of kernels for processors that this one is not, over emulated instructions.
#include <vector>

#include "kernels/cpu.h"
#include "kernels/testing.h"

namespace clipnext::kernels {

#define CLIPNEXT_EMULATED_AMX(name)          \
  namespace name {                           \
  GemmBf16Fn gemm_bf16;                      \
  GemmBf16ToBf16Fn gemm_bf16_to_bf16;        \
  GemmU8S8Fn gemm_u8s8;                      \
  GemmU8S8ToBf16Fn gemm_u8s8_to_bf16;        \
  static void install(Kernels& k) {          \
    k.isa = #name;                           \
    k.u8_levels = 255;                       \
    k.gemm_bf16 = gemm_bf16;                 \
    k.gemm_bf16_to_bf16 = gemm_bf16_to_bf16; \
    k.gemm_u8s8 = gemm_u8s8;                 \
    k.gemm_u8s8_to_bf16 = gemm_u8s8_to_bf16; \
  }                                          \
  }
CLIPNEXT_EMULATED_AMX(amx_emulated_avx2)
CLIPNEXT_EMULATED_AMX(amx_emulated_avx512)

const std::vector<Kernels>& all_tables() {
  static const std::vector<Kernels> tables = [] {
    std::vector<Kernels> all(available().begin(), available().end());
    const auto emulate = [&all](bool supported, const char* base, void (*install)(Kernels&)) {
      if (!supported) return;
      Kernels table = choose(base);
      install(table);
      all.push_back(table);
    };
    const Cpu cpu = detect_cpu();
    emulate(cpu.avx2, "avx2", amx_emulated_avx2::install);
    emulate(cpu.avx512, "avx512", amx_emulated_avx512::install);
    return all;
  }();
  return tables;
}

}  // namespace clipnext::kernels
