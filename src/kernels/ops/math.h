// exp, GELU and QuickGELU of vectors. Polynomials: minimax fits by Lawson's iteration, weighted
// with what an error costs in the result.
#pragma once

#include "kernels/kernels.h"
#include "kernels/simd.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {

/// 2^f for |f| <= 1/2, within 2e-9 before rounding.
static inline f32v exp2_fraction(f32v f) {
  f32v g = set(0.000154763002F);
  g = fma(g, f, set(0.00134002697F));
  g = fma(g, f, set(0.00961800389F));
  g = fma(g, f, set(0.0555032779F));
  g = fma(g, f, set(0.240226513F));
  g = fma(g, f, set(0.693147206F));
  return fma(g, f, set(1));
}

/// e^x within 1 ulp or so for x in [-87, 88], held there outside; NaN stays.
static inline f32v exp(f32v x) {
  x = min(set(88), max(set(-87), x));
  const f32v n = round(mul(x, set(1.44269502F)));
  f32v f = fma(x, set(1.44269502F), sub(zero(), n));
  f = fma(x, set(1.92596303e-8F), f);  // log2(e) less its first 24 bits
  return scale2(exp2_fraction(f), n);
}

/// z Φ(z) = max(z, 0) - t/2 erfc(t / √2), t = |z|, with the erfc as 2^(t s(t)), which needs neither
/// a division nor a case for the tail. Error below 1e-7 max(1, t); -inf gives (nearly) 0.
static inline f32v gelu(f32v z) {
  const f32v t = min(set(8), abs(z));  // erfc is below 2e-15 from there on
  f32v s = set(-1.62116283e-08F);
  s = fma(s, t, set(5.62404987e-07F));
  s = fma(s, t, set(-8.13602092e-06F));
  s = fma(s, t, set(6.21898716e-05F));
  s = fma(s, t, set(-0.000238286889F));
  s = fma(s, t, set(-7.09613584e-05F));
  s = fma(s, t, set(0.00701791844F));
  s = fma(s, t, set(-0.052480393F));
  s = fma(s, t, set(-0.459210481F));
  s = fma(s, t, set(-1.15110512F));
  const f32v y = mul(s, t);
  const f32v n = round(y);
  const f32v erfc = scale2(exp2_fraction(sub(y, n)), n);
  return fnma(mul(set(0.5F), t), erfc, max(zero(), z));
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
