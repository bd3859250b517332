#include "bench/ops.h"

#include "base/workspace.h"

namespace clipnext::bench {
namespace {

using kernels::Kernels;

/// count values in [-1, 1) of no pattern that arithmetic could profit from.
Buffer values(int64_t count) {
  Buffer buffer(count);
  uint32_t state = 1;
  for (int64_t i = 0; i < count; ++i) {
    state = state * 1664525u + 1013904223u;
    buffer.data()[i] = static_cast<float>(static_cast<int32_t>(state)) * 0x1p-31F;
  }
  return buffer;
}

/// Room for `count` values of another type, from a 64-byte boundary on.
template <class T>
class Array {
 public:
  explicit Array(int64_t count) : buffer_((count * static_cast<int64_t>(sizeof(T)) + 3) / 4) {}
  T* data() { return reinterpret_cast<T*>(buffer_.data()); }

 private:
  Buffer buffer_;
};

/// Operands of a product in fp32, and what happens on its way out.
struct Operands {
  explicit Operands(const OpShape& s)
      : a(values(s.m * s.k)), w(values(s.n * s.k)), bias(values(s.n)), c(values(s.m * s.n)) {
    epilogue = {.bias = bias.data(), .act = s.act};
    if (!s.residual) return;
    residual = values(s.m * s.n);
    epilogue.scale = bias.data();
    epilogue.residual = residual.data();
    epilogue.ld_residual = s.n;
  }

  Buffer a, w, bias, c, residual;
  kernels::Epilogue epilogue;
};

Timing time_product_f32(const Kernels& kernels, const OpShape& s, double min_seconds) {
  Operands o(s);
  Buffer packed(kernels::packed_columns(s.n) * s.k);
  kernels.pack_f32(o.w.data(), s.k, s.n, s.k, packed.data());
  return time_repeats(min_seconds, [&] {
    kernels.gemm_f32(o.a.data(), s.k, packed.data(), s.m, s.n, s.k, o.epilogue, o.c.data(), s.n);
  });
}

Timing time_product_bf16(const Kernels& kernels, const OpShape& s, double min_seconds) {
  using kernels::Bf16;
  Operands o(s);
  Array<Bf16> a(s.m * s.k);
  Array<Bf16> c(s.m * s.n);
  Array<Bf16> packed(kernels::packed_columns(s.n) * kernels::packed_depth<Bf16>(s.k));
  kernels.to_bf16(o.a.data(), s.k, s.m, s.k, a.data(), s.k);
  kernels.pack_bf16(o.w.data(), s.k, s.n, s.k, packed.data());
  return time_repeats(min_seconds, [&] {
    if (s.residual) {
      kernels.gemm_bf16(a.data(), s.k, packed.data(), s.m, s.n, s.k, o.epilogue, o.c.data(), s.n);
    } else {
      kernels.gemm_bf16_to_bf16(a.data(), s.k, packed.data(), s.m, s.n, s.k, o.epilogue, c.data(),
                                s.n);
    }
  });
}

Timing time_product_int8(const Kernels& kernels, const OpShape& s, double min_seconds) {
  Operands o(s);
  Array<uint8_t> a(s.m * s.k);
  Array<kernels::RowScale> rows(s.m);
  Array<kernels::Bf16> c(s.m * s.n);
  Array<int8_t> packed(kernels::packed_columns(s.n) * kernels::packed_depth<int8_t>(s.k));
  Buffer scales(kernels::packed_columns(s.n));
  Array<int32_t> sums(kernels::packed_columns(s.n));
  kernels.quantize(o.a.data(), s.k, s.m, s.k, kernels.u8_levels, a.data(), s.k, rows.data());
  kernels.pack_s8(o.w.data(), s.k, s.n, s.k, packed.data(), scales.data(), sums.data());
  const kernels::S8Weights w{packed.data(), scales.data(), sums.data()};
  return time_repeats(min_seconds, [&] {
    if (s.residual) {
      kernels.gemm_u8s8(a.data(), s.k, rows.data(), w, s.m, s.n, s.k, o.epilogue, o.c.data(), s.n);
    } else {
      kernels.gemm_u8s8_to_bf16(a.data(), s.k, rows.data(), w, s.m, s.n, s.k, o.epilogue, c.data(),
                                s.n);
    }
  });
}

Timing time_product(const Kernels& kernels, const OpShape& s, std::string_view dtype,
                    double min_seconds) {
  if (dtype == "bf16") return time_product_bf16(kernels, s, min_seconds);
  if (dtype == "int8") return time_product_int8(kernels, s, min_seconds);
  return time_product_f32(kernels, s, min_seconds);
}

Timing time_depthwise(const Kernels& kernels, const OpShape& s, double min_seconds) {
  const Buffer x = values(s.m * s.n * s.k);
  const Buffer weight = values(49 * s.k);
  const Buffer bias = values(s.k);
  Buffer y(s.m * s.n * s.k);
  return time_repeats(min_seconds, [&] {
    kernels.depthwise_conv7(x.data(), s.m, s.n, s.k, weight.data(), bias.data(), 0, s.m, y.data());
  });
}

Timing time_layer_norm(const Kernels& kernels, const OpShape& s, std::string_view dtype,
                       double min_seconds) {
  constexpr float kEps = 1e-6F;
  const Buffer x = values(s.m * s.n);
  const Buffer gain = values(s.n);
  Buffer y(s.m * s.n);
  Array<kernels::Bf16> y16(s.m * s.n);
  Array<uint8_t> y8(s.m * s.n);
  Array<kernels::RowScale> rows(s.m);
  return time_repeats(min_seconds, [&] {
    if (dtype == "bf16") {
      kernels.layer_norm_bf16(x.data(), s.n, gain.data(), gain.data(), s.m, s.n, kEps, y16.data(),
                              s.n);
    } else if (dtype == "int8") {
      kernels.layer_norm_u8(x.data(), s.n, gain.data(), gain.data(), s.m, s.n, kEps,
                            kernels.u8_levels, y8.data(), s.n, rows.data());
    } else {
      kernels.layer_norm(x.data(), s.n, gain.data(), gain.data(), s.m, s.n, kEps, y.data(), s.n);
    }
  });
}

Timing time_attention(const Kernels& kernels, const OpShape& s, double min_seconds) {
  const Buffer qkv = values(3 * s.m * s.n);
  Buffer out(s.m * s.n);
  Buffer scratch(kernels.attention_scratch(s.m, s.n));
  const float* q = qkv.data();
  return time_repeats(min_seconds, [&] {
    kernels.attention(q, q + s.n, q + 2 * s.n, 3 * s.n, s.m, s.m, s.n, s.causal, scratch.data(),
                      out.data(), s.n);
  });
}

Timing time_mean_rows(const Kernels& kernels, const OpShape& s, double min_seconds) {
  const Buffer x = values(s.m * s.n);
  Buffer out(s.n);
  return time_repeats(min_seconds, [&] { kernels.mean_rows(x.data(), s.m, s.n, out.data()); });
}

}  // namespace

std::string_view op_dtype(Op op, std::string_view dtype) {
  return op == Op::kProduct || op == Op::kLayerNorm ? dtype : "fp32";
}

Timing time_op(const Kernels& kernels, const OpShape& shape, std::string_view dtype,
               double min_seconds) {
  switch (shape.op) {
    case Op::kProduct:
      return time_product(kernels, shape, dtype, min_seconds);
    case Op::kDepthwise:
      return time_depthwise(kernels, shape, min_seconds);
    case Op::kLayerNorm:
      return time_layer_norm(kernels, shape, dtype, min_seconds);
    case Op::kAttention:
      return time_attention(kernels, shape, min_seconds);
    case Op::kMeanRows:
      return time_mean_rows(kernels, shape, min_seconds);
  }
  return {};
}

}  // namespace clipnext::bench
