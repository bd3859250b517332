// exp, GELU and QuickGELU of vectors. Polynomials: minimax fits by Lawson's iteration, weighted
// with what an error costs in the result.
#pragma once

#include "kernels/kernels.h"
#include "kernels/simd.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {

/// Added to a float below 2^22 in size, leaves its nearest integer in the last bits.
constexpr float kRounder = 0x1.8p23F;

/// e^x within 1 ulp or so for x in [-87, 88], held there outside; NaN stays.
static inline f32v exp(f32v x) {
  x = min(set(88), max(set(-87), x));
  const f32v rounded = fma(x, set(1.44269502F), set(kRounder));
  const f32v n = sub(rounded, set(kRounder));
  f32v f = fma(x, set(1.44269502F), sub(zero(), n));
  f = fma(x, set(1.92596303e-8F), f);  // log2(e) less its first 24 bits
  f32v g = set(0.000154763002F);       // 2^f = 1 + f g within 2e-9
  g = fma(g, f, set(0.00134002697F));
  g = fma(g, f, set(0.00961800389F));
  g = fma(g, f, set(0.0555032779F));
  g = fma(g, f, set(0.240226513F));
  g = fma(g, f, set(0.693147206F));
  return mul(fma(g, f, set(1)), add_exponent(set(1), rounded));
}

/// z Φ(z) = max(z, 0) - t 2^(t s(t) - 1), t = |z|, where erfc(t / √2) = 2^(t s(t)): no division and
/// no case for the tail. Error below 1e-7 max(1, t); -inf gives (nearly) 0, NaN stays.
static inline f32v gelu(f32v z) {
  const f32v t = min(set(8), abs(z));  // erfc is below 2e-15 from there on
  f32v s = set(9.96542414e-08F);
  s = fma(s, t, set(-2.83864548e-06F));
  s = fma(s, t, set(3.08424281e-05F));
  s = fma(s, t, set(-0.000134490553F));
  s = fma(s, t, set(-0.000267429033F));
  s = fma(s, t, set(0.00722692081F));
  s = fma(s, t, set(-0.0525979013F));
  s = fma(s, t, set(-0.459180097F));
  s = fma(s, t, set(-1.15110767F));
  const f32v y = fma(s, t, set(-1));
  const f32v rounded = add(y, set(kRounder));
  const f32v f = sub(y, sub(rounded, set(kRounder)));
  f32v g = set(0.0013407259F);  // 2^f = 1 + f g within 1e-7, 0 at f = 0
  g = fma(g, f, set(0.00967187507F));
  g = fma(g, f, set(0.0555030836F));
  g = fma(g, f, set(0.240222346F));
  g = fma(g, f, set(0.693147215F));
  const f32v half_erfc = add_exponent(fma(g, f, set(1)), rounded);
  return fnma(t, half_erfc, max(zero(), z));
}

/// z / (1 + e^(-1.702 z)); -inf gives (nearly) 0.
static inline f32v quick_gelu(f32v z) {
  z = max(set(-51), z);  // e^87 is the largest that exp gives
  return div(z, add(set(1), exp(mul(set(-1.702F), z))));
}

static inline f32v relu(f32v z) { return max(zero(), z); }

static inline f32v activate(f32v z, Act act) {
  switch (act) {
    case Act::kNone:
      return z;
    case Act::kGelu:
      return gelu(z);
    case Act::kQuickGelu:
      return quick_gelu(z);
    case Act::kRelu:
      return relu(z);
  }
  return z;
}

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE
