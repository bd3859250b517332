// What the tests of this folder share: the committed fixtures, their values, a scratch folder.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/test_folder.h"
#include "weights/checkpoint.h"

namespace clipnext::weights {

/// A file that tools/make_weight_fixtures.py made.
inline std::filesystem::path fixture(const std::string& name) {
  return std::filesystem::path(CLIPNEXT_SOURCE_DIR) / "tests/data/weights" / name;
}

/// Element i of the fixtures' tensors: k + i / 8.
inline std::vector<float> formula(double k, int64_t count, bool whole = false) {
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) {
    const double value = k + static_cast<double>(i) / 8;
    values.push_back(static_cast<float>(whole ? std::floor(value) : value));
  }
  return values;
}

/// The message of the Error that f throws; a failure if it throws none.
template <class F>
std::string error_of(const F& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  ADD_FAILURE() << "no Error was thrown";
  return "";
}

inline void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "'" << part << "' is not in: " << text;
}

/// Checks dtype, shape and values of a fixture's tensor.
inline void expect_tensor(const TensorMap& tensors, const std::string& name, DType dtype,
                          const Shape& shape, const std::vector<float>& values) {
  SCOPED_TRACE(name);
  const auto found = tensors.find(name);
  ASSERT_NE(found, tensors.end());
  EXPECT_EQ(dtype_name(found->second.dtype), dtype_name(dtype));
  EXPECT_EQ(found->second.shape, shape);
  EXPECT_EQ(to_f32(found->second), values);
}

/// The tensors of plain.*; NumPy's lack bf16.
inline void expect_plain(const TensorMap& tensors, bool with_bf16 = true) {
  expect_tensor(tensors, "f32", DType::kF32, {2, 3}, formula(1, 6));
  expect_tensor(tensors, "f16", DType::kF16, {3}, formula(2, 3));
  if (with_bf16) expect_tensor(tensors, "bf16", DType::kBF16, {3}, formula(3, 3));
  expect_tensor(tensors, "f64", DType::kF64, {2, 2}, formula(4, 4));
  expect_tensor(tensors, "i64", DType::kI64, {2}, formula(5, 2, true));
  expect_tensor(tensors, "i32", DType::kI32, {2}, formula(6, 2, true));
  expect_tensor(tensors, "i16", DType::kI16, {2}, formula(7, 2, true));
  expect_tensor(tensors, "i8", DType::kI8, {2}, formula(8, 2, true));
  expect_tensor(tensors, "u8", DType::kU8, {2}, formula(9, 2, true));
  expect_tensor(tensors, "flag", DType::kBool, {2}, {1, 0});
  expect_tensor(tensors, "scalar", DType::kF32, {}, formula(11, 1));
  expect_tensor(tensors, "empty", DType::kF32, {0, 4}, {});
}

/// Reads a checkpoint from bytes in memory.
inline Checkpoint read_bytes(std::string_view bytes) {
  const auto copy = std::make_shared<const std::string>(bytes);
  return read_checkpoint(std::as_bytes(std::span(copy->data(), copy->size())), copy, "test");
}

}  // namespace clipnext::weights
