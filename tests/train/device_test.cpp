// The commands over libtorch, on the processor, against the program's own kernels: all that
// --device goes through but the GPU.
#include <algorithm>
#include <cmath>

#include "e2e/program.h"
#include "weights/checkpoint.h"

namespace clipnext::e2e {
namespace {

using Args = std::vector<std::string>;

const std::string kPictures = source_path("examples/emoji/pictures");

class TorchCommands : public Program {
 protected:
  /// In a cache of this test's own; both programs use it.
  Outcome run_in(const std::string& program, Args args) const {
    return run({.args = std::move(args),
                // The latter as `clipnext` sets it for the other program.
                .environment = {{"CLIPNEXT_CACHE", path("cache")}, {"GOMP_SPINCOUNT", "30000"}},
                .program = program});
  }
  Outcome native(Args args) const { return run_in(CLIPNEXT_PROGRAM, std::move(args)); }
  Outcome torch(Args args) const {
    args.insert(args.end(), {"--device", "cpu"});
    return run_in(std::string(CLIPNEXT_PROGRAM) + "-torch", std::move(args));
  }

  /// The JSON of both, which have the same members in the same order.
  std::pair<OrderedJson, OrderedJson> both(const Args& args) const {
    const Outcome a = native(args), b = torch(args);
    EXPECT_EQ(a.status, 0) << a.err;
    EXPECT_EQ(b.status, 0) << b.err;
    std::pair<OrderedJson, OrderedJson> found{OrderedJson::parse(a.out), OrderedJson::parse(b.out)};
    EXPECT_EQ(keys(found.first), keys(found.second));
    return found;
  }

  static Args keys(const OrderedJson& object) {
    Args names;
    for (const auto& [name, value] : object.items()) names.push_back(name);
    return names;
  }

  /// The vectors that a program writes.
  std::vector<float> embedded(const std::string& program, Args args) const {
    const std::string out = path("vectors.npy");
    args.insert(args.begin(), "embed");
    args.insert(args.end(), {"--out", out});
    const Outcome outcome = program == "native" ? native(args) : torch(args);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return weights::to_f32(weights::open_checkpoint(out).tensors.begin()->second);
  }

  void expect_near(const std::vector<float>& found, const std::vector<float>& want,
                   double tolerance) const {
    ASSERT_EQ(found.size(), want.size());
    double most = 0;
    for (size_t i = 0; i < found.size(); ++i)
      most = std::max<double>(most, std::abs(found[i] - want[i]));
    EXPECT_LE(most, tolerance);
  }
};

TEST_F(TorchCommands, EmbedGivesTheSameVectors) {
  const std::string texts = write("texts.txt", "a cat\nan emoji of a taxi\n\na dog\n");
  for (const Args& args : {Args{"--images", kPictures}, Args{"--texts", texts}}) {
    expect_near(embedded("torch", args), embedded("native", args), 1e-5);
  }
}

TEST_F(TorchCommands, VectorsDoNotDependOnThreads) {
  expect_near(embedded("torch", {"--images", kPictures, "--threads", "1"}),
              embedded("torch", {"--images", kPictures, "--threads", "2"}), 1e-6);
}

TEST_F(TorchCommands, Bf16IsNear) {
  const auto found = embedded("torch", {"--images", kPictures, "--dtype", "bf16"});
  const auto want = embedded("native", {"--images", kPictures});
  ASSERT_EQ(found.size(), want.size());
  EXPECT_NE(found, want);
  constexpr size_t kDim = 128;
  for (size_t row = 0; row < found.size(); row += kDim) {
    double cosine = 0, norm = 0;
    for (size_t i = row; i < row + kDim; ++i) {
      cosine += static_cast<double>(found[i]) * want[i];
      norm += static_cast<double>(found[i]) * found[i];
    }
    EXPECT_GE(cosine, 0.999);
    EXPECT_NEAR(norm, 1, 1e-5);  // normalised in float32
  }
}

TEST_F(TorchCommands, ClassifyAndSimilaritySayTheSame) {
  const auto [a, b] = both({"classify", kPictures, "--labels", "cactus,elephant,taxi,trophy",
                            "--template", "an emoji of {}", "--json"});
  ASSERT_EQ(a["images"].size(), b["images"].size());
  for (size_t i = 0; i < a["images"].size(); ++i) {
    const OrderedJson &left = a["images"][i], &right = b["images"][i];
    EXPECT_EQ(left["image"], right["image"]);
    ASSERT_EQ(left["predictions"].size(), right["predictions"].size());
    for (size_t k = 0; k < left["predictions"].size(); ++k) {
      EXPECT_EQ(left["predictions"][k]["label"], right["predictions"][k]["label"]);
      EXPECT_NEAR(left["predictions"][k]["similarity"].get<double>(),
                  right["predictions"][k]["similarity"].get<double>(), 1e-5);
    }
  }
  const auto [c, d] = both({"similarity", kPictures, "--text", "a taxi", "--json"});
  for (size_t i = 0; i < c["similarity"].size(); ++i) {
    EXPECT_NEAR(c["similarity"][i][0].get<double>(), d["similarity"][i][0].get<double>(), 1e-5);
  }
}

TEST_F(TorchCommands, EvalMeasuresTheSameAndSaysOnWhat) {
  const auto eval = [&](const std::string& output) {
    return Args{"eval",
                "--model",
                "demo",
                "--pretrained",
                "tag",
                "--dataset",
                "wds/unseen",
                "--dataset_root",
                source_path("examples/emoji/{dataset}"),
                "--output",
                output,
                "--cache_features",
                "--feature_root",
                path("features")};
  };
  // The second finds what the first kept, and must not take it.
  ASSERT_EQ(native(eval(path("native.json"))).status, 0);
  const Outcome outcome = torch(eval(path("torch.json")));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(read(path("native.json")), read(path("torch.json")));
  const Json details = Json::parse(read(path("torch.json.details")));
  EXPECT_EQ(details["isa"], "libtorch cpu");
  EXPECT_EQ(details["dtype"], "fp32");
  const auto files = std::distance(std::filesystem::recursive_directory_iterator(path("features")),
                                   std::filesystem::recursive_directory_iterator());
  ASSERT_EQ(torch(eval(path("again.json"))).status, 0);
  EXPECT_EQ(std::distance(std::filesystem::recursive_directory_iterator(path("features")),
                          std::filesystem::recursive_directory_iterator()),
            files)
      << "found again";
  EXPECT_EQ(read(path("again.json")), read(path("torch.json")));
}

TEST_F(TorchCommands, BenchTimesOneCaseWithoutACeiling) {
  for (const char* tower : {"image", "text"}) {
    const auto [a, b] = both(
        {"bench", "--tower", tower, "--batch", "3", "--threads", "1", "--min-time", "0", "--json"});
    EXPECT_TRUE(b["share_of_ceiling"].is_null());
    EXPECT_EQ(b["isa"], "libtorch cpu");
    EXPECT_EQ(b["tower"], tower);
    EXPECT_EQ(b["batch"], 3);
    EXPECT_EQ(b["threads"], 1);
    EXPECT_EQ(b["flops_per_item"], a["flops_per_item"]);
    EXPECT_GT(b["seconds_per_item"].get<double>(), 0);
  }
  const Outcome text = torch({"bench", "--batch", "1", "--dtype", "bf16", "--min-time", "0"});
  EXPECT_EQ(text.status, 0) << text.err;
  EXPECT_NE(text.out.find(", bf16, libtorch cpu\n"), std::string::npos) << text.out;
  expect_error(torch({"bench"}), 2, "--batch");
}

TEST_F(TorchCommands, RefuseWhatOnlyOurKernelsCompute) {
  const Args embed = {"embed", picture("taxi"), "--out", path("x.npy")};
  Args args = embed;
  args.insert(args.end(), {"--dtype", "int8"});
  expect_error(torch(args), 1, "--dtype int8");
  ASSERT_EQ(native({"convert", source_path("models/emoji-convnext-atto"),
                    path("packed.safetensors"), "--packed"})
                .status,
            0);
  args = embed;
  args.insert(args.end(), {"--model", path("packed.safetensors")});
  const Outcome packed = torch(args);
  expect_error(packed, 1, "packed for the kernels of a processor");
  EXPECT_NE(packed.err.find("emoji-convnext-atto"), std::string::npos) << packed.err;
}

TEST_F(TorchCommands, AGpuThatIsNotThereIsAnErrorNotTheProcessor) {
  const Outcome outcome =
      native({"embed", picture("taxi"), "--out", path("x.npy"), "--device", "cuda:99"});
  expect_error(outcome, 1, "--device cuda:99: ");
  EXPECT_FALSE(std::filesystem::exists(path("x.npy")));
}

TEST_F(TorchCommands, OtherCommandsAreThoseOfTheOtherProgram) {
  EXPECT_EQ(run_in(std::string(CLIPNEXT_PROGRAM) + "-torch", {"--help"}).out,
            native({"--help"}).out);
}

}  // namespace
}  // namespace clipnext::e2e
