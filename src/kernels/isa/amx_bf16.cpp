// What the amx_bf16 table speeds up.
#include "kernels/isa/tables.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {

GemmBf16Fn gemm_bf16;
GemmBf16ToBf16Fn gemm_bf16_to_bf16;

void install(Kernels& k) noexcept {
  k.fast_bf16 = true;
  k.gemm_bf16 = gemm_bf16;
  k.gemm_bf16_to_bf16 = gemm_bf16_to_bf16;
}

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE
