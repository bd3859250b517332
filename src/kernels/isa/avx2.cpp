// What the avx2 table speeds up.
#include "kernels/isa/tables.h"
#include "kernels/ops/tile.h"

namespace clipnext::kernels::avx2 {

PackF32Fn pack_f32;  // each from the file of ops/ that has its name
GemmF32Fn gemm_f32;
LayerNormFn layer_norm;
DepthwiseConv7Fn depthwise_conv7;
AttentionFn attention;
AttentionScratchFn attention_scratch;
ActivationFn activation;
MeanRowsFn mean_rows;

void install(Kernels& k) noexcept {
  k.isa = "avx2";
  k.gemm_panel = kTileColumns;
  k.pack_f32 = pack_f32;
  k.gemm_f32 = gemm_f32;
  k.layer_norm = layer_norm;
  k.depthwise_conv7 = depthwise_conv7;
  k.attention = attention;
  k.attention_scratch = attention_scratch;
  k.activation = activation;
  k.mean_rows = mean_rows;
}

}  // namespace clipnext::kernels::avx2
