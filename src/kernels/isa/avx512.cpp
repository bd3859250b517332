// What avx512 speeds up.
#include "kernels/isa/tables.h"

namespace clipnext::kernels::avx512 {

void install(Kernels& k) noexcept { k.isa = "avx512"; }

}  // namespace clipnext::kernels::avx512
