// What avx2 speeds up.
#include "kernels/isa/tables.h"

namespace clipnext::kernels::avx2 {

void install(Kernels& k) noexcept { k.isa = "avx2"; }

}  // namespace clipnext::kernels::avx2
