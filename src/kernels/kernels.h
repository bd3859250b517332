// The complete list of operations the towers and the resampler are made of: one function type and
// one pointer per op. Kernels take raw pointers and sizes, are noexcept, never allocate, print or
// start threads; whoever calls owns buffers and splits work. Matrices are row-major f32; row
// strides (ld...) count elements.
//
// One answer: what an op computes for one row (or pixel, or head) does not depend on which other
// rows are in the call, so that a caller may split or batch as it likes, bit for bit on one ISA.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace clipnext::kernels {

/// kGelu: z Φ(z), exact. kQuickGelu: z sigmoid(1.702 z). At minus infinity both give (nearly) 0.
enum class Act : uint8_t { kNone, kGelu, kQuickGelu, kRelu };

/// What happens to a product on its way out: y = act(acc + bias) * scale + residual.
/// bias, scale [n] or null; residual [m, n] rows ld_residual apart or null, may be the output
/// itself. With relu_after the ReLU comes after the residual (ResNet's block end) instead.
/// T is double in the float64 evaluation that the fast kernels are judged by (ref/ref.h).
template <class T>
struct BasicEpilogue {
  const T* bias = nullptr;
  Act act = Act::kNone;
  const T* scale = nullptr;
  const T* residual = nullptr;
  int64_t ld_residual = 0;
  bool relu_after = false;
};
using Epilogue = BasicEpilogue<float>;

/// Packed weights of w [n, k] have one layout on every instruction set, for bf16 and int8 the same
/// that AMX's tiles have: panels of 16 output columns, each [k / g][16][g] with g = 1 (f32), 2
/// (bf16) or 4 (int8) neighbours along k; n padded with zeros to packed_columns(n), k to
/// packed_depth<T>(k). From column j on, a multiple of kPackedColumns, they begin at
/// packed + j * packed_depth<T>(k).
constexpr int64_t kPackedColumns = 32;
static constexpr int64_t packed_columns(int64_t n) { return (n + 31) / 32 * 32; }
template <class T>
static constexpr int64_t packed_depth(int64_t k) {
  constexpr int64_t unit = sizeof(T) == 4 ? 1 : 64 / sizeof(T);
  return (k + unit - 1) / unit * unit;
}

/// Lays w [n, k] (a Linear weight, rows ldw apart) out for gemm_f32 as above; packed holds
/// packed_columns(n) * k floats, 64-byte aligned.
using PackF32Fn = void(const float* w, int64_t ldw, int64_t n, int64_t k, float* packed) noexcept;

/// c [m, n] = epilogue(a [m, k] times w transposed), w as pack_f32 laid it out. To compute a range
/// of columns, start at a multiple of kPackedColumns, with c, bias, ... moved along. Every output
/// is summed over k in one fixed order: blocks of consecutive k whose sums are added up, so that
/// rounding error grows with the block, not with k.
using GemmF32Fn = void(const float* a, int64_t lda, const float* packed, int64_t m, int64_t n,
                       int64_t k, const Epilogue& epilogue, float* c, int64_t ldc) noexcept;

/// bfloat16: the upper half of an f32. Conversions round to nearest even; values below 2^-126 may
/// become 0.
using Bf16 = uint16_t;

/// Lays w [n, k] f32, rows ldw apart, out as above, rounded to bf16. packed holds
/// packed_columns(n) * packed_depth<Bf16>(k) values, 64-byte aligned.
using PackBf16Fn = void(const float* w, int64_t ldw, int64_t n, int64_t k, Bf16* packed) noexcept;

/// y [rows, cols] bf16 = x [rows, cols] f32.
using ToBf16Fn = void(const float* x, int64_t ldx, int64_t rows, int64_t cols, Bf16* y,
                      int64_t ldy) noexcept;

/// gemm_f32 over bf16 operands: exact products, summed in f32 in one fixed order; c and the
/// epilogue's arrays f32.
using GemmBf16Fn = void(const Bf16* a, int64_t lda, const Bf16* packed, int64_t m, int64_t n,
                        int64_t k, const Epilogue& epilogue, float* c, int64_t ldc) noexcept;
/// The same with the result rounded to bf16; GELU within 2^-9 max(|y|, 1/8) before rounding.
using GemmBf16ToBf16Fn = void(const Bf16* a, int64_t lda, const Bf16* packed, int64_t m, int64_t n,
                              int64_t k, const Epilogue& epilogue, Bf16* c, int64_t ldc) noexcept;

/// A row of activations in 8 bits: x is about scale * (q - zero), q in 0 .. levels. A row that
/// holds an infinity or a NaN has scale NaN, so that its products are NaN.
struct RowScale {
  float scale;
  int32_t zero;
};

/// y [rows, cols] u8 and scales [rows]: each row from min(x, 0) .. max(x, 0) onto 0 .. levels by
/// q = round(x * (levels / range)) + zero in f32, to even, the same on every instruction set.
/// levels is u8_levels of the table whose product will read y.
using QuantizeFn = void(const float* x, int64_t ldx, int64_t rows, int64_t cols, int32_t levels,
                        uint8_t* y, int64_t ldy, RowScale* scales) noexcept;
using QuantizeBf16Fn = void(const Bf16* x, int64_t ldx, int64_t rows, int64_t cols, int32_t levels,
                            uint8_t* y, int64_t ldy, RowScale* scales) noexcept;

/// Weights in 8 bits, w about scales[j] * packed: symmetric, |packed| <= 127. sums[j] is the sum of
/// column j's packed values. scales and sums hold packed_columns(n).
struct S8Weights {
  const int8_t* packed;
  const float* scales;
  const int32_t* sums;
};

/// Quantises w [n, k] f32, rows ldw apart, into what S8Weights points to; packed holds
/// packed_columns(n) * packed_depth<int8_t>(k) bytes, 64-byte aligned. k at most 65536.
using PackS8Fn = void(const float* w, int64_t ldw, int64_t n, int64_t k, int8_t* packed,
                      float* scales, int32_t* sums) noexcept;

/// c [m, n] = epilogue((a - zero) times w transposed * row scale * column scale): the sums are
/// exact integers, the same on every instruction set. a [m, k] u8 as quantised with this table's
/// u8_levels, rows [m]; c and the epilogue's arrays f32.
using GemmU8S8Fn = void(const uint8_t* a, int64_t lda, const RowScale* rows, const S8Weights& w,
                        int64_t m, int64_t n, int64_t k, const Epilogue& epilogue, float* c,
                        int64_t ldc) noexcept;
/// The same with the result in bf16, as in GemmBf16ToBf16Fn.
using GemmU8S8ToBf16Fn = void(const uint8_t* a, int64_t lda, const RowScale* rows,
                              const S8Weights& w, int64_t m, int64_t n, int64_t k,
                              const Epilogue& epilogue, Bf16* c, int64_t ldc) noexcept;

/// y = (x - mean(x)) / sqrt(var(x) + eps) * gain + bias, per row; var over cols, not cols - 1.
/// x [rows, cols] rows ldx apart, y likewise, y may be x; gain, bias [cols]. Ba et al.,
/// arXiv:1607.06450.
using LayerNormFn = void(const float* x, int64_t ldx, const float* gain, const float* bias,
                         int64_t rows, int64_t cols, float eps, float* y, int64_t ldy) noexcept;

/// layer_norm with the result rounded to bf16, or quantised as by QuantizeFn.
using LayerNormBf16Fn = void(const float* x, int64_t ldx, const float* gain, const float* bias,
                             int64_t rows, int64_t cols, float eps, Bf16* y, int64_t ldy) noexcept;
using LayerNormU8Fn = void(const float* x, int64_t ldx, const float* gain, const float* bias,
                           int64_t rows, int64_t cols, float eps, int32_t levels, uint8_t* y,
                           int64_t ldy, RowScale* scales) noexcept;

/// Depthwise 7x7 convolution, stride 1, zero padding 3, of output rows [row_begin, row_end) of one
/// picture: x [h, w, c], weight [49, c] (tap-major), bias [c], y [h, w, c]; y is not x.
using DepthwiseConv7Fn = void(const float* x, int64_t h, int64_t w, int64_t c, const float* weight,
                              const float* bias, int64_t row_begin, int64_t row_end,
                              float* y) noexcept;

/// Gradients of depthwise_conv7's weight and bias for one picture: x [h, w, c], g [h, w, c] the
/// gradient of its y; sets weight_grad [49, c] and bias_grad [c]. A row is summed before rows are,
/// so that rounding error grows with a side, not with the picture. (The gradient of x is
/// depthwise_conv7 of g with the taps in reverse.)
using DepthwiseConv7GradFn = void(const float* x, const float* g, int64_t h, int64_t w, int64_t c,
                                  float* weight_grad, float* bias_grad) noexcept;

/// Attention of one head of one sequence: out = softmax(q kᵀ / sqrt(d)) v. q [tq, d], k, v [tk, d],
/// out [tq, d], rows ld_qkv (ld_out) apart. causal: query i sees keys 0 .. i + tk - tq. scratch
/// holds attention_scratch(tk, d) floats, 64-byte aligned.
using AttentionFn = void(const float* q, const float* k, const float* v, int64_t ld_qkv, int64_t tq,
                         int64_t tk, int64_t d, bool causal, float* scratch, float* out,
                         int64_t ld_out) noexcept;
using AttentionScratchFn = int64_t(int64_t tk, int64_t d) noexcept;

/// y[i] = act(x[i]), i < count; y may be x.
using ActivationFn = void(const float* x, int64_t count, Act act, float* y) noexcept;

/// Backward of GELU, z Φ(z): from its input z and the gradient g of its result, i < count,
/// y[i] = gelu(z[i]) and dz[i] = g[i] gelu'(z[i]); y may be z, dz may be g.
using GeluGradFn = void(const float* z, const float* g, int64_t count, float* y,
                        float* dz) noexcept;

/// out [c] = mean over rows of x [rows, c].
using MeanRowsFn = void(const float* x, int64_t rows, int64_t c, float* out) noexcept;

/// x / max(|x|, 1e-12) per row, in place; x [rows, cols] dense.
using L2NormalizeFn = void(float* x, int64_t rows, int64_t cols) noexcept;

/// One direction of Pillow's 8-bit resampling (src/libImaging/Resample.c): for output i, taps
/// begin[i] .. begin[i] + count[i] - 1 of the source with fixed-point weights
/// weights[i * taps + ...] (22 fraction bits); value = clamp((2^21 + sum) >> 22). 2^21 + sum fits
/// 32 bits whatever the pixels are, so that every instruction set gives the same bytes.
struct ResamplePlan {
  const int32_t* begin;
  const int32_t* count;
  const int32_t* weights;
  int64_t taps;  // row length of weights
  int64_t size;  // outputs
};

/// Along x: src [rows, ?, channels] u8 rows src_stride bytes apart to dst [rows, plan.size,
/// channels] rows dst_stride bytes apart. channels 1..4.
using ResampleRowsFn = void(const uint8_t* src, int64_t src_stride, int64_t rows, int64_t channels,
                            const ResamplePlan& plan, uint8_t* dst, int64_t dst_stride) noexcept;
/// Along y: src [?, row_bytes] to dst [plan.size, row_bytes], strides in bytes.
using ResampleColumnsFn = void(const uint8_t* src, int64_t src_stride, int64_t row_bytes,
                               const ResamplePlan& plan, uint8_t* dst, int64_t dst_stride) noexcept;

/// The fewest levels of any table (Kernels::u8_levels): what 8 bits are measured with that other
/// processors are to compute with.
inline constexpr int32_t kFewestU8Levels = 127;

/// The ops of one instruction set. isa/NAME.cpp overlays what it speeds up on `ref`.
struct Kernels {
  const char* isa;
  PackF32Fn* pack_f32;
  GemmF32Fn* gemm_f32;
  bool fast_bf16;     // gemm_bf16 is faster than gemm_f32 on this processor
  int32_t u8_levels;  // 255; kFewestU8Levels where products of 8 by 8 bits overflow
  PackBf16Fn* pack_bf16;
  ToBf16Fn* to_bf16;
  GemmBf16Fn* gemm_bf16;
  GemmBf16ToBf16Fn* gemm_bf16_to_bf16;
  PackS8Fn* pack_s8;
  QuantizeFn* quantize;
  QuantizeBf16Fn* quantize_bf16;
  GemmU8S8Fn* gemm_u8s8;
  GemmU8S8ToBf16Fn* gemm_u8s8_to_bf16;
  LayerNormFn* layer_norm;
  LayerNormBf16Fn* layer_norm_bf16;
  LayerNormU8Fn* layer_norm_u8;
  DepthwiseConv7Fn* depthwise_conv7;
  DepthwiseConv7GradFn* depthwise_conv7_grad;
  AttentionFn* attention;
  AttentionScratchFn* attention_scratch;
  ActivationFn* activation;
  GeluGradFn* gelu_grad;
  MeanRowsFn* mean_rows;
  L2NormalizeFn* l2_normalize;
  ResampleRowsFn* resample_rows;
  ResampleColumnsFn* resample_columns;
};

/// The best table this CPU can run, chosen once. CLIPNEXT_ISA=avx2 stops at that one; a name that
/// is unknown, or that this CPU lacks, is an Error that lists those it has.
const Kernels& kernels();

/// The table of that name, or the best one for "". Throws the Error above.
const Kernels& choose(std::string_view isa);

/// Every table this CPU can run, `ref` first, in increasing order of preference.
std::span<const Kernels> available();

/// Why better kernels that the processor has are not used, for a program to say once; mostly empty.
std::string_view notice();

}  // namespace clipnext::kernels
