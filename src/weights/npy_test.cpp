#include "weights/npy.h"

#include "weights/npy_header.h"
#include "weights/test_files.h"

namespace clipnext::weights {
namespace {

// A version 1 array of float32 with this header text.
std::string array_of(const std::string& header, size_t data_bytes) {
  std::string file("\x93NUMPY\x01\0", 8);
  file += static_cast<char>(header.size());
  file += '\0';
  return file + header + std::string(data_bytes, '\0');
}

std::string refusal(const std::string& header, size_t data_bytes = 4) {
  return error_of([&] { read_bytes(array_of(header, data_bytes)); });
}

TEST(Npy, ReadsAllVersions) {
  for (const char* file : {"c_order.npy", "version2.npy", "version3.npy"}) {
    const Checkpoint checkpoint = open_checkpoint(fixture(file));
    EXPECT_EQ(checkpoint.format, Format::kNpy);
    expect_tensor(checkpoint.tensors, "arr_0", DType::kF32, {2, 3}, formula(1, 6));
  }
}

TEST(Npy, ReadsFortranOrder) {
  expect_tensor(open_checkpoint(fixture("fortran.npy")).tensors, "arr_0", DType::kF32, {2, 3, 2},
                formula(1, 12));
}

TEST(Npy, WritesTheBytesNumpyWrites) {
  const TestFolder scratch;
  const Tensor tensor = make_tensor({2, 3}, formula(1, 6));
  write_npy(scratch / "x.npy", tensor);
  EXPECT_EQ(read_file(scratch / "x.npy"), read_file(fixture("c_order.npy")));
}

TEST(Npy, WritesBFloat16AsFloat32) {
  const TestFolder scratch;
  write_npy(scratch / "x.npy", convert(make_tensor({3}, formula(3, 3)), DType::kBF16));
  expect_tensor(open_checkpoint(scratch / "x.npy").tensors, "arr_0", DType::kF32, {3},
                formula(3, 3));
}

TEST(Npy, RefusesWhatIsNotAPlainArray) {
  expect_contains(error_of([] { open_checkpoint(fixture("big_endian.npy")); }), "big-endian");
  const std::string rest = "'fortran_order': False, 'shape': (1,)}";
  EXPECT_EQ(read_bytes(array_of("{'descr': '<f4', " + rest, 4)).tensors.size(), 1U);
  expect_contains(refusal("{'descr': '|O', " + rest), "'|O' is not supported");
  expect_contains(refusal("{'descr': '<f4', " + rest, 5), "takes 4 bytes");
  expect_contains(refusal("{'descr': [('a', '<f4')], " + rest), "malformed");
  expect_contains(refusal("{'descr': '<f4', " + rest + " x"), "after its end");
  expect_contains(refusal("{" + rest), "lacks");
  expect_contains(refusal("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}"), "bad size");
  expect_contains(
      refusal("{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 2)}"),
      "overflows");
  expect_contains(refusal("{'descr': '<f4', 'fortran_order': no, 'shape': (1,)}"), "True or False");
}

TEST(Npz, ReadsStoredArraysWithoutCopying) {
  const Checkpoint checkpoint = open_checkpoint(fixture("plain.npz"));
  EXPECT_EQ(checkpoint.format, Format::kNpz);
  EXPECT_EQ(checkpoint.tensors.size(), 11U);
  expect_plain(checkpoint.tensors, /*with_bf16=*/false);
  EXPECT_EQ(checkpoint.tensors.at("f32").owner, checkpoint.tensors.at("f64").owner);
}

TEST(Npz, ReadsDeflatedArrays) {
  const Checkpoint checkpoint = open_checkpoint(fixture("compressed.npz"));
  expect_plain(checkpoint.tensors, /*with_bf16=*/false);
  EXPECT_EQ(to_f32(checkpoint.tensors.at("zeros")), std::vector<float>(5000));
}

TEST(Npz, WritesWhatIsReadBack) {
  const TestFolder scratch;
  TensorMap tensors = open_checkpoint(fixture("plain.npz")).tensors;
  tensors["bf16"] = convert(make_tensor({3}, formula(3, 3)), DType::kBF16);
  write_npz(scratch / "x.npz", tensors);
  const Checkpoint again = open_checkpoint(scratch / "x.npz");
  expect_plain(again.tensors, /*with_bf16=*/false);
  expect_tensor(again.tensors, "bf16", DType::kF32, {3}, formula(3, 3));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(again.tensors.at("f64").data.data()) % 64, 0U);
}

}  // namespace
}  // namespace clipnext::weights
