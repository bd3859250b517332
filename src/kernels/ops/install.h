// What every vector table takes from ops/, the sources compiled once for each vector width.
#pragma once

#include "kernels/kernels.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {

PackF32Fn pack_f32;  // each in the file of ops/ that has its name
GemmF32Fn gemm_f32;
ToBf16Fn to_bf16;
QuantizeFn quantize;
QuantizeBf16Fn quantize_bf16;
PackBf16Fn pack_bf16;
PackS8Fn pack_s8;
LayerNormBf16Fn layer_norm_bf16;
LayerNormU8Fn layer_norm_u8;
GemmBf16Fn gemm_bf16;
GemmBf16ToBf16Fn gemm_bf16_to_bf16;
GemmU8S8Fn gemm_u8s8;
GemmU8S8ToBf16Fn gemm_u8s8_to_bf16;
LayerNormFn layer_norm;
DepthwiseConv7Fn depthwise_conv7;
DepthwiseConv7GradFn depthwise_conv7_grad;
AttentionFn attention;
AttentionScratchFn attention_scratch;
ActivationFn activation;
GeluGradFn gelu_grad;
MeanRowsFn mean_rows;
ResampleRowsFn resample_rows;
ResampleColumnsFn resample_columns;

static inline void install_ops(Kernels& k) noexcept {
  k.pack_f32 = pack_f32;
  k.gemm_f32 = gemm_f32;
  k.u8_levels = kFewestU8Levels;
  k.to_bf16 = to_bf16;
  k.quantize = quantize;
  k.quantize_bf16 = quantize_bf16;
  k.pack_bf16 = pack_bf16;
  k.pack_s8 = pack_s8;
  k.layer_norm_bf16 = layer_norm_bf16;
  k.layer_norm_u8 = layer_norm_u8;
  k.gemm_bf16 = gemm_bf16;
  k.gemm_bf16_to_bf16 = gemm_bf16_to_bf16;
  k.gemm_u8s8 = gemm_u8s8;
  k.gemm_u8s8_to_bf16 = gemm_u8s8_to_bf16;
  k.layer_norm = layer_norm;
  k.depthwise_conv7 = depthwise_conv7;
  k.depthwise_conv7_grad = depthwise_conv7_grad;
  k.attention = attention;
  k.attention_scratch = attention_scratch;
  k.activation = activation;
  k.gelu_grad = gelu_grad;
  k.mean_rows = mean_rows;
  k.resample_rows = resample_rows;
  k.resample_columns = resample_columns;
}

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE
