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

void gelu_grad(const float* z, const float* g, int64_t count, float* y, float* dz) noexcept {
  for (int64_t i = 0; i < count; i += kLanes) {
    const int64_t left = count - i;
    const f32v v = load_first(z + i, left);
    const f32v t = min(set(kErfcEnd), abs(v));
    const f32v tail = half_erfc(t);  // Φ(-t)
    const f32v phi = select(negative(v), tail, sub(set(1), tail));
    const f32v density = mul(set(0.398942280F), exp(mul(set(-0.5F), mul(t, t))));
    const f32v clamped = min(set(kErfcEnd), max(set(-kErfcEnd), v));
    const f32v slope = fma(clamped, density, phi);
    store_first(dz + i, mul(load_first(g + i, left), slope), left);
    store_first(y + i, fnma(t, tail, max(zero(), v)), left);
  }
}

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE
