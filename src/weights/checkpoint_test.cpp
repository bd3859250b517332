#include "weights/checkpoint.h"

#include "weights/test_files.h"

namespace clipnext::weights {
namespace {

using namespace std::string_literals;

TEST(Checkpoint, SaysWhatElseAFileIs) {
  const auto refusal = [](const std::string& bytes) {
    return error_of([&] { read_bytes(bytes); });
  };
  expect_contains(refusal(""), "is empty");
  expect_contains(refusal("<!DOCTYPE html><html>"), "web page");
  expect_contains(refusal("  \n<html lang"), "web page");
  expect_contains(refusal("version https://git-lfs.github.com/spec/v1\noid"), "git lfs pull");
  expect_contains(refusal("\x1f\x8b\x08"), "gzip");
  expect_contains(refusal("\x89HDF\r\n"), "HDF5");
  expect_contains(refusal(read_file(fixture("bare.pkl"))), "bare Python pickle");
  expect_contains(refusal("just some text in a file"), "known kind");
  expect_contains(refusal("PK\3\4 and no directory"), "truncated");
  expect_contains(error_of([] { open_checkpoint(fixture("")); }), "is a folder");
  expect_contains(error_of([] { open_checkpoint("/no/such/file"); }), "No such file");
}

TEST(Checkpoint, MessagesBeginWithTheFile) {
  const std::string path = fixture("big_endian.pt").string();
  EXPECT_EQ(error_of([&] { open_checkpoint(path); }).find(path), 0U);
}

TEST(Checkpoint, RefusesAZipOfSomethingElse) {
  std::string bytes = read_file(fixture("plain.npz"));
  for (size_t at = bytes.find(".npy"); at != std::string::npos; at = bytes.find(".npy", at)) {
    bytes.replace(at, 4, ".txt");
  }
  expect_contains(error_of([&] { read_bytes(bytes); }), "neither");
}

TEST(Checkpoint, DropsWrappersFromNames) {
  const auto names = [](const std::vector<std::string>& written) {
    const TestFolder scratch;
    TensorMap tensors;
    for (const std::string& name : written) tensors[name] = make_tensor({}, formula(1, 1));
    write_safetensors(scratch / "x", tensors);
    std::vector<std::string> read;
    for (const auto& [name, tensor] : open_checkpoint(scratch / "x").tensors) read.push_back(name);
    return read;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names({"module.a", "module.b.c"}), (Names{"a", "b.c"}));
  EXPECT_EQ(names({"_orig_mod.a", "_orig_mod.b"}), (Names{"a", "b"}));
  EXPECT_EQ(names({"module._orig_mod.a"}), (Names{"a"}));
  EXPECT_EQ(names({"_orig_mod.module.a"}), (Names{"a"}));
  EXPECT_EQ(names({"text.a", "visual._orig_mod.b"}), (Names{"text.a", "visual.b"}));
  // One name without the prefix: it is part of the names.
  EXPECT_EQ(names({"module.a", "other"}), (Names{"module.a", "other"}));
  EXPECT_EQ(names({"submodule.a", "x_orig_mod.b"}), (Names{"submodule.a", "x_orig_mod.b"}));
  expect_contains(error_of([&] { names({"a", "_orig_mod.a"}); }), "with and without");
}

TEST(Checkpoint, TensorsOutliveTheCheckpoint) {
  Tensor tensor;
  {
    const Checkpoint checkpoint = open_checkpoint(fixture("plain.pt"));
    tensor = checkpoint.tensors.at("f32");
  }
  EXPECT_EQ(to_f32(tensor), formula(1, 6));
}

TEST(Checkpoint, EveryFormatConvertsToEveryOther) {
  const TestFolder scratch;
  for (const char* from : {"plain.safetensors", "plain.pt", "plain.legacy.pt"}) {
    const TensorMap tensors = open_checkpoint(fixture(from)).tensors;
    write_safetensors(scratch / "x.safetensors", tensors);
    write_torch_zip(scratch / "x.pt", tensors);
    write_npz(scratch / "x.npz", tensors);
    expect_plain(open_checkpoint(scratch / "x.safetensors").tensors);
    expect_plain(open_checkpoint(scratch / "x.pt").tensors);
    expect_plain(open_checkpoint(scratch / "x.npz").tensors, /*with_bf16=*/false);
  }
}

}  // namespace
}  // namespace clipnext::weights
