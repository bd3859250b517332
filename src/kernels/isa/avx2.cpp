// What the avx2 table speeds up.
#include "kernels/isa/tables.h"
#include "kernels/ops/tile.h"

namespace clipnext::kernels::avx2 {

PackF32Fn pack_f32;  // each from the file of ops/ that has its name
GemmF32Fn gemm_f32;
LayerNormFn layer_norm;
ActivationFn activation;
MeanRowsFn mean_rows;

void install(Kernels& k) noexcept {
  k.isa = "avx2";
  k.gemm_panel = kTileColumns;
  k.pack_f32 = pack_f32;
  k.gemm_f32 = gemm_f32;
  k.layer_norm = layer_norm;
  k.activation = activation;
  k.mean_rows = mean_rows;
}

}  // namespace clipnext::kernels::avx2
