#include "weights/tensor.h"

#include <array>
#include <cmath>
#include <limits>

#include "weights/test_files.h"

namespace clipnext::weights {
namespace {

constexpr std::array kAllTypes{DType::kBool, DType::kU8,  DType::kI8,   DType::kI16, DType::kI32,
                               DType::kI64,  DType::kF16, DType::kBF16, DType::kF32, DType::kF64};

TEST(DType, NamesAreReadBack) {
  for (const DType dtype : kAllTypes) EXPECT_EQ(parse_dtype(dtype_name(dtype)), dtype);
  EXPECT_EQ(parse_dtype("fp32"), DType::kF32);
  EXPECT_EQ(parse_dtype("float16"), DType::kF16);
  EXPECT_EQ(parse_dtype("BFloat16"), DType::kBF16);
  expect_contains(error_of([] { parse_dtype("fp8"); }), "BF16");
  expect_contains(error_of([] { parse_dtype(""); }), "unknown data type");
}

TEST(Shape, IsPrintedAsAList) {
  EXPECT_EQ(format_shape(Shape{768, 3, 4, 4}), "[768, 3, 4, 4]");
  EXPECT_EQ(format_shape(Shape{}), "[]");
}

TEST(Tensor, RefusesValuesThatDoNotFillIt) {
  const std::vector<float> values(5);
  expect_contains(error_of([&] { make_tensor({2, 3}, values); }), "[2, 3]");
}

TEST(Convert, SmallWholeNumbersSurviveEveryPairOfTypes) {
  const std::vector<float> values{0, 1, 2, 100, 127};
  for (const DType from : kAllTypes) {
    for (const DType to : kAllTypes) {
      const Tensor tensor = convert(convert(make_tensor({5}, values), from), to);
      const bool flags = from == DType::kBool || to == DType::kBool;
      EXPECT_EQ(to_f32(tensor), flags ? std::vector<float>({0, 1, 1, 1, 1}) : values)
          << dtype_name(from) << " to " << dtype_name(to);
    }
  }
}

TEST(Convert, SharesTheBytesOfTheSameType) {
  const Tensor tensor = make_tensor({2}, formula(1, 2));
  EXPECT_EQ(convert(tensor, DType::kF32).data.data(), tensor.data.data());
}

TEST(Convert, ReadsUnalignedBytes) {
  const Tensor whole = make_tensor({3}, formula(1, 3));
  std::vector<std::byte> shifted(1);
  shifted.insert(shifted.end(), whole.data.begin(), whole.data.end());
  const Tensor tensor{DType::kF32, {3}, std::span(shifted).subspan(1), nullptr};
  EXPECT_EQ(to_f32(tensor), formula(1, 3));
  EXPECT_EQ(to_f32(convert(tensor, DType::kF64)), formula(1, 3));
}

TEST(Convert, FloatsLoseTheirFractionAsIntegers) {
  const std::vector<float> values{1.9f, -1.9f, 0.5f};
  EXPECT_EQ(to_f32(convert(make_tensor({3}, values), DType::kI8)), (std::vector<float>{1, -1, 0}));
}

TEST(Convert, RefusesWhatAnIntegerCannotHold) {
  const auto to_i8 = [](float x) { convert(make_tensor({1}, std::span(&x, 1)), DType::kI8); };
  to_i8(127.9f);
  to_i8(-128.9f);
  for (const float x : {128.0f, -129.0f, std::nanf(""), std::numeric_limits<float>::infinity()}) {
    expect_contains(error_of([&] { to_i8(x); }), "does not fit");
  }
  const float big = 0x1p63f;
  expect_contains(error_of([&] { convert(make_tensor({1}, std::span(&big, 1)), DType::kI64); }),
                  "does not fit");
}

TEST(Convert, LargeIntegersRoundOnce) {
  // Halfway between two bf16 values plus one: by way of a double the one would be lost.
  const int64_t value = (int64_t{1} << 62) + (int64_t{1} << 54) + 1;
  const Tensor tensor{DType::kI64, {1}, std::as_bytes(std::span(&value, 1)), nullptr};
  EXPECT_EQ(to_f32(convert(tensor, DType::kBF16))[0], 0x1p62f * (1 + 0x1p-7f));
}

}  // namespace
}  // namespace clipnext::weights
