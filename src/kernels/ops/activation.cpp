// Activations on their own, where no product's epilogue can take them.
#include "kernels/ops/math.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {

void activation(const float* x, int64_t count, Act act, float* y) noexcept {
  for (int64_t i = 0; i < count; i += kLanes) {
    store_first(y + i, activate(load_first(x + i, count - i), act), count - i);
  }
}

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE
