// What the avx512_bf16 table speeds up.
#include "kernels/isa/tables.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {

ToBf16Fn to_bf16;
PackBf16Fn pack_bf16;
LayerNormBf16Fn layer_norm_bf16;
GemmBf16Fn gemm_bf16;
GemmBf16ToBf16Fn gemm_bf16_to_bf16;
GemmU8S8ToBf16Fn gemm_u8s8_to_bf16;

void install(Kernels& k) noexcept {
  k.to_bf16 = to_bf16;
  k.pack_bf16 = pack_bf16;
  k.layer_norm_bf16 = layer_norm_bf16;
  k.gemm_bf16 = gemm_bf16;
  k.gemm_bf16_to_bf16 = gemm_bf16_to_bf16;
  k.gemm_u8s8_to_bf16 = gemm_u8s8_to_bf16;
}

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE
