#include "eval/class_cache.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

#include "base/file.h"
#include "base/test_folder.h"
#include "eval/zero_shot.h"

namespace clipnext::eval {
namespace {

namespace fs = std::filesystem;

struct Folder {
  /// The only file.
  fs::path file() const { return fs::directory_iterator(path / "classifiers")->path(); }
  const TestFolder temporary;
  const fs::path path = temporary / "cache";
};

/// A text's vector is its token count and a number of its own; calls are counted.
class FakeEmbedder final : public model::Embedder {
 public:
  explicit FakeEmbedder(std::string identity) : identity_(std::move(identity)) {
    config_.embed_dim = 2;
  }
  const model::ClipConfig& config() const override { return config_; }
  float logit_scale() const override { return 10.0f; }
  float logit_bias() const override { return 0.0f; }
  void embed_images(const model::PixelBatch&, float*, bool) override {}
  void embed_texts(const model::TokenRows& tokens, float* out, bool) override {
    ++calls;
    for (int64_t i = 0; i < tokens.size(); ++i) {
      out[2 * i] = static_cast<float>(tokens.row(i).size());
      out[2 * i + 1] = static_cast<float>(tokens.row(i)[1]);
    }
  }
  std::string text_identity() override { return identity_; }

  int calls = 0;

 private:
  model::ClipConfig config_;
  std::string identity_;
};

/// Whether the classifier was computed; its vectors are the same in any case.
bool computes(const ClassCache& cache, const std::string& identity = "fake",
              std::vector<std::string> labels = {"cat", "dog"},
              const std::vector<std::string>& templates = {"{c}", "a {c}"}) {
  const text::Tokenizer tokenizer;
  FakeEmbedder plain("");
  FakeEmbedder embedder(identity);
  int64_t done = 0;
  const Classifier expected = make_classifier(plain, tokenizer, labels, templates);
  const Classifier found = make_classifier(
      embedder, tokenizer, std::move(labels), templates, [&](int64_t n) { done += n; }, cache);
  EXPECT_EQ(found.vectors, expected.vectors);
  EXPECT_EQ(found.labels, expected.labels);
  EXPECT_EQ(done, static_cast<int64_t>(found.labels.size() * templates.size()));
  return embedder.calls > 0;
}

TEST(ClassCache, FindsWhatItKept) {
  const Folder folder;
  const ClassCache cache(folder.path, 0);
  EXPECT_TRUE(computes(cache));
  EXPECT_FALSE(computes(cache));
  EXPECT_FALSE(computes(ClassCache(folder.path, 0)));
}

TEST(ClassCache, IsKeyedByAllThatMatters) {
  const Folder folder;
  const ClassCache cache(folder.path, 0);
  EXPECT_TRUE(computes(cache));
  EXPECT_TRUE(computes(cache, "other weights"));
  EXPECT_TRUE(computes(cache, "fake", {"dog", "cat"}));
  EXPECT_TRUE(computes(cache, "fake", {"cat", "a cat", "dog", "a dog"}, {"{c}"}));  // same prompts
  EXPECT_TRUE(computes(cache, "fake", {"cat", "dog"}, {"a {c}", "{c}"}));
  EXPECT_FALSE(computes(cache, "fake", {" Cat", "DOG"}));  // same tokens
}

TEST(ClassCache, ComputesAgainWhatIsDamaged) {
  const Folder folder;
  const ClassCache cache(folder.path, 0);
  EXPECT_TRUE(computes(cache));
  const std::string whole = read_file(folder.file());
  for (size_t at = 0; at < whole.size(); at += 5) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 4);
    write_file(folder.file(), damaged);
    computes(cache);  // which compares the vectors
  }
  std::string value = whole;
  value.back() = static_cast<char>(value.back() ^ 1);
  for (const std::string& damaged : {value, whole.substr(0, whole.size() - 1), std::string()}) {
    write_file(folder.file(), damaged);
    EXPECT_TRUE(computes(cache));
    EXPECT_EQ(read_file(folder.file()), whole);
  }
}

TEST(ClassCache, AFileUnderAnotherNameIsNotItself) {
  const Folder folder;
  const ClassCache cache(folder.path, 0);
  computes(cache);
  const std::string other = read_file(folder.file());
  fs::remove(folder.file());
  computes(cache, "fake", {"bird", "fish"});
  write_file(folder.file(), other);
  EXPECT_TRUE(computes(cache, "fake", {"bird", "fish"}));
}

TEST(ClassCache, KeepsNothingSmallUnknownOrWithoutAFolder) {
  const Folder folder;
  EXPECT_TRUE(computes(ClassCache(folder.path)));
  EXPECT_TRUE(computes(ClassCache(folder.path, 0), ""));
  EXPECT_TRUE(computes(ClassCache("", 0)));
  EXPECT_FALSE(fs::exists(folder.path));
}

TEST(ClassCache, AFolderThatCannotBeWrittenIsNoError) {
  const Folder folder;
  write_file(folder.path, "a file");
  EXPECT_TRUE(computes(ClassCache(folder.path, 0)));
}

TEST(ClassCache, SeveralMayWriteAtOnce) {
  const Folder folder;
  const ClassCache cache(folder.path, 0);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 5; ++round) computes(cache);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_FALSE(computes(cache));
}

TEST(ClassCache, HoldsAHundredFiles) {
  const Folder folder;
  const ClassCache cache(folder.path, 0);
  const std::vector<float> vectors = {1, 2};
  for (uint64_t i = 0; i < 105; ++i) EXPECT_TRUE(cache.keep({.low = i}, vectors, 1, 2));
  int64_t files = 0;
  for (const auto& entry : fs::directory_iterator(folder.path / "classifiers")) {
    files += entry.is_regular_file() ? 1 : 0;
  }
  EXPECT_EQ(files, 100);
  EXPECT_EQ(cache.find({.low = 104}, 1, 2), vectors);
  EXPECT_FALSE(cache.find({.low = 104}, 2, 1));
}

TEST(DefaultCacheFolder, FollowsTheEnvironment) {
  setenv("XDG_CACHE_HOME", "/x", 1);
  EXPECT_EQ(default_cache_folder(), "/x/clipnext");
  setenv("XDG_CACHE_HOME", "relative", 1);
  setenv("HOME", "/h", 1);
  EXPECT_EQ(default_cache_folder(), "/h/.cache/clipnext");
  setenv("CLIPNEXT_CACHE", "/c", 1);
  EXPECT_EQ(default_cache_folder(), "/c");
  setenv("CLIPNEXT_CACHE", "", 1);
  EXPECT_EQ(default_cache_folder(), "");
  unsetenv("CLIPNEXT_CACHE");
}

}  // namespace
}  // namespace clipnext::eval
