#include <algorithm>
#include <cmath>

#include "base/text_lines.h"
#include "e2e/program.h"
#include "weights/checkpoint.h"

namespace clipnext::e2e {
namespace {

namespace fs = std::filesystem;

weights::Tensor vectors(const std::string& path) {
  const weights::Checkpoint file = weights::open_checkpoint(path);
  EXPECT_EQ(file.tensors.size(), 1U);
  return file.tensors.begin()->second;
}

std::vector<std::string> list(const std::string& path) { return split_lines(read(path)); }

TEST_F(Program, EmbedWritesUnitVectorsAndTheirSources) {
  const Outcome outcome = run(
      {"embed", "--images", picture("taxi"), picture("cactus"), "--out", path("x.npy"), "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const weights::Tensor tensor = vectors(path("x.npy"));
  EXPECT_EQ(tensor.dtype, weights::DType::kF32);
  EXPECT_EQ(tensor.shape, (weights::Shape{2, 128}));
  const std::vector<float> values = weights::to_f32(tensor);
  for (size_t row = 0; row < 2; ++row) {
    double squares = 0;
    for (size_t i = 0; i < 128; ++i) squares += std::pow(values[row * 128 + i], 2);
    EXPECT_NEAR(squares, 1, 1e-5);
  }
  EXPECT_EQ(list(path("x.txt")), (std::vector<std::string>{picture("taxi"), picture("cactus")}));
  const Json json = outcome.json();
  EXPECT_EQ(json["count"], 2);
  EXPECT_EQ(json["dim"], 128);
  EXPECT_EQ(json["sources"], path("x.txt"));
}

TEST_F(Program, EmbedWritesTheSameToSafetensors) {
  const std::string text = write("words.txt", "a cat\na dog\n");
  ASSERT_EQ(run({"embed", "--texts", text, "--out", path("x.npy")}).status, 0);
  ASSERT_EQ(run({"embed", "--texts", text, "--out", path("y.safetensors")}).status, 0);
  EXPECT_EQ(weights::to_f32(vectors(path("x.npy"))),
            weights::to_f32(vectors(path("y.safetensors"))));
  EXPECT_EQ(weights::open_checkpoint(path("y.safetensors")).tensors.begin()->first, "embeddings");
}

TEST_F(Program, EmbedDoesNotDependOnThreadsOrBatchMates) {
  const std::string pictures = source_path("examples/emoji/pictures");
  ASSERT_EQ(run({"embed", pictures, "--out", path("one.npy"), "--threads", "1"}).status, 0);
  ASSERT_EQ(run({"embed", pictures, "--out", path("three.npy"), "--threads", "3"}).status, 0);
  EXPECT_EQ(read(path("one.npy")), read(path("three.npy")));
  ASSERT_EQ(run({"embed", picture("elephant"), "--out", path("alone.npy")}).status, 0);
  const std::vector<float> all = weights::to_f32(vectors(path("one.npy")));
  const std::vector<float> alone = weights::to_f32(vectors(path("alone.npy")));
  // cactus, elephant, ...
  EXPECT_EQ(alone, std::vector<float>(all.begin() + 128, all.begin() + 256));
}

TEST_F(Program, EmbedTakesFoldersInNaturalOrderAndImagesAsGiven) {
  for (const char* name : {"set/img10.png", "set/img9.png", "set/sub/img1.png", "last.png"}) {
    write(name, read(picture("taxi")));
  }
  write("set/notes.txt", "no picture");
  ASSERT_EQ(
      run({"embed", "--images", path("last.png"), path("set"), "--out", path("x.npy")}).status, 0);
  EXPECT_EQ(list(path("x.txt")),
            (std::vector<std::string>{path("last.png"), path("set/img9.png"), path("set/img10.png"),
                                      path("set/sub/img1.png")}));
  fs::create_directory(folder_ / "empty");
  expect_error(run({"embed", path("empty"), "--out", path("y.npy")}), 1, "no image");
}

TEST_F(Program, EmbedListsTextsOneALine) {
  const std::string lines = write("lines.txt", "a cat\r\n\na dog");
  ASSERT_EQ(run({"embed", "--texts", lines, "--out", path("x.npy")}).status, 0);
  EXPECT_EQ(vectors(path("x.npy")).shape[0], 3);
  EXPECT_EQ(list(path("x.txt")), (std::vector<std::string>{"a cat", "", "a dog"}));

  const std::string json = write("texts.json", R"(["a\ncat", "a dog", "a cat"])");
  ASSERT_EQ(run({"embed", "--texts-json", json, "--out", path("y.npy")}).status, 0);
  EXPECT_EQ(list(path("y.txt")), (std::vector<std::string>{"a\\ncat", "a dog", "a cat"}));
  // White space is cleaned away before tokenizing.
  const std::vector<float> y = weights::to_f32(vectors(path("y.npy")));
  EXPECT_TRUE(std::equal(y.begin(), y.begin() + 128, y.begin() + 256));
}

TEST_F(Program, EmbedLeavesTheFileOfTextsAlone) {
  const std::string content = "a cat\r\na dog";
  const std::string lines = write("words.txt", content);
  ASSERT_EQ(run({"embed", "--texts", lines, "--out", path("words.npy")}).status, 0);
  EXPECT_EQ(read(lines), content);
  expect_error(run({"embed", "--texts", lines, "--out", path("words.npy"), "--on-bad", "skip"}), 2,
               "words.txt");
}

TEST_F(Program, EmbedNeverWritesOverAnInputOrAForeignList) {
  const std::string json = write("z.txt", "[\"a cat\"]");
  EXPECT_EQ(run({"embed", "--texts-json", json, "--out", path("z.npy")}).status, 2);
  EXPECT_EQ(read(json), "[\"a cat\"]");
  const std::string image = write("o.txt", read(picture("taxi")));
  EXPECT_EQ(run({"embed", image, "--out", path("o.npy")}).status, 2);
  EXPECT_EQ(read(image), read(picture("taxi")));
  const std::string notes = write("notes.txt", "mine");
  EXPECT_EQ(run({"embed", picture("taxi"), "--out", path("notes.npy")}).status, 2);
  EXPECT_EQ(read(notes), "mine");
}

TEST_F(Program, EmbedFailsOnABadItemAndLeavesNothing) {
  const std::string bad = write("bad.jpg", "no picture");
  expect_error(run({"embed", picture("taxi"), bad, "--out", path("x.npy")}), 1, bad);
  const std::string text = write("bad.txt", "good\nbad \xff\n");
  expect_error(run({"embed", "--texts", text, "--out", path("x.npy")}), 1, "text 2");
  expect_error(run({"embed", "--texts-json", write("a.json", "[1]"), "--out", path("x.npy")}), 1,
               "a.json");
  expect_error(run({"embed", "--texts", write("none.txt", ""), "--out", path("x.npy")}), 1,
               "texts");
  for (const auto& entry : fs::directory_iterator(folder_)) {
    EXPECT_EQ(entry.path().filename().string().find("x."), std::string::npos) << entry.path();
  }
}

TEST_F(Program, EmbedSkipsBadItemsWhenAsked) {
  const std::string bad = write("bad.jpg", "no picture");
  const Outcome outcome =
      run({"embed", bad, picture("taxi"), "--out", path("x.npy"), "--on-bad", "skip"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("skipped 1 of 2 images"), std::string::npos) << outcome.err;
  EXPECT_EQ(vectors(path("x.npy")).shape, (weights::Shape{1, 128}));
  EXPECT_EQ(list(path("x.txt")), std::vector<std::string>{picture("taxi")});
}

TEST_F(Program, EmbedRefusesWrongCommandLines) {
  expect_error(run({"embed", "--out", path("x.npy")}), 2, "--images");
  expect_error(
      run({"embed", picture("taxi"), "--texts", write("t.txt", "a"), "--out", path("x.npy")}), 2,
      "--texts");
  expect_error(run({"embed", picture("taxi"), "--out", path("x.csv")}), 2, "x.csv");
}

TEST_F(Program, EmbedNamesAnOutputItCannotWriteBeforeTheWork) {
  expect_error(run({"embed", picture("taxi"), "--out", path("none/x.npy")}), 1, path("none"));
}

TEST_F(Program, EmbedInterruptedLeavesNothingAndExitsWith130) {
  // 80,000 pictures: far more than are embedded before the signal.
  std::vector<std::string> args = {"embed", "--out", path("x.npy"), "--images"};
  args.insert(args.end(), 10'000, source_path("examples/emoji/pictures"));
  const Outcome outcome = run({.args = args, .interrupt_after_ms = 2'000});
  EXPECT_EQ(outcome.status, 130) << outcome.err;
  EXPECT_NE(outcome.err.find("clipnext: interrupted\n"), std::string::npos) << outcome.err;
  EXPECT_TRUE(fs::is_empty(folder_));
}

}  // namespace
}  // namespace clipnext::e2e
