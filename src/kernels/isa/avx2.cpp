// The avx2 table.
#include "kernels/isa/tables.h"
#include "kernels/ops/install.h"

namespace clipnext::kernels::avx2 {

void install(Kernels& k) noexcept {
  k.isa = "avx2";
  install_ops(k);
}

}  // namespace clipnext::kernels::avx2
