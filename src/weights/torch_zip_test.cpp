#include "weights/torch_zip.h"

#include "weights/test_files.h"

namespace clipnext::weights {
namespace {

void expect_strided(const TensorMap& tensors) {
  expect_tensor(tensors, "transposed", DType::kF32, {3, 2}, formula(1, 6));
  expect_tensor(tensors, "permuted", DType::kF32, {2, 3, 4}, formula(2, 24));
  expect_tensor(tensors, "channels_last", DType::kF32, {1, 3, 2, 2}, formula(3, 12));
  expect_tensor(tensors, "sliced", DType::kF32, {4, 3}, formula(4, 12));
  expect_tensor(tensors, "expanded", DType::kF32, {3, 2}, std::vector<float>(6, 5));
  expect_tensor(tensors, "shared", DType::kF32, {8}, formula(6, 8));
  expect_tensor(tensors, "shared_tail", DType::kF32, {4}, formula(6.5, 4));
  expect_tensor(tensors, "tied", DType::kF32, {8}, formula(6, 8));
  EXPECT_EQ(tensors.at("tied").data.data(), tensors.at("shared").data.data());
  EXPECT_EQ(tensors.at("shared_tail").data.data(), tensors.at("shared").data.data() + 16);
}

void expect_training(const Checkpoint& checkpoint) {
  EXPECT_EQ(checkpoint.tensors.size(), 2U);
  expect_tensor(checkpoint.tensors, "proj.weight", DType::kF32, {2, 3}, formula(1, 6));
  expect_tensor(checkpoint.tensors, "proj.bias", DType::kF32, {2}, formula(2, 2));
  const std::map<std::string, std::string> expected{{"epoch", "3"},
                                                    {"name", "tiny-run"},
                                                    {"global_step", "1234567890123"},
                                                    {"samples_seen", "4096"},
                                                    {"lr", "5e-04"}};
  EXPECT_EQ(checkpoint.metadata, expected);
}

TEST(TorchZip, ReadsEveryTypeWithoutCopying) {
  const Checkpoint checkpoint = open_checkpoint(fixture("plain.pt"));
  EXPECT_EQ(checkpoint.format, Format::kTorchZip);
  EXPECT_EQ(checkpoint.tensors.size(), 12U);
  expect_plain(checkpoint.tensors);
  for (const auto& [name, tensor] : checkpoint.tensors) {
    EXPECT_EQ(tensor.owner, checkpoint.tensors.at("f32").owner) << name;
  }
}

TEST(TorchZip, ReadsViewsByTheirStrides) {
  expect_strided(open_checkpoint(fixture("strided.pt")).tensors);
}

TEST(TorchZip, TakesTheStateDictOutOfATrainingCheckpoint) {
  expect_training(open_checkpoint(fixture("training.pt")));
  expect_training(open_checkpoint(fixture("protocol4.pt")));
}

TEST(TorchZip, UnwrapsParameters) {
  expect_tensor(open_checkpoint(fixture("parameters.pt")).tensors, "w", DType::kF32, {2, 3},
                formula(1, 6));
}

TEST(TorchZip, ReadsTypedViewsOfUntypedStorages) {
  expect_tensor(open_checkpoint(fixture("v3.pt")).tensors, "w", DType::kI16, {3}, {3, 3, 3});
  expect_contains(error_of([] { open_checkpoint(fixture("uint16.pt")); }), "torch.uint16");
}

TEST(TorchZip, ReadsZip64) {
  expect_tensor(open_checkpoint(fixture("zip64.pt")).tensors, "w", DType::kF32, {2, 3},
                formula(1, 6));
}

TEST(TorchZip, RefusesBigEndian) {
  expect_contains(error_of([] { open_checkpoint(fixture("big_endian.pt")); }), "big-endian");
}

TEST(TorchZip, RefusesAndNamesACallOfOsSystem) {
  for (const char* file : {"os_system.pt", "os_system.legacy.pt"}) {
    const std::string error = error_of([&] { open_checkpoint(fixture(file)); });
    expect_contains(error, "posix.system");
    expect_contains(error, file);
  }
}

TEST(TorchZip, NoticesADamagedPickle) {
  std::string file = read_file(fixture("plain.pt"));
  const size_t name = file.find("bf16");
  ASSERT_NE(name, std::string::npos);
  file[name] = 'c';
  expect_contains(error_of([&] { read_bytes(file); }), "CRC");
}

TEST(TorchScript, ReadsModulesAsNestedState) {
  const Checkpoint checkpoint = open_checkpoint(fixture("script.pt"));
  EXPECT_EQ(checkpoint.format, Format::kTorchScript);
  const TensorMap& tensors = checkpoint.tensors;
  EXPECT_EQ(tensors.size(), 8U);
  expect_tensor(tensors, "visual.class_embedding", DType::kF32, {4}, formula(1, 4));
  expect_tensor(tensors, "visual.conv1.weight", DType::kF32, {2, 3, 2, 2}, formula(2, 24));
  expect_tensor(tensors, "blocks.0.weight", DType::kF32, {2, 2}, formula(3, 4));
  expect_tensor(tensors, "blocks.1.weight", DType::kF32, {2, 2}, formula(4, 4));
  expect_tensor(tensors, "blocks.0.bias", DType::kF32, {2}, formula(5, 2));
  expect_tensor(tensors, "blocks.1.bias", DType::kF32, {2}, formula(6, 2));
  expect_tensor(tensors, "logit_scale", DType::kF32, {}, formula(7, 1));
  expect_tensor(tensors, "steps", DType::kI64, {}, formula(8, 1));
  EXPECT_EQ(checkpoint.metadata.at("visual.input_resolution"), "8");
  EXPECT_EQ(checkpoint.metadata.at("context_length"), "77");
}

TEST(TorchLegacy, ReadsEveryType) {
  const Checkpoint checkpoint = open_checkpoint(fixture("plain.legacy.pt"));
  EXPECT_EQ(checkpoint.format, Format::kTorchLegacy);
  EXPECT_EQ(checkpoint.tensors.size(), 12U);
  expect_plain(checkpoint.tensors);
}

TEST(TorchLegacy, ReadsViewsByTheirStrides) {
  expect_strided(open_checkpoint(fixture("strided.legacy.pt")).tensors);
}

TEST(TorchWriter, WritesWhatIsReadBack) {
  const TestFolder scratch;
  const Checkpoint checkpoint = open_checkpoint(fixture("plain.pt"));
  write_torch_zip(scratch / "x.pt", checkpoint.tensors);
  const Checkpoint again = open_checkpoint(scratch / "x.pt");
  EXPECT_EQ(again.format, Format::kTorchZip);
  EXPECT_EQ(again.tensors.size(), 12U);
  expect_plain(again.tensors);
}

TEST(TorchWriter, AlignsStoragesAndSharesTiedOnes) {
  const TestFolder scratch;
  write_torch_zip(scratch / "x.pt", open_checkpoint(fixture("strided.pt")).tensors);
  const Checkpoint again = open_checkpoint(scratch / "x.pt");
  EXPECT_EQ(again.tensors.at("tied").data.data(), again.tensors.at("shared").data.data());
  for (const auto& [name, tensor] : again.tensors) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.data.data()) % 64, 0U) << name;
  }
}

TEST(TorchWriter, WritesATensorThatStandsAlone) {
  const TestFolder scratch;
  write_torch_tensor(scratch / "x.pt", make_tensor({2, 3}, formula(1, 6)));
  const Checkpoint again = open_checkpoint(scratch / "x.pt");
  EXPECT_EQ(again.format, Format::kTorchZip);
  EXPECT_EQ(again.tensors.size(), 1U);
  expect_tensor(again.tensors, "arr_0", DType::kF32, {2, 3}, formula(1, 6));
}

TEST(TorchWriter, LeavesTheOldFileWhenItFails) {
  const TestFolder scratch;
  write_file(scratch / "x.pt", "old");
  const std::string long_name(70000, 'a');
  const TensorMap tensors{{long_name, make_tensor({}, formula(1, 1))}};
  EXPECT_THROW(write_npz(scratch / "x.pt", tensors), Error);
  EXPECT_EQ(read_file(scratch / "x.pt"), "old");
}

}  // namespace
}  // namespace clipnext::weights
