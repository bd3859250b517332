#include "eval/feature_store.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <numeric>

#include "base/error.h"
#include "base/file.h"
#include "base/test_folder.h"
#include "weights/checkpoint.h"

namespace clipnext::eval {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kRows = 10;
constexpr int64_t kDim = 3;

class Features : public testing::Test {
 protected:
  Features() { std::iota(all_.begin(), all_.end(), 0.5F); }

  std::unique_ptr<FeatureStore> store(const std::string& key = "a") const {
    return std::make_unique<FeatureStore>(stem_, hash_text(key), kRows, kDim);
  }
  std::span<const float> rows(int64_t first, int64_t count) const {
    return std::span(all_).subspan(static_cast<size_t>(first * kDim),
                                   static_cast<size_t>(count * kDim));
  }
  /// A run that ends after `count` rows.
  void stop_after(int64_t count) const {
    const auto s = store();
    const int64_t done = std::ssize(s->load()) / kDim;
    for (int64_t i = done; i < count; ++i) s->append(rows(i, 1));
  }
  int64_t kept(const std::string& key = "a") const {
    const std::vector<float> found = store(key)->load();
    EXPECT_TRUE(std::equal(found.begin(), found.end(), all_.begin()));
    return std::ssize(found) / kDim;
  }
  fs::path file(const char* extension) const { return fs::path(stem_).concat(extension); }

  const TestFolder temporary_;
  const fs::path stem_ = temporary_ / "sub" / "features_test";
  std::vector<float> all_ = std::vector<float>(kRows * kDim);
};

TEST_F(Features, GoOnWhereARunStopped) {
  EXPECT_EQ(kept(), 0);
  stop_after(4);
  EXPECT_EQ(kept(), 4);
  stop_after(7);
  EXPECT_EQ(kept(), 7);
  EXPECT_EQ(kept("another model"), 0);
  EXPECT_EQ(kept(), 7) << "asking with another key loses nothing";
}

TEST_F(Features, AreWhollyThereOrGoneAtTheEnd) {
  stop_after(4);
  store()->finish(all_, true);
  EXPECT_EQ(kept(), kRows);
  EXPECT_FALSE(fs::exists(file(".part")));
  const auto npy = weights::open_checkpoint(file(".npy"));
  EXPECT_EQ(npy.tensors.begin()->second.shape, (weights::Shape{kRows, kDim}));
  EXPECT_EQ(kept("b"), 0);

  store("b")->finish(all_, true);
  EXPECT_EQ(kept("b"), kRows);
  EXPECT_EQ(kept("a"), 0);

  stop_after(3);
  store()->finish(all_, false);
  EXPECT_FALSE(fs::exists(file(".part")));
}

TEST_F(Features, OfADamagedFileTheWholeBlocksCount) {
  stop_after(4);
  stop_after(8);
  const std::string whole = read_file(file(".part"));
  const size_t blocks = 2;
  const size_t block = (whole.size() - 40) / blocks;
  for (size_t size = 0; size < whole.size(); size += 7) {
    write_file(file(".part"), whole.substr(0, size));
    EXPECT_EQ(kept(), size < 40 + block ? 0 : 4) << size;
  }
  for (size_t i = 0; i < whole.size(); i += 5) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    write_file(file(".part"), damaged);
    EXPECT_EQ(kept(), i < 40 + block ? 0 : 4) << i;
  }
  write_file(file(".part"), whole.substr(0, whole.size() - 1));
  stop_after(9);
  EXPECT_EQ(kept(), 9);
}

TEST_F(Features, RowsWithoutAVectorStayNaN) {
  all_[4] = NAN;
  store()->finish(all_, true);
  const std::vector<float> found = store()->load();
  ASSERT_EQ(found.size(), all_.size());
  EXPECT_TRUE(std::isnan(found[4]));
}

TEST_F(Features, AFolderThatCannotBeWrittenIsAnErrorThatNamesIt) {
  write_file(temporary_ / "file", "");
  FeatureStore store(fs::path(temporary_ / "file") / "features", hash_text("a"), kRows, kDim);
  EXPECT_TRUE(store.load().empty());
  store.append(all_);
  try {
    store.finish(all_, true);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find((temporary_ / "file").string()), std::string::npos);
  }
}

TEST_F(Features, WithoutAFolderNothingIsKept) {
  FeatureStore none;
  EXPECT_TRUE(none.load().empty());
  none.append(all_);
  none.finish(all_, true);
  EXPECT_TRUE(fs::is_empty(temporary_.path()));
}

}  // namespace
}  // namespace clipnext::eval
