// Matrix products of 8-bit operands by AMX.
#include "kernels/amx/tile_loop.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {
namespace {

struct U8S8Product {
  template <int kC, int kA, int kB>
  static void dot() {
    dot_u8s8<kC, kA, kB>();
  }
};

struct U8S8Type : AmxType<int8_t, U8S8Product> {
  using Element = uint8_t;
  using Sums = IntegerSums;
};

}  // namespace

void gemm_u8s8(const uint8_t* a, int64_t lda, const RowScale* rows, const S8Weights& w, int64_t m,
               int64_t n, int64_t k, const Epilogue& epilogue, float* c, int64_t ldc) noexcept {
  multiply<U8S8Type, float>(a, lda, w.packed, m, n, k, {epilogue, c, ldc, rows, w.scales, w.sums});
}

void gemm_u8s8_to_bf16(const uint8_t* a, int64_t lda, const RowScale* rows, const S8Weights& w,
                       int64_t m, int64_t n, int64_t k, const Epilogue& epilogue, Bf16* c,
                       int64_t ldc) noexcept {
  multiply<U8S8Type, Bf16>(a, lda, w.packed, m, n, k, {epilogue, c, ldc, rows, w.scales, w.sums});
}

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE
