#include "bench/ops.h"

#include "infer/workspace.h"

namespace clipnext::bench {
namespace {

using infer::Buffer;
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

Timing time_product(const Kernels& kernels, const OpShape& s, double min_seconds) {
  const Buffer a = values(s.m * s.k);
  const Buffer w = values(s.n * s.k);
  const Buffer bias = values(s.n);
  Buffer c = values(s.m * s.n);
  Buffer packed((s.n + kernels.gemm_panel) * s.k);
  kernels.pack_f32(w.data(), s.k, s.n, s.k, packed.data());
  kernels::Epilogue epilogue{.bias = bias.data(), .act = s.act};
  Buffer residual;
  if (s.residual) {
    residual = values(s.m * s.n);
    epilogue.scale = bias.data();
    epilogue.residual = residual.data();
    epilogue.ld_residual = s.n;
  }
  return time_repeats(min_seconds, [&] {
    kernels.gemm_f32(a.data(), s.k, packed.data(), s.m, s.n, s.k, epilogue, c.data(), s.n);
  });
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

Timing time_layer_norm(const Kernels& kernels, const OpShape& s, double min_seconds) {
  const Buffer x = values(s.m * s.n);
  const Buffer gain = values(s.n);
  Buffer y(s.m * s.n);
  return time_repeats(min_seconds, [&] {
    kernels.layer_norm(x.data(), s.n, gain.data(), gain.data(), s.m, s.n, 1e-6F, y.data(), s.n);
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

Timing time_op(const Kernels& kernels, const OpShape& shape, double min_seconds) {
  switch (shape.op) {
    case Op::kProduct:
      return time_product(kernels, shape, min_seconds);
    case Op::kDepthwise:
      return time_depthwise(kernels, shape, min_seconds);
    case Op::kLayerNorm:
      return time_layer_norm(kernels, shape, min_seconds);
    case Op::kAttention:
      return time_attention(kernels, shape, min_seconds);
    case Op::kMeanRows:
      return time_mean_rows(kernels, shape, min_seconds);
  }
  return {};
}

}  // namespace clipnext::bench
