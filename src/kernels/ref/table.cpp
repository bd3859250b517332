// The `ref` table: ref.h with float storage.
#include "kernels/ref/table.h"

#include <algorithm>

#include "kernels/ref/narrow.h"
#include "kernels/ref/ref.h"

namespace clipnext::kernels::ref {
namespace {

void pack_f32(const float* w, int64_t ldw, int64_t n, int64_t k, float* packed) noexcept {
  std::fill_n(packed, packed_columns(n) * k, 0.0F);
  for (int64_t j = 0; j < n; ++j) {
    for (int64_t p = 0; p < k; ++p) packed[packed_at<float>(j, p, k)] = w[j * ldw + p];
  }
}

void gemm_f32(const float* a, int64_t lda, const float* packed, int64_t m, int64_t n, int64_t k,
              const Epilogue& epilogue, float* c, int64_t ldc) noexcept {
  const auto weight = [=](int64_t j, int64_t p) { return packed[packed_at<float>(j, p, k)]; };
  gemm(a, lda, weight, m, n, k, epilogue, c, ldc);
}

void layer_norm_f32(const float* x, int64_t ldx, const float* gain, const float* bias, int64_t rows,
                    int64_t cols, float eps, float* y, int64_t ldy) noexcept {
  layer_norm<float>(x, ldx, gain, bias, rows, cols, eps, y, ldy);
}

void depthwise_conv7_f32(const float* x, int64_t h, int64_t w, int64_t c, const float* weight,
                         const float* bias, int64_t row_begin, int64_t row_end, float* y) noexcept {
  depthwise_conv7<float>(x, h, w, c, weight, bias, row_begin, row_end, y);
}

void depthwise_conv7_grad_f32(const float* x, const float* g, int64_t h, int64_t w, int64_t c,
                              float* weight_grad, float* bias_grad) noexcept {
  depthwise_conv7_grad<float>(x, g, h, w, c, weight_grad, bias_grad);
}

void attention_f32(const float* q, const float* k, const float* v, int64_t ld_qkv, int64_t tq,
                   int64_t tk, int64_t d, bool causal, float* /*scratch*/, float* out,
                   int64_t ld_out) noexcept {
  attention<float>(q, k, v, ld_qkv, tq, tk, d, causal, out, ld_out);
}

int64_t attention_scratch(int64_t /*tk*/, int64_t /*d*/) noexcept { return 0; }

void activation_f32(const float* x, int64_t count, Act act, float* y) noexcept {
  activation<float>(x, count, act, y);
}

void gelu_grad_f32(const float* z, const float* g, int64_t count, float* y, float* dz) noexcept {
  gelu_grad<float>(z, g, count, y, dz);
}

void mean_rows_f32(const float* x, int64_t rows, int64_t c, float* out) noexcept {
  mean_rows<float>(x, rows, c, out);
}

void l2_normalize_f32(float* x, int64_t rows, int64_t cols) noexcept {
  l2_normalize<float>(x, rows, cols);
}

}  // namespace

Kernels table() noexcept {
  return {.isa = "ref",
          .pack_f32 = pack_f32,
          .gemm_f32 = gemm_f32,
          .fast_bf16 = false,
          .u8_levels = 255,
          .pack_bf16 = pack_bf16,
          .to_bf16 = rows_to_bf16,
          .gemm_bf16 = gemm_bf16,
          .gemm_bf16_to_bf16 = gemm_bf16_to_bf16,
          .pack_s8 = pack_s8,
          .quantize = quantize,
          .quantize_bf16 = quantize_bf16,
          .gemm_u8s8 = gemm_u8s8,
          .gemm_u8s8_to_bf16 = gemm_u8s8_to_bf16,
          .layer_norm = layer_norm_f32,
          .layer_norm_bf16 = layer_norm_bf16,
          .layer_norm_u8 = layer_norm_u8,
          .depthwise_conv7 = depthwise_conv7_f32,
          .depthwise_conv7_grad = depthwise_conv7_grad_f32,
          .attention = attention_f32,
          .attention_scratch = attention_scratch,
          .activation = activation_f32,
          .gelu_grad = gelu_grad_f32,
          .mean_rows = mean_rows_f32,
          .l2_normalize = l2_normalize_f32,
          .resample_rows = resample_rows,
          .resample_columns = resample_columns};
}

}  // namespace clipnext::kernels::ref
