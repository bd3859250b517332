#include "weights/torch_value.h"

#include <sys/resource.h>

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <limits>

#include "weights/test_files.h"

namespace clipnext::weights {
namespace {

using Kind = TorchValue::Kind;

const TorchValue& at(const TorchValue& dict, const TorchValue::Key& key) {
  const TorchValue* value = dict.find(key);
  if (value == nullptr) fail("no such key");
  return *value;
}

// One line for a whole tree.
std::string show(const TorchValue& value) {
  switch (value.kind) {
    case Kind::kNone:
      return "None";
    case Kind::kBool:
      return value.integer != 0 ? "True" : "False";
    case Kind::kInt:
      return std::to_string(value.integer);
    case Kind::kFloat:
      return std::to_string(value.number) + "f";
    case Kind::kText:
      return "'" + value.text + "'";
    case Kind::kOther:
      return "<" + value.text + ">";
    case Kind::kTensor: {
      std::string text = std::string(dtype_name(value.tensor.dtype));
      text += format_shape(value.tensor.shape) + ":";
      for (const float x : to_f32(value.tensor)) text += std::to_string(x) + " ";
      return text;
    }
    default:
      break;
  }
  std::string text = value.is(Kind::kList) ? "[" : value.is(Kind::kTuple) ? "(" : "{";
  if (value.ordered) text = "ordered{";
  for (size_t i = 0; i < value.items.size(); ++i) {
    if (value.is(Kind::kDict)) {
      const auto* number = std::get_if<int64_t>(&value.keys[i]);
      text += number != nullptr ? std::to_string(*number) : std::get<std::string>(value.keys[i]);
      text += "=";
    }
    text += show(value.items[i]) + ",";
  }
  return text + ")";
}

TorchValue one_of_each() {
  TorchValue root = torch_dict();
  root.add("none", {});
  root.add("yes", torch_bool(true));
  root.add("no", torch_bool(false));
  root.add("small", torch_int(255));
  root.add("large", torch_int(std::numeric_limits<int64_t>::max()));
  root.add("low", torch_int(std::numeric_limits<int64_t>::min()));
  root.add("minus", torch_int(-1));
  root.add("float", torch_float(-0.1));
  root.add("infinite", torch_float(-std::numeric_limits<double>::infinity()));
  root.add("text", torch_text("gr\xc3\xbc\xc3\x9f dich\n"));
  root.add("", torch_text(""));
  root.add(7, torch_list({torch_int(1), torch_list(), torch_tuple({torch_float(0.9), {}})}));
  TorchValue state = torch_dict(/*ordered=*/true);
  state.add("w", torch_tensor(make_tensor({2, 3}, formula(1, 6))));
  state.add("scalar", torch_tensor(make_tensor({}, formula(2, 1))));
  state.add("empty", torch_tensor(make_tensor({0, 4}, {})));
  root.add("state_dict", state);
  return root;
}

TEST(TorchValues, AreReadAsTheyWereWritten) {
  const TestFolder scratch;
  write_torch_values(scratch / "x.pt", one_of_each());
  const TorchValue again = read_torch_values(scratch / "x.pt", /*verify_bytes=*/true);
  EXPECT_EQ(show(again), show(one_of_each()));
  EXPECT_EQ(at(again, "float").number, -0.1);
  EXPECT_EQ(again.find("absent"), nullptr);
  EXPECT_EQ(again.find(8), nullptr);
  EXPECT_EQ(at(again, 7).items.size(), 3U);
}

TEST(TorchValues, AValueCanStandAlone) {
  const TestFolder scratch;
  write_torch_values(scratch / "x.pt", torch_float(0.5));
  EXPECT_EQ(show(read_torch_values(scratch / "x.pt")), "0.500000f");
}

// As PyTorch 2.15 wrote it (tools/make_weight_fixtures.py), with _metadata on its state_dict.
TEST(TorchValues, ReadAWholeTrainingCheckpoint) {
  for (const char* file : {"training.pt", "protocol4.pt"}) {
    SCOPED_TRACE(file);
    const TorchValue root = read_torch_values(fixture(file), /*verify_bytes=*/true);
    EXPECT_EQ(at(root, "epoch").integer, 3);
    EXPECT_EQ(at(root, "global_step").integer, 1234567890123);
    EXPECT_EQ(at(root, "lr").number, 0.0005);
    EXPECT_EQ(show(at(root, "scaler")), "{)");
    const TorchValue& state = at(root, "state_dict");
    EXPECT_TRUE(state.ordered);
    EXPECT_EQ(at(state, "module._orig_mod.proj.weight").tensor.shape, (Shape{2, 3}));

    const TorchValue& optimizer = at(root, "optimizer");
    EXPECT_FALSE(optimizer.ordered);
    const TorchValue& group = at(optimizer, "param_groups").items.at(0);
    EXPECT_EQ(show(at(group, "params")), "[0,1,)");
    EXPECT_EQ(show(at(group, "foreach")), "None");
    EXPECT_EQ(show(at(group, "amsgrad")), "False");
    EXPECT_TRUE(at(group, "betas").is(Kind::kTuple));
    EXPECT_EQ(at(group, "betas").items.at(1).number, 0.999);
    const TorchValue& first = at(at(optimizer, "state"), 0);
    EXPECT_EQ(show(at(first, "step")), "F32[]:1.000000 ");
    EXPECT_EQ(at(first, "exp_avg_sq").tensor.shape, (Shape{2, 3}));
  }
}

TEST(TorchValues, ReadLegacyFiles) {
  const TorchValue root = read_torch_values(fixture("plain.legacy.pt"));
  EXPECT_EQ(root.items.size(), 12U);
  EXPECT_EQ(to_f32(at(root, "f32").tensor), formula(1, 6));
}

TEST(TorchValues, LeaveTensorsInTheFile) {
  const TorchValue root = read_torch_values(fixture("plain.pt"));
  EXPECT_EQ(at(root, "f32").tensor.owner, at(root, "bf16").tensor.owner);
}

TEST(TorchValues, ShareTheStorageOfTiedTensors) {
  const TestFolder scratch;
  const Tensor tensor = make_tensor({1000}, formula(1, 1000));
  write_torch_values(scratch / "x.pt", torch_list({torch_tensor(tensor), torch_tensor(tensor)}));
  EXPECT_LT(std::filesystem::file_size(scratch / "x.pt"), 6000U);
  const TorchValue again = read_torch_values(scratch / "x.pt");
  EXPECT_EQ(again.items[0].tensor.data.data(), again.items[1].tensor.data.data());
}

TEST(TorchValues, NoticeADamagedTensorIfAskedTo) {
  std::string file = read_file(fixture("training.pt"));
  const std::vector<float> values = formula(1, 6);
  const size_t data = file.find({reinterpret_cast<const char*>(values.data()), 24});
  ASSERT_NE(data, std::string::npos);
  file[data] = 1;
  const auto bytes = std::as_bytes(std::span(file.data(), file.size()));
  EXPECT_NO_THROW(read_torch_values(bytes, nullptr, "x.pt"));
  const std::string error = error_of([&] { read_torch_values(bytes, nullptr, "x.pt", true); });
  expect_contains(error, "x.pt: record archive/data/0");
  expect_contains(error, "damaged");
}

TEST(TorchValues, SayWhatIsNotOfTorchSave) {
  expect_contains(error_of([] { read_torch_values(fixture("plain.safetensors")); }),
                  "not a file of torch.save");
  expect_contains(error_of([] { read_torch_values(fixture("plain.npz")); }),
                  "without a PyTorch pickle");
  expect_contains(error_of([] { read_torch_values(fixture("script.pt")); }), "TorchScript");
  expect_contains(error_of([] { read_torch_values(fixture("os_system.pt")); }), "posix.system");
  const TestFolder scratch;
  TorchValue other;
  other.kind = Kind::kOther;
  other.text = "torch.device";
  expect_contains(error_of([&] { write_torch_values(scratch / "x.pt", other); }), "torch.device");
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path()));
}

TEST(TorchValues, AFullDiskLeavesTheOldFileAndNothingElse) {
  const TestFolder scratch;
  write_torch_values(scratch / "x.pt", torch_int(1));
  const std::string before = read_file(scratch / "x.pt");
  // A limit on the size of files is the full disk that every machine has.
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  rlimit small = old;
  small.rlim_cur = 1 << 16;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const TorchValue large = torch_tensor(make_tensor({1 << 16}, formula(1, 1 << 16)));
  const std::string error = error_of([&] { write_torch_values(scratch / "x.pt", large); });
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
  std::signal(SIGXFSZ, handler);
  expect_contains(error, "x.pt: cannot write");
  EXPECT_EQ(read_file(scratch / "x.pt"), before);
  const std::filesystem::directory_iterator files(scratch.path());
  EXPECT_EQ(std::distance(begin(files), end(files)), 1);
}

// The headline model's checkpoint has 4.2 GB: 64-bit sizes and offsets in the archive.
TEST(SlowTorchValues, GoBeyondFourGigabytes) {
  const TestFolder scratch;
  constexpr int64_t kLarge = (int64_t{1} << 30) + 1000;  // float32
  const std::shared_ptr<void> zeros(std::calloc(kLarge, 4), std::free);
  ASSERT_NE(zeros, nullptr);
  const std::span bytes(static_cast<const std::byte*>(zeros.get()), size_t{kLarge} * 4);
  TorchValue dict = torch_dict();
  dict.add("large", torch_tensor({DType::kF32, {kLarge}, bytes, zeros}));
  dict.add("behind", torch_tensor(make_tensor({2, 3}, formula(1, 6))));
  const char* kept = std::getenv("CLIPNEXT_KEEP_CHECKPOINTS");
  const auto path = kept != nullptr ? std::filesystem::path(kept) / "large.pt" : scratch / "x.pt";
  write_torch_values(path, dict);
  const TorchValue again = read_torch_values(path, /*verify_bytes=*/true);
  EXPECT_EQ(at(again, "large").tensor.shape, (Shape{kLarge}));
  EXPECT_EQ(to_f32(at(again, "behind").tensor), formula(1, 6));
}

}  // namespace
}  // namespace clipnext::weights
