// tokenize, similarity, preprocess.
#include "base/text_lines.h"
#include "e2e/program.h"
#include "weights/checkpoint.h"

namespace clipnext::e2e {
namespace {

std::vector<Json> json_lines(const Outcome& outcome) {
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  std::vector<Json> values;
  for (const std::string& line : split_lines(outcome.out)) values.push_back(Json::parse(line));
  return values;
}

TEST_F(Program, TokenizePrintsOnePaddedArrayALine) {
  const std::string texts = write("t.txt", "a photo of a cat\nhello world\n");
  const std::vector<Json> rows = json_lines(run({"tokenize", "--texts", texts, "--json"}));
  ASSERT_EQ(rows.size(), 2U);
  std::vector<int> cat = {49406, 320, 1125, 539, 320, 2368, 49407};
  cat.resize(77);
  EXPECT_EQ(rows[0].get<std::vector<int>>(), cat);
  EXPECT_EQ(rows[1].size(), 77U);

  const std::string json = write("t.json", R"(["a photo of a cat", "hello world"])");
  EXPECT_EQ(json_lines(run({"tokenize", "--texts-json", json, "--json"})), rows);
  EXPECT_EQ(json_lines(run({"tokenize", "a photo of a cat", "hello world", "--json"})), rows);
  EXPECT_EQ(json_lines(run({.args = {"tokenize", "--texts", "-", "--json"}, .input = read(texts)})),
            rows);
}

TEST_F(Program, TokenizeUsesTheModelsContextOrTheOneGiven) {
  const std::string model = source_path("models/emoji-convnext-atto");
  EXPECT_EQ(json_lines(run({"tokenize", "a", "--model", model, "--json"}))[0].size(), 32U);
  EXPECT_EQ(json_lines(run({"tokenize", "a b c d", "--context", "3", "--json"}))[0],
            Json::parse("[49406, 320, 49407]"));
}

TEST_F(Program, TokenizeShowsIdsAndPiecesAsText) {
  const Outcome outcome = run({"tokenize", "a cat"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("2368:cat"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("4 tokens"), std::string::npos) << outcome.out;
}

TEST_F(Program, TokenizeRefusesNothingAndBrokenBytes) {
  expect_error(run(std::vector<std::string>{"tokenize"}), 2, "text");
  expect_error(run({"tokenize", "good", "bad \xff"}), 1, "text 2");
  EXPECT_EQ(run({"tokenize", "--texts", write("empty.txt", ""), "--json"}).out, "");
}

TEST_F(Program, SimilarityIsTheProductOfTheEmbeddings) {
  const std::string texts = write("t.txt", "taxi\ncactus\n");
  const Json json = run({"similarity", picture("taxi"), picture("cactus"), "--text", "trophy",
                         "--texts", texts, "--json"})
                        .json();
  EXPECT_EQ(json["texts"], Json::parse(R"(["trophy", "taxi", "cactus"])"));
  EXPECT_EQ(json["images"], Json({picture("taxi"), picture("cactus")}));

  ASSERT_EQ(run({"embed", picture("taxi"), picture("cactus"), "--out", path("i.npy")}).status, 0);
  ASSERT_EQ(run({"embed", "--texts", texts, "--out", path("v.npy")}).status, 0);
  const auto load = [&](const std::string& name) {
    return weights::to_f32(weights::open_checkpoint(path(name)).tensors.begin()->second);
  };
  const std::vector<float> images = load("i.npy");
  const std::vector<float> words = load("v.npy");
  for (size_t i = 0; i < 2; ++i) {
    for (size_t t = 0; t < 2; ++t) {
      double dot = 0;
      for (size_t d = 0; d < 128; ++d) dot += images[i * 128 + d] * words[t * 128 + d];
      EXPECT_NEAR(json["similarity"][i][t + 1].get<double>(), dot, 1e-6);
    }
  }
  EXPECT_GT(json["similarity"][0][1].get<double>(), json["similarity"][0][2].get<double>());
  EXPECT_GT(json["similarity"][1][2].get<double>(), json["similarity"][1][1].get<double>());
}

TEST_F(Program, SimilarityPrintsATable) {
  const Outcome outcome = run({"similarity", picture("taxi"), "--text", "taxi", "--text",
                               "a text that is too long for a column of the table"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(split_lines(outcome.out).size(), 2U);
  EXPECT_NE(outcome.out.find("…"), std::string::npos) << outcome.out;
  expect_error(run({"similarity", picture("taxi")}), 2, "--text");
}

TEST_F(Program, PreprocessWritesWhatTheModelSees) {
  const Outcome outcome = run({"preprocess", picture("taxi"), "--out", path("x.npy"), "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.json()["mode"], "RGB");
  const weights::Tensor x = weights::open_checkpoint(path("x.npy")).tensors.begin()->second;
  EXPECT_EQ(x.dtype, weights::DType::kF32);
  EXPECT_EQ(x.shape, (weights::Shape{3, 64, 64}));
  // The demo model's mean and std are 0.5: white is 1.
  EXPECT_EQ(weights::to_f32(x)[0], 1.0f);
}

TEST_F(Program, PreprocessTakesSizesAndModes) {
  const Outcome outcome = run({"preprocess", picture("taxi"), "--size", "32", "--mode", "squash",
                               "--interpolation", "bilinear", "--uint8", "--out", path("x.npy")});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");  // no model is used
  const weights::Tensor x = weights::open_checkpoint(path("x.npy")).tensors.begin()->second;
  EXPECT_EQ(x.dtype, weights::DType::kU8);
  EXPECT_EQ(x.shape, (weights::Shape{32, 32, 3}));

  ASSERT_EQ(run({"preprocess", picture("taxi"), "--size", "32", "--out", path("y.npy")}).status, 0);
  const float white =
      weights::to_f32(weights::open_checkpoint(path("y.npy")).tensors.begin()->second)[0];
  EXPECT_FLOAT_EQ(white, (1.0f - 0.48145466f) / 0.26862954f);
}

TEST_F(Program, FastDecodeReadsALargeJpegAtAPartOfItsSizeAndIsOffUnlessAskedFor) {
  const auto width = [&](const std::string& size, const std::string& file,
                         const std::vector<std::string>& more) {
    std::vector<std::string> args = {"preprocess", source_path("tests/data/image/" + file),
                                     "--size",     size,
                                     "--out",      path("x.npy"),
                                     "--json"};
    args.insert(args.end(), more.begin(), more.end());
    const Outcome outcome = run(args);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.json()["width"].get<int>();
  };
  EXPECT_EQ(width("7", "rgb420.jpg", {}), 45);
  EXPECT_EQ(width("7", "rgb420.jpg", {"--fast-decode"}), 23);   // 31 high: 15 are enough
  EXPECT_EQ(width("16", "rgb420.jpg", {"--fast-decode"}), 45);  // already smaller than twice that
  EXPECT_EQ(width("7", "rgba.png", {"--fast-decode"}), width("7", "rgba.png", {}));
  for (const char* command : {"classify", "embed", "similarity", "preprocess"}) {
    EXPECT_NE(run({command, "--help"}).out.find("--fast-decode"), std::string::npos) << command;
  }
}

TEST_F(Program, PreprocessRefusesWrongCommandLines) {
  const std::string out = path("x.npy");
  expect_error(run({"preprocess", picture("taxi"), "--size", "32", "--mode", "crop", "--out", out}),
               2, "--mode");
  expect_error(run({"preprocess", picture("taxi"), "--size", "0", "--out", out}), 2, "--size");
  expect_error(run({"preprocess", picture("taxi"), "--size", "8", "--out", path("x.png")}), 2,
               "x.png");
  expect_error(run({"preprocess", path("none.png"), "--size", "8", "--out", out}), 1, "none.png");
}

}  // namespace
}  // namespace clipnext::e2e
