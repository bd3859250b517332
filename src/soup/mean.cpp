#include "soup/mean.h"

#include <cmath>
#include <cstring>

#include "weights/half.h"

namespace clipnext::soup {
namespace {

using weights::DType;

// Elements in a file need not be aligned.
template <class T, class F>
void widen_as(const std::byte* from, int64_t count, const F& value_of, double* out) {
  for (int64_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, from + i * int64_t{sizeof(T)}, sizeof(T));
    out[i] = static_cast<double>(value_of(value));
  }
}

template <class T, class F>
void narrow_as(const double* values, int64_t count, const F& from_double, std::byte* out) {
  for (int64_t i = 0; i < count; ++i) {
    const T value = from_double(values[i]);
    std::memcpy(out + i * int64_t{sizeof(T)}, &value, sizeof(T));
  }
}

void average_f32(const Plan& plan, int64_t count, Block& block) {
  const size_t n = plan.weights.size();
  double* mean = block.mean.data();
  for (size_t i = 0; i < n; ++i) {
    const auto weight = static_cast<float>(plan.weights[i]);
    const double* row = block.row(i);
    for (int64_t k = 0; k < count; ++k) {
      const float product = static_cast<float>(row[k]) * weight;
      mean[k] = i == 0 ? product : product + static_cast<float>(mean[k]);
    }
  }
}

void average_equal(size_t n, int64_t count, Block& block) {
  double* mean = block.mean.data();
  std::memcpy(mean, block.row(0), static_cast<size_t>(count) * sizeof(double));
  for (size_t i = 1; i < n; ++i) {
    const double* row = block.row(i);
    for (int64_t k = 0; k < count; ++k) mean[k] += row[k];
  }
  const auto divisor = static_cast<double>(n);
  for (int64_t k = 0; k < count; ++k) mean[k] /= divisor;
}

void average_weighted(const std::vector<double>& weights, int64_t count, Block& block) {
  double* mean = block.mean.data();
  bool first = true;  // a sum begun at 0 would lose the sign of -0
  for (size_t i = 0; i < weights.size(); ++i) {
    const double weight = weights[i];
    if (weight == 0) continue;
    const double* row = block.row(i);
    if (first) {
      for (int64_t k = 0; k < count; ++k) mean[k] = weight * row[k];
    } else {
      for (int64_t k = 0; k < count; ++k) mean[k] += weight * row[k];
    }
    first = false;
  }
}

}  // namespace

void widen(const weights::Tensor& tensor, int64_t begin, int64_t count, double* out) {
  const std::byte* from = tensor.data.data() + begin * weights::dtype_size(tensor.dtype);
  const auto itself = [](auto x) { return x; };
  switch (tensor.dtype) {
    case DType::kF32:
      return widen_as<float>(from, count, itself, out);
    case DType::kF64:
      return widen_as<double>(from, count, itself, out);
    case DType::kF16:
      return widen_as<weights::Half>(
          from, count, [](weights::Half x) { return weights::to_float(x); }, out);
    case DType::kBF16:
      return widen_as<weights::BFloat16>(
          from, count, [](weights::BFloat16 x) { return weights::to_float(x); }, out);
    case DType::kI64:
      return widen_as<int64_t>(from, count, itself, out);
    case DType::kI32:
      return widen_as<int32_t>(from, count, itself, out);
    case DType::kI16:
      return widen_as<int16_t>(from, count, itself, out);
    case DType::kI8:
      return widen_as<int8_t>(from, count, itself, out);
    case DType::kU8:
    case DType::kBool:
      return widen_as<uint8_t>(from, count, itself, out);
  }
}

void narrow(const double* values, int64_t count, DType dtype, std::byte* out) {
  if (dtype == DType::kF64) {
    std::memcpy(out, values, static_cast<size_t>(count) * sizeof(double));
  } else if (dtype == DType::kF32) {
    narrow_as<float>(
        values, count, [](double x) { return static_cast<float>(x); }, out);
  } else if (dtype == DType::kF16) {
    narrow_as<weights::Half>(
        values, count, [](double x) { return weights::to_half(x); }, out);
  } else {
    narrow_as<weights::BFloat16>(
        values, count, [](double x) { return weights::to_bfloat16(x); }, out);
  }
}

int64_t count_nonfinite(const double* values, int64_t count) {
  int64_t found = 0;
  // x - x is 0 but for NaN and infinities.
  for (int64_t i = 0; i < count; ++i) found += values[i] - values[i] == 0 ? 0 : 1;
  return found;
}

void average(const Plan& plan, int64_t count, Block& block) {
  if (plan.accumulate == Accumulate::kF32Seq) return average_f32(plan, count, block);
  if (plan.uniform) return average_equal(plan.weights.size(), count, block);
  average_weighted(plan.weights, count, block);
}

void make_values(const Plan& plan, const PlannedTensor& tensor, int64_t begin, int64_t count,
                 Block& block, std::byte* out) {
  const weights::Tensor& first = tensor.sources[0];
  for (size_t i = 0; i < tensor.sources.size(); ++i) {
    widen(tensor.sources[i], begin, count, block.row(i));
  }
  if (tensor.averaged) {
    average(plan, count, block);
    narrow(block.mean.data(), count, tensor.dtype, out);
  } else if (first.dtype == tensor.dtype) {
    const int64_t item = weights::dtype_size(first.dtype);
    std::memcpy(out, first.data.data() + begin * item, static_cast<size_t>(count * item));
  } else {
    narrow(block.row(0), count, tensor.dtype, out);
  }
}

}  // namespace clipnext::soup
