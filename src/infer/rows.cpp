#include "infer/rows.h"

#include <algorithm>
#include <cstddef>

namespace clipnext::infer {
namespace {

constexpr int64_t kLine = 64;
constexpr int64_t kConflict = 2048;  // strides of a multiple of this share few lines of a cache

int64_t element_size(ComputeType type) {
  return type == ComputeType::kFp32 ? 4 : type == ComputeType::kBf16 ? 2 : 1;
}

/// Elements between rows.
int64_t stride(ComputeType type, int64_t cols) {
  const int64_t size = element_size(type);
  int64_t bytes = (cols * size + kLine - 1) / kLine * kLine;
  if (bytes % kConflict == 0) bytes += kLine;
  return bytes / size;
}

int64_t floats(ComputeType type, int64_t count, int64_t ld) {
  const int64_t scales = type == ComputeType::kInt8 ? count * 2 : 0;
  return count * ld * element_size(type) / 4 + scales;
}

}  // namespace

Rows Rows::from(int64_t row) const {
  return {.type = type,
          .values = static_cast<std::byte*>(values) + row * ld * element_size(type),
          .ld = ld,
          .scales = scales == nullptr ? nullptr : scales + row};
}

RowsLease::RowsLease(ScratchPool& pool, ComputeType type, int64_t count, int64_t cols)
    : ld_(stride(type, cols)), memory_(pool, floats(type, count, ld_)) {
  rows_ = {.type = type, .values = memory_.data(), .ld = ld_, .scales = nullptr};
  if (type == ComputeType::kInt8) {
    rows_.scales = reinterpret_cast<kernels::RowScale*>(rows_.u8() + count * ld_);
  }
}

void round_rows(const kernels::Kernels& kernels, const Rows& x, int64_t count, int64_t cols,
                const Rows& y) {
  if (y.type == ComputeType::kInt8) {
    if (x.type == ComputeType::kBf16) {
      kernels.quantize_bf16(x.bf16(), x.ld, count, cols, kernels.u8_levels, y.u8(), y.ld, y.scales);
    } else {
      kernels.quantize(x.f32(), x.ld, count, cols, kernels.u8_levels, y.u8(), y.ld, y.scales);
    }
  } else if (y.type == ComputeType::kBf16) {
    kernels.to_bf16(x.f32(), x.ld, count, cols, y.bf16(), y.ld);
  } else {
    for (int64_t i = 0; i < count; ++i) {
      std::copy_n(x.f32() + i * x.ld, cols, y.f32() + i * y.ld);
    }
  }
}

void norm_rows(const kernels::Kernels& kernels, const NormSpec& norm, const float* x, int64_t ldx,
               int64_t count, int64_t cols, const Rows& y) {
  const auto& [gain, bias, eps] = norm;
  if (y.type == ComputeType::kInt8) {
    kernels.layer_norm_u8(x, ldx, gain, bias, count, cols, eps, kernels.u8_levels, y.u8(), y.ld,
                          y.scales);
  } else if (y.type == ComputeType::kBf16) {
    kernels.layer_norm_bf16(x, ldx, gain, bias, count, cols, eps, y.bf16(), y.ld);
  } else {
    kernels.layer_norm(x, ldx, gain, bias, count, cols, eps, y.f32(), y.ld);
  }
}

}  // namespace clipnext::infer
