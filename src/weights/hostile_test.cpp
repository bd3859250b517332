// Every reader of this folder against truncated and corrupt files.
#include "hostile/mutate.h"
#include "weights/checkpoint.h"
#include "weights/pickle.h"
#include "weights/test_files.h"
#include "weights/torch_tensor.h"
#include "weights/torch_value.h"
#include "weights/zip.h"

namespace clipnext::weights {
namespace {

using namespace std::string_literals;

// The stated bound: what strided views may copy (64 MiB, or four times a larger file), what deflate
// can reach (1032 times the file), and small change for names and headers.
constexpr int64_t kPeakBytes = (int64_t{64} << 20) + (int64_t{8} << 20);

void parse(std::span<const std::byte> bytes) {
  const Checkpoint checkpoint = read_checkpoint(bytes, nullptr, "mutant");
  for (const auto& [name, tensor] : checkpoint.tensors) {
    // Every byte must be there to read.
    if (tensor.data.size() < size_t{1} << 20) to_f32(tensor);
  }
}

void survive(const std::string& file) {
  hostile::expect_survives(read_file(fixture(file)), parse,
                           {.peak_bytes = kPeakBytes, .seconds = 5});
}

TEST(HostileWeights, Safetensors) { survive("plain.safetensors"); }
TEST(HostileWeights, TorchZip) { survive("plain.pt"); }
TEST(HostileWeights, TorchZipStrided) { survive("strided.pt"); }
TEST(HostileWeights, TrainingCheckpoint) { survive("training.pt"); }
TEST(HostileWeights, TorchScript) { survive("script.pt"); }
TEST(HostileWeights, TorchLegacy) { survive("plain.legacy.pt"); }
TEST(HostileWeights, TorchLegacyStrided) { survive("strided.legacy.pt"); }
TEST(HostileWeights, Zip64) { survive("zip64.pt"); }
TEST(HostileWeights, Npz) { survive("plain.npz"); }
TEST(HostileWeights, DeflatedNpz) { survive("compressed.npz"); }
TEST(HostileWeights, NpyFortran) { survive("fortran.npy"); }

// Without the archive, whose checksum stops most mutants before the pickle is read.
TEST(HostileWeights, PickleAlone) {
  for (const char* file : {"training.pt", "script.pt"}) {
    const std::string archive = read_file(fixture(file));
    const size_t begin = archive.find("\x80\x02");
    ASSERT_NE(begin, std::string::npos);
    hostile::expect_survives(
        std::string_view(archive).substr(begin),
        [](std::span<const std::byte> bytes) { read_pickle(bytes, is_torch_global, "mutant"); },
        {.peak_bytes = int64_t{4} << 20});
  }
}

// A legacy file around an object's pickle, for objects that no torch.save makes.
std::string legacy_file(const std::string& object) {
  return "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}.\x80\x02"s +
         object + ".\x80\x02](X\x01\0\0\0000e.\x04\0\0\0\0\0\0\0"s + std::string(16, '\0');
}

std::string text(const std::string& value) {
  std::string out = "X";
  const auto size = static_cast<uint32_t>(value.size());
  out.append(reinterpret_cast<const char*>(&size), sizeof size);
  return out + value;
}

std::string tensor(const std::string& offset, const std::string& shape,
                   const std::string& strides) {
  return "ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") + "ctorch\nFloatStorage\n" +
         text("0") + text("cpu") + "K\x04NtQ" + offset + "(" + shape + "t(" + strides + "t\x89NtR";
}

std::string one_tensor(const std::string& offset, const std::string& shape,
                       const std::string& strides) {
  return legacy_file("}" + text("w") + tensor(offset, shape, strides) + "s");
}

constexpr const char* kHuge = "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f";

TEST(HostileTensor, TheFileItselfIsRead) {
  EXPECT_EQ(read_bytes(one_tensor("K\1", "K\3", "K\1")).tensors.at("w").shape, Shape{3});
  EXPECT_EQ(read_bytes(one_tensor("K\4", "K\0"s, "K\1")).tensors.at("w").numel(), 0);
}

TEST(HostileTensor, MayNotReachBeyondItsStorage) {
  expect_contains(error_of([] { read_bytes(one_tensor("K\2", "K\3", "K\1")); }),
                  "reaches element 5");
  expect_contains(error_of([] { read_bytes(one_tensor("K\5", "K\0"s, "K\1")); }), "reaches");
  expect_contains(error_of([] { read_bytes(one_tensor("K\0"s, "K\2", "K\4")); }), "reaches");
  expect_contains(error_of([] { read_bytes(one_tensor(kHuge, "K\2", "K\1")); }), "overflows");
  expect_contains(error_of([] { read_bytes(one_tensor("K\0"s, "K\3", kHuge)); }), "overflows");
  expect_contains(error_of([] { read_bytes(one_tensor("K\0"s, "K\4"s + kHuge, "K\1K\0"s)); }),
                  "overflows");
  expect_contains(error_of([] { read_bytes(one_tensor("J\xff\xff\xff\xff", "K\1", "K\1")); }),
                  "offset");
  expect_contains(error_of([] { read_bytes(one_tensor("K\3", "K\2", "J\xff\xff\xff\xff")); }),
                  "strides");
}

TEST(HostileTensor, AStrideNeverSteppedAlongIsHarmless) {
  const Checkpoint checkpoint = read_bytes(one_tensor("K\0"s, "K\1K\2", kHuge + "K\2"s));
  EXPECT_EQ(checkpoint.tensors.at("w").shape, (Shape{1, 2}));
}

TEST(HostileTensor, ZeroStridesAreNoBomb) {
  const auto bomb = one_tensor("K\0"s, "J\0\0\0\x10J\0\0\0\x10"s, "K\0K\0"s);
  expect_contains(error_of([&] { read_bytes(bomb); }), "far larger than the file");
  // Nor are many small ones.
  std::string many = "}(";
  for (int i = 0; i < 100; ++i)
    many += text(std::to_string(i)) + tensor("K\0"s, "J\0\0\x10\0"s, "K\0"s);
  expect_contains(error_of([&] { read_bytes(legacy_file(many + "u")); }), "far larger");
}

TEST(HostileTensor, SharedModulesAreNoBomb) {
  // Each level holds the level below twice: 2^60 paths.
  std::string levels = "}q\0"s + text("x") + "Ns0"s;
  for (char i = 0; i < 60; ++i) {
    levels +=
        "}q"s + static_cast<char>(i + 1) + "(" + text("a") + "h" + i + text("b") + "h" + i + "u0";
  }
  levels += "h\x3c";
  const TestFolder scratch;
  FileWriter file(scratch / "x.pt");
  ZipWriter zip(file);
  zip.add("x/data.pkl", "\x80\x02" + levels + ".");
  zip.add("x/constants.pkl", "");
  zip.finish();
  file.commit();
  expect_contains(error_of([&] { open_checkpoint(scratch / "x.pt"); }), "without end");
}

void survive_as_values(const std::string& file) {
  const auto read = [](std::span<const std::byte> bytes) {
    read_torch_values(bytes, nullptr, "mutant", /*verify_bytes=*/true);
  };
  hostile::expect_survives(read_file(fixture(file)), read,
                           {.peak_bytes = kPeakBytes, .seconds = 5});
}

TEST(HostileValues, TrainingCheckpoint) { survive_as_values("training.pt"); }
TEST(HostileValues, LegacyFile) { survive_as_values("strided.legacy.pt"); }

// What a legacy file around one object unfolds to.
std::string value_error(const std::string& object) {
  const std::string file = legacy_file(object);
  return error_of([&] {
    read_torch_values(std::as_bytes(std::span(file.data(), file.size())), nullptr, "test");
  });
}

TEST(HostileValues, AListInItselfHasNoEnd) {
  expect_contains(
      value_error("}" + text("w") + tensor("K\0"s, "K\1", "K\1") + "s" + text("x") + "]q\1h\1as"),
      "without end");
}

TEST(HostileValues, SharedListsAreNoBomb) {
  // Each level holds the level below twice: 2^30 items.
  std::string levels = "(]q\0"s;
  for (int i = 0; i < 30; ++i) {
    levels += "]q"s + static_cast<char>(i + 1) + "(h" + static_cast<char>(i) + "h" +
              static_cast<char>(i) + "e";
  }
  expect_contains(
      value_error("}" + text("w") + tensor("K\0"s, "K\1", "K\1") + "s" + text("x") + levels + "ts"),
      "by the hundred thousand");
}

TEST(HostileValues, SharedTextIsNoBomb) {
  std::string many = text(std::string(1 << 20, 'a')) + "q\0]("s;
  for (int i = 0; i < 100; ++i) many += "h\0"s;
  expect_contains(value_error("(" + tensor("K\0"s, "K\1", "K\1") + many + "et"), "bytes of text");
}

TEST(HostileValues, AKeyMustBeTextOrANumber) {
  expect_contains(value_error("}G\0\0\0\0\0\0\0\0"s + tensor("K\0"s, "K\1", "K\1") + "s"),
                  "neither text nor a whole number");
}

}  // namespace
}  // namespace clipnext::weights
