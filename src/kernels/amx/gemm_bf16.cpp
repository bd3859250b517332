// Matrix products of bf16 by AMX.
#include "kernels/amx/tile_loop.h"

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {
namespace {

struct Bf16Product {
  template <int kC, int kA, int kB>
  static void dot() {
    dot_bf16<kC, kA, kB>();
  }
};

struct Bf16Type : AmxType<Bf16, Bf16Product> {
  using Element = Bf16;
  using Sums = PlainSums;
};

}  // namespace

void gemm_bf16(const Bf16* a, int64_t lda, const Bf16* packed, int64_t m, int64_t n, int64_t k,
               const Epilogue& epilogue, float* c, int64_t ldc) noexcept {
  multiply<Bf16Type, float>(a, lda, packed, m, n, k, {epilogue, c, ldc});
}

void gemm_bf16_to_bf16(const Bf16* a, int64_t lda, const Bf16* packed, int64_t m, int64_t n,
                       int64_t k, const Epilogue& epilogue, Bf16* c, int64_t ldc) noexcept {
  multiply<Bf16Type, Bf16>(a, lda, packed, m, n, k, {epilogue, c, ldc});
}

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE
