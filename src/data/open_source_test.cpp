#include "data/open_source.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"
#include "base/file.h"
#include "base/test_error.h"
#include "base/test_folder.h"
#include "data/shard_test.h"

namespace clipnext::data {
namespace {

// Values of the published runs; training.md 10.1.
// Spec: training.md section 10, item 1.
TEST(EpochSize, RoundsUpToBatchesAndWorkers) {
  EXPECT_EQ(shard_epoch(203'666'042, {256, 512, 6}), (EpochSize{1554, 203'685'888}));
  EXPECT_EQ(shard_epoch(203'666'042, {800, 128, 6}), (EpochSize{1992, 203'980'800}));
  EXPECT_EQ(shard_epoch(135'646'078, {80, 1024, 6}), (EpochSize{1656, 135'659'520}));
  EXPECT_EQ(shard_epoch(1, {64, 1, 1}), (EpochSize{1, 64}));
  EXPECT_EQ(shard_epoch(65, {64, 1, 4}), (EpochSize{4, 256}));
  // Beyond 2^53, where the reference's division is no longer exact.
  EXPECT_EQ(shard_epoch((int64_t{1} << 53) + 1, {1, 1, 1}).batches, (int64_t{1} << 53) + 1);
}

TEST(EpochSize, RefusesWhatHasNoSize) {
  EXPECT_THROW(shard_epoch(0, {1, 1, 1}), Error);
  EXPECT_THROW(shard_epoch(1, {0, 1, 1}), Error);
  EXPECT_THROW(shard_epoch(1, {1, 1, 0}), Error);
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  EXPECT_THROW(shard_epoch(kMax, {2, 1, 1}), Error);
  EXPECT_THROW(shard_epoch(1, {kMax, 2, 1}), Error);
}

// As len() of torch's DataLoader over a DistributedSampler, drop_last (2.15).
TEST(EpochSize, TablesHaveWholeBatchesOnly) {
  EXPECT_EQ(table_epoch(100, {30, 1, 4}), (EpochSize{3, 100}));
  EXPECT_EQ(table_epoch(101, {17, 3, 4}), (EpochSize{2, 101}));
  EXPECT_EQ(table_epoch(6, {3, 2, 1}), (EpochSize{1, 6}));
  EXPECT_EQ(table_epoch(5, {3, 2, 1}), (EpochSize{1, 5})) << "padded to 6";
  EXPECT_THROW(table_epoch(4, {3, 2, 1}), Error);
}

TEST(EpochSize, ValidationKeepsItsLastBatch) {
  EXPECT_EQ(validation_size(0, 64), (EpochSize{0, 0}));
  EXPECT_EQ(validation_size(65, 64), (EpochSize{2, 65}));
  EXPECT_THROW(validation_size(-1, 64), Error);
}

class Sizes : public testing::Test {
 protected:
  std::optional<int64_t> find() const { return find_num_samples(list_); }
  const TestFolder temporary_;
  const ShardList list_ = ShardList(temporary_.path().string() + "/{00..02}.tar");
};

TEST_F(Sizes, ComeFromSizesJsonThenLen) {
  EXPECT_EQ(find(), std::nullopt);
  write_file(temporary_ / "__len__", " 1_000\n");
  EXPECT_EQ(find(), 1000);
  write_file(temporary_ / "sizes.json", R"({"00.tar": 1, "01.tar": 20, "02.tar": 300, "x": 5})");
  EXPECT_EQ(find(), 321);
  EXPECT_EQ(find_num_samples(ShardList("pipe:cat " + temporary_.path().string() + "/00.tar")),
            std::nullopt);
}

TEST_F(Sizes, MalformedFilesAreErrors) {
  for (const char* bad : {R"({"00.tar": 1})", R"({"00.tar": 1, "01.tar": -1, "02.tar": 1})",
                          R"({"00.tar": 1, "01.tar": "x", "02.tar": 1})", "[]", "{",
                          R"({"00.tar": 9000000000000000000, "01.tar": 9000000000000000000,
                              "02.tar": 1})",
                          R"({"00.tar": 9223372036854775808, "01.tar": 1, "02.tar": 1})",
                          R"({"00.tar": 18446744073709551615, "01.tar": 20, "02.tar": 1})"}) {
    write_file(temporary_ / "sizes.json", bad);
    EXPECT_THROW(find(), Error) << bad;
  }
  std::filesystem::remove(temporary_ / "sizes.json");
  for (const char* bad : {"", "x", "1 2", "-3", "2 * 5", "99999999999999999999"}) {
    write_file(temporary_ / "__len__", bad);
    EXPECT_THROW(find(), Error) << bad;
  }
}

TEST_F(Sizes, OptionGoesBeforeFilesUnlessAskedOtherwise) {
  EXPECT_THROW(training_samples(list_, 0), Error);
  EXPECT_EQ(training_samples(list_, 7), 7);
  EXPECT_EQ(training_samples(list_, 7, SizePrecedence::kFiles), 7);
  write_file(temporary_ / "__len__", "50");
  EXPECT_EQ(training_samples(list_, 7), 7);
  EXPECT_EQ(training_samples(list_, 7, SizePrecedence::kFiles), 50);
  EXPECT_EQ(training_samples(list_, 0), 50);
}

TEST(SourceKind, GoesByTheNameUnlessItIsSaid) {
  const TestFolder folder;
  EXPECT_EQ(source_kind("x.csv", "auto"), SourceKind::kCsv);
  EXPECT_EQ(source_kind("x.tsv", "auto"), SourceKind::kCsv);
  EXPECT_EQ(source_kind("a/{0..3}.tar", "auto"), SourceKind::kWebdataset);
  EXPECT_EQ(source_kind(folder.path().string(), "auto"), SourceKind::kFolder);
  EXPECT_EQ(source_kind("pipe:cat x -", "webdataset"), SourceKind::kWebdataset);
  EXPECT_EQ(source_kind("x.txt", "csv"), SourceKind::kCsv);
  EXPECT_EQ(source_kind("", "synthetic"), SourceKind::kSynthetic);
  EXPECT_THROW(source_kind("pipe:cat x.tar -", "auto"), Error);
  EXPECT_THROW(source_kind("x.tar", "audio"), Error);
}

class OpenSource : public testing::Test {
 protected:
  OpenSource() {
    for (int i = 0; i < 4; ++i) {
      write_tar(temporary_ / (std::to_string(i) + ".tar"),
                {{"a.jpg", "A"}, {"a.txt", "one"}, {"a.json", R"({"caption": "two"})"}});
    }
    options_.data = temporary_.path().string() + "/{0..3}.tar";
    options_.num_samples = 100;
    options_.batch_size = 8;
    options_.workers = 2;
    options_.world = 2;
  }
  OpenedSource open() { return open_source(options_, faults_.listener()); }
  std::string error() {
    return message_of([&] { open(); });
  }
  const TestFolder temporary_;
  SourceOptions options_;
  Faults faults_;
};

TEST_F(OpenSource, OpensShardsForEachWorker) {
  OpenedSource opened = open();
  EXPECT_EQ(opened.epoch, (EpochSize{8, 128}));
  ASSERT_EQ(opened.workers.size(), 2U);
  for (const auto& worker : opened.workers) EXPECT_EQ(worker->next()->caption, "one");
  options_.json_text_key = "alt;caption";
  EXPECT_EQ(open().workers[0]->next()->caption, "two");
  options_.workers = 0;
  EXPECT_EQ(open().workers.size(), 1U);
}

TEST_F(OpenSource, ShardsMustBeEnoughUnlessResampled) {
  options_.world = 3;
  EXPECT_NE(error().find("there are 4, and 2 workers on 3 ranks"), std::string::npos) << error();
  options_.resampled = true;
  EXPECT_EQ(error(), "no error");
  EXPECT_EQ(open().workers[1]->next()->caption, "one");
}

TEST_F(OpenSource, FactorsNeedResampling) {
  options_.upsampling_factors = "1";
  EXPECT_NE(error().find("needs --dataset-resampled"), std::string::npos);
  options_.resampled = true;
  EXPECT_EQ(error(), "no error");
  options_.training = false;
  EXPECT_EQ(error(), "no error") << "they are of the training data";
}

TEST_F(OpenSource, NumberOfSamplesIsNeededToTrainOnShards) {
  options_.num_samples = 0;
  EXPECT_NE(error().find("--train-num-samples"), std::string::npos);
  options_.training = false;
  OpenedSource opened = open();
  EXPECT_EQ(opened.epoch, (EpochSize{0, 0}));
  int samples = 0;
  for (const auto& worker : opened.workers) {
    while (worker->next()) ++samples;
  }
  EXPECT_EQ(samples, 4);
}

TEST_F(OpenSource, OpensTables) {
  options_.data = "";
  options_.type = "synthetic";
  OpenedSource opened = open();
  EXPECT_EQ(opened.epoch, (EpochSize{6, 100}));
  EXPECT_EQ(opened.workers[1]->next()->caption, "Dummy caption");

  write_file(temporary_ / "a.jpg", "A");
  write_file(temporary_ / "l.csv",
             "filepath\ttitle\n" + (temporary_ / "a.jpg").string() + "\tone\n");
  options_ = {};
  options_.data = (temporary_ / "l.csv").string();
  options_.training = false;
  opened = open();
  EXPECT_EQ(opened.epoch, (EpochSize{1, 1}));
  EXPECT_EQ(opened.workers[0]->next()->caption, "one");
  options_.data = temporary_.path().string();
  EXPECT_NE(error().find("no image has a caption"), std::string::npos);
  write_file(temporary_ / "a.txt", "beside");
  EXPECT_EQ(open().workers[0]->next()->caption, "beside");
}

TEST_F(OpenSource, OptionsThatMakeNoSenseAreRefused) {
  options_.image_key = ";";
  EXPECT_NE(error().find("--image-key"), std::string::npos);
  options_.image_key = "jpg";
  options_.json_text_key_probs = {1};
  EXPECT_NE(error().find("needs --json-text-key"), std::string::npos);
  options_.json_text_key = "a;b";
  EXPECT_NE(error().find("1 for 2 keys"), std::string::npos);
  options_ = {};
  options_.type = "synthetic";
  options_.num_samples = 100;
  options_.rank = 1;
  EXPECT_THROW(open(), Error);
}

}  // namespace
}  // namespace clipnext::data
