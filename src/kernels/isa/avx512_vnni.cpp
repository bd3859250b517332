// What the avx512_vnni table speeds up.
#include "kernels/isa/tables.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {

GemmU8S8Fn gemm_u8s8;
GemmU8S8ToBf16Fn gemm_u8s8_to_bf16;

void install(Kernels& k) noexcept {
  k.u8_levels = 255;
  k.gemm_u8s8 = gemm_u8s8;
  k.gemm_u8s8_to_bf16 = gemm_u8s8_to_bf16;
}

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE
