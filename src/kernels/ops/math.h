// exp, GELU and QuickGELU of vectors. Polynomials: minimax fits by Lawson's iteration, weighted
// with what an error costs in the result.
#pragma once

#include "kernels/kernels.h"
#include "kernels/simd.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {

/// Added to a float below 2^22 in size, leaves its nearest integer in the last bits.
constexpr float kRounder = 0x1.8p23F;

/// Two terms of a polynomial. Terms are paired (Estrin) rather than nested: the chain of dependent
/// operations is what an activation waits for.
static inline f32v linear(f32v x, float slope, float constant) {
  return fma(x, set(slope), set(constant));
}

/// e^x within 1 ulp or so for x in [-87, 88], held there outside; NaN stays.
static inline f32v exp(f32v x) {
  x = min(set(88), max(set(-87), x));
  const f32v rounded = fma(x, set(1.44269502F), set(kRounder));
  const f32v n = sub(rounded, set(kRounder));
  f32v f = fma(x, set(1.44269502F), sub(zero(), n));
  f = fma(x, set(1.92596303e-8F), f);  // log2(e) less its first 24 bits
  const f32v f2 = mul(f, f);           // 2^f = 1 + f g within 2e-9
  const f32v g4 = linear(f, 0.000154763002F, 0.00134002697F);
  const f32v g2 = fma(g4, f2, linear(f, 0.00961800389F, 0.0555032779F));
  const f32v g = fma(g2, f2, linear(f, 0.240226513F, 0.693147206F));
  return mul(fma(g, f, set(1)), add_exponent(set(1), rounded));
}

/// erfc(t / √2) / 2 = 2^(t s(t) - 1) for t in [0, 8]: no division and no case for the tail.
static inline f32v half_erfc(f32v t) {
  const f32v t2 = mul(t, t);
  const f32v t4 = mul(t2, t2);
  const f32v s4 = fma(linear(t, -2.83864548e-06F, 3.08424281e-05F), t2,
                      linear(t, -0.000134490553F, -0.000267429033F));
  const f32v s0 =
      fma(linear(t, 0.00722692081F, -0.0525979013F), t2, linear(t, -0.459180097F, -1.15110767F));
  const f32v s = fma(fma(set(9.96542414e-08F), t4, s4), t4, s0);
  const f32v y = fma(s, t, set(-1));
  const f32v rounded = add(y, set(kRounder));
  const f32v f = sub(y, sub(rounded, set(kRounder)));
  const f32v f2 = mul(f, f);  // 2^f = 1 + f g within 1e-7, 0 at f = 0
  const f32v g2 = fma(set(0.0013407259F), f2, linear(f, 0.00967187507F, 0.0555030836F));
  const f32v g = fma(g2, f2, linear(f, 0.240222346F, 0.693147215F));
  return add_exponent(fma(g, f, set(1)), rounded);
}

constexpr float kErfcEnd = 8;  // half_erfc is below 2e-15 from there on

/// z Φ(z) = max(z, 0) - t erfc(t / √2) / 2, t = |z|. Error below 1e-7 max(1, t); -inf gives
/// (nearly) 0, NaN stays.
static inline f32v gelu(f32v z) {
  const f32v t = min(set(kErfcEnd), abs(z));
  return fnma(t, half_erfc(t), max(zero(), z));
}

/// GELU for results in bf16, z (1/2 + z p(z^2)), held beyond 4.25. Error below 2^-9 max(|y|, 1/8);
/// -inf gives (nearly) 0, NaN stays.
static inline f32v gelu_bf16(f32v z) {
  z = max(set(-4.25F), z);
  const f32v x = min(set(4.25F), z);
  const f32v u = mul(x, x);
  const f32v u2 = mul(u, u);
  const f32v p6 = linear(u, -8.90478080e-10F, 7.86692596e-08F);
  const f32v p4 = linear(u, -3.01817362e-06F, 6.66209817e-05F);
  const f32v p2 = linear(u, -0.000948653382F, 0.00929035806F);
  const f32v p0 = linear(u, -0.0655137599F, 0.398457080F);
  const f32v p = fma(fma(fma(p6, u2, p4), u2, p2), u2, p0);
  return mul(z, fma(x, p, set(0.5F)));
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
