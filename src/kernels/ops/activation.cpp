// Activations on their own, where no product's epilogue can take them.
#include "kernels/ops/math.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {

namespace {

template <Act kAct>
void apply(const float* x, int64_t count, float* y) {
  for (int64_t i = 0; i < count; i += kLanes) {
    store_first(y + i, activate(load_first(x + i, count - i), kAct), count - i);
  }
}

}  // namespace

void activation(const float* x, int64_t count, Act act, float* y) noexcept {
  switch (act) {
    case Act::kNone:
      return apply<Act::kNone>(x, count, y);
    case Act::kGelu:
      return apply<Act::kGelu>(x, count, y);
    case Act::kQuickGelu:
      return apply<Act::kQuickGelu>(x, count, y);
    case Act::kRelu:
      return apply<Act::kRelu>(x, count, y);
  }
}

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE
