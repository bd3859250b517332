// The avx2 table.
#include "kernels/isa/tables.h"
#include "kernels/ops/install.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {

void install(Kernels& k) noexcept { install_ops(k); }

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE
