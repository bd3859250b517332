// The avx512 table.
#include "kernels/isa/tables.h"
#include "kernels/ops/install.h"

namespace clipnext::kernels::avx512 {

void install(Kernels& k) noexcept {
  k.isa = "avx512";
  install_ops(k);
}

}  // namespace clipnext::kernels::avx512
