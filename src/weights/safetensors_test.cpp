#include "weights/safetensors.h"

#include <cstring>

#include "weights/test_files.h"

namespace clipnext::weights {
namespace {

std::string file_of(const std::string& header, size_t data_bytes) {
  const uint64_t size = header.size();
  std::string file(sizeof size, '\0');
  std::memcpy(file.data(), &size, sizeof size);
  return file + header + std::string(data_bytes, '\1');
}

std::string refusal(const std::string& header, size_t data_bytes) {
  return error_of([&] { read_bytes(file_of(header, data_bytes)); });
}

TEST(Safetensors, ReadsEveryTypeWithoutCopying) {
  const Checkpoint checkpoint = open_checkpoint(fixture("plain.safetensors"));
  EXPECT_EQ(checkpoint.format, Format::kSafetensors);
  EXPECT_EQ(checkpoint.metadata.at("format"), "pt");
  EXPECT_EQ(checkpoint.tensors.size(), 12U);
  expect_plain(checkpoint.tensors);
  for (const auto& [name, tensor] : checkpoint.tensors) {
    EXPECT_EQ(tensor.owner, checkpoint.tensors.at("f32").owner) << name;
  }
}

TEST(Safetensors, WritesTheBytesOfTheReferenceWriter) {
  const TestFolder scratch;
  const Checkpoint checkpoint = open_checkpoint(fixture("plain.safetensors"));
  write_safetensors(scratch / "x.safetensors", checkpoint.tensors, checkpoint.metadata);
  EXPECT_EQ(read_file(scratch / "x.safetensors"), read_file(fixture("plain.safetensors")));
}

TEST(Safetensors, WritesNoTensorsAtAll) {
  const TestFolder scratch;
  write_safetensors(scratch / "x.safetensors", {});
  EXPECT_TRUE(open_checkpoint(scratch / "x.safetensors").tensors.empty());
}

TEST(Safetensors, RefusesNamesThatAreNotUtf8) {
  const TestFolder scratch;
  const TensorMap tensors{{"\xff", make_tensor({}, formula(1, 1))}};
  expect_contains(error_of([&] { write_safetensors(scratch / "x", tensors); }), "UTF-8");
  EXPECT_FALSE(std::filesystem::exists(scratch / "x"));
}

TEST(Safetensors, IgnoresPaddingAndUnknownMembers) {
  const std::string header =
      R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"note":{"a":[1]}}}   )";
  EXPECT_EQ(read_bytes(file_of(header, 4)).tensors.size(), 1U);
}

TEST(Safetensors, RefusesWhatTheReferenceRefuses) {
  const std::string one = R"("w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  expect_contains(error_of([] { open_checkpoint(fixture("gap.safetensors")); }), "gap");
  expect_contains(refusal("{" + one + "}", 5), "5 bytes are there");
  expect_contains(refusal("{" + one + "}", 3), "truncated");
  expect_contains(refusal("{" + one + "," + one + "}", 4), "twice");
  expect_contains(
      refusal("{" + one + R"(,"v":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4),
      "not overlap");
  expect_contains(refusal(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4),
                  "takes 8 bytes");
  expect_contains(refusal(R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4),
                  "before its begin");
  expect_contains(refusal(R"({"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4),
                  "whole number");
  expect_contains(
      refusal(R"({"w":{"dtype":"F32","shape":[4611686018427387905,4],"data_offsets":[0,4]}})", 4),
      "overflows");
  expect_contains(
      refusal(R"({"w":{"dtype":"F32","shape":[0,9223372036854775807,4],"data_offsets":[0,0]}})", 0),
      "overflows");
  expect_contains(refusal(R"({"w":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}})", 1),
                  "F8_E4M3");
  expect_contains(refusal(R"({"__metadata__":{"a":1}})", 0), "not a string");
  expect_contains(refusal("{" + one, 4), "JSON");
  expect_contains(refusal("{\"\xff\":1}", 0), "JSON");
  expect_contains(refusal("{" + one + "}x", 4), "JSON");
  const std::string whole = file_of("{" + one + "}", 4);
  expect_contains(error_of([&] { read_bytes(whole.substr(0, 20)); }), "ends too early");
}

}  // namespace
}  // namespace clipnext::weights
