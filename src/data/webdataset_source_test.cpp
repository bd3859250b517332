#include "data/webdataset_source.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <map>
#include <set>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "base/test_error.h"
#include "base/test_folder.h"
#include "data/shard_test.h"

namespace clipnext::data {
namespace {

using Strings = std::vector<std::string>;

class Webdataset : public testing::Test {
 protected:
  // Shards 0.tar, 1.tar, ...; sample i of shard s has the caption "s.i".
  void write_shards(int shards, int samples, const std::string& folder = "") {
    std::filesystem::create_directories(temporary_.path() / folder);
    for (int s = 0; s < shards; ++s) {
      Members members;
      for (int i = 0; i < samples; ++i) {
        const std::string key = std::to_string(i);
        members.emplace_back(key + ".jpg", "image");
        members.emplace_back(key + ".txt", folder + std::to_string(s) + "." + key);
      }
      write_tar(temporary_.path() / folder / (std::to_string(s) + ".tar"), members);
    }
  }
  std::shared_ptr<const ShardList> list(const std::string& names,
                                        const std::string& factors = "") const {
    return std::make_shared<const ShardList>(temporary_.path().string() + "/" + names, factors);
  }
  // Captions of the next samples, `count` at most.
  static Strings take(SampleSource& source, size_t count) {
    Strings captions;
    while (captions.size() < count) {
      auto sample = source.next();
      if (!sample) break;
      captions.push_back(std::move(sample->caption));
    }
    return captions;
  }
  static std::string error_of(SampleSource& source) {
    return message_of([&] { source.next(); });
  }

  const TestFolder temporary_;
  WebdatasetConfig config_;
  Faults faults_;
};

TEST_F(Webdataset, WorkersOfAllRanksShareThePassOut) {
  write_shards(13, 4);
  const auto shards = list("{0..12}.tar");
  std::multiset<std::string> all;
  for (int64_t rank = 0; rank < 2; ++rank) {
    for (int64_t worker = 0; worker < 3; ++worker) {
      // 13 shards in turn: the first of the six workers has three.
      const size_t own = rank == 0 && worker == 0 ? 12 : 8;
      WebdatasetSource source(shards, config_, {rank, 2, worker, 3}, faults_.listener());
      source.begin_epoch(3);
      for (const std::string& caption : take(source, own)) all.insert(caption);
    }
  }
  EXPECT_EQ(all.size(), 52U);
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), 52U);
  EXPECT_TRUE(faults_.all.empty());
}

TEST_F(Webdataset, NegativeSeedGivesEachWorkerAnOrderOfItsOwn) {
  config_.order.seed = -1;
  const auto shards = list("{0..999}.tar");
  std::set<int64_t> all;
  for (int64_t worker = 0; worker < 2; ++worker) {
    ShardOrder order(*shards, config_.order, {0, 1, worker, 2}, 0);
    while (const auto shard = order.next()) all.insert(*shard);
  }
  EXPECT_LT(all.size(), 900U) << "half of two unrelated orders each should overlap";
}

TEST_F(Webdataset, OrderDependsOnSeedWorkerAndEpochAlone) {
  write_shards(4, 10);
  const auto shards = list("{0..3}.tar");
  const auto run = [&](int64_t seed, int64_t worker, int64_t epoch) {
    config_.order.seed = seed;
    WebdatasetSource source(shards, config_, {0, 1, worker, 2}, faults_.listener());
    take(source, 7);  // another epoch before leaves nothing behind
    source.begin_epoch(epoch);
    return take(source, 20);
  };
  const Strings base = run(0, 0, 0);
  EXPECT_EQ(run(0, 0, 0), base);
  EXPECT_NE(run(0, 0, 1), base);
  EXPECT_NE(run(1, 0, 0), base);
  EXPECT_NE(run(0, 1, 0), base);
}

TEST_F(Webdataset, WhatRunsOutBeginsAgainInTheSameOrder) {
  write_shards(6, 5);
  WebdatasetSource source(list("{0..5}.tar"), config_, {0, 1, 1, 2}, faults_.listener());
  source.begin_epoch(2);
  const Strings first = take(source, 15), second = take(source, 15);
  EXPECT_EQ(std::set<std::string>(first.begin(), first.end()).size(), 15U);
  EXPECT_EQ(first, second);
}

TEST_F(Webdataset, SamplesAreShuffledAcrossShards) {
  write_shards(4, 25);
  WebdatasetSource source(list("{0..3}.tar"), config_, {}, faults_.listener());
  const Strings all = take(source, 100);
  std::set<std::string> shards;
  for (size_t i = 0; i < 20; ++i) shards.insert(all[i].substr(0, 1));
  EXPECT_EQ(shards.size(), 4U);
  config_.sample_shuffle_size = 1;
  WebdatasetSource plain(list("{0..3}.tar"), config_, {}, faults_.listener());
  const Strings in_order = take(plain, 25);
  EXPECT_TRUE(std::all_of(in_order.begin(), in_order.end(),
                          [&](const std::string& c) { return c[0] == in_order[0][0]; }));
}

TEST_F(Webdataset, ResampledShardsAreDrawnByFactorAndWithoutEnd) {
  write_shards(2, 1, "a");
  write_shards(3, 1, "b");
  config_.order.mode = ShardMode::kResampled;
  config_.sample_shuffle_size = 1;
  const auto shards = std::make_shared<const ShardList>(
      temporary_.path().string() + "/a/{0..1}.tar::" + temporary_.path().string() + "/b/{0..2}.tar",
      "3::1");
  constexpr int kSamples = 3000;
  std::map<std::string, int> counts;
  WebdatasetSource source(shards, config_, {0, 1, 0, 8}, faults_.listener());
  for (const std::string& caption : take(source, kSamples)) ++counts[caption];
  ASSERT_EQ(counts.size(), 5U);
  for (const auto& [caption, count] : counts) {
    const double share = (caption[0] == 'a' ? 3 : 1) / 9.0;
    EXPECT_NEAR(count, kSamples * share, 5 * std::sqrt(kSamples * share * (1 - share))) << caption;
  }
}

TEST_F(Webdataset, ResampledDrawsDifferBetweenWorkersRanksAndEpochs) {
  config_.order.mode = ShardMode::kResampled;
  const auto shards = list("{0..99999}.tar");
  std::set<std::vector<int64_t>> orders;
  for (int64_t rank = 0; rank < 3; ++rank) {
    for (int64_t worker = 0; worker < 3; ++worker) {
      for (int64_t epoch = 0; epoch < 3; ++epoch) {
        ShardOrder order(*shards, config_.order, {rank, 3, worker, 3}, epoch);
        std::vector<int64_t> drawn;
        for (int i = 0; i < 5; ++i) drawn.push_back(order.next().value());
        orders.insert(drawn);
      }
    }
  }
  EXPECT_EQ(orders.size(), 27U);
}

TEST_F(Webdataset, ValidationReadsOnceInOrderByWorkerWhateverTheRank) {
  write_shards(3, 2);
  config_.order.mode = ShardMode::kOnce;
  const auto shards = list("{0..2}.tar");
  for (int64_t rank = 0; rank < 2; ++rank) {
    WebdatasetSource first(shards, config_, {rank, 2, 0, 2}, faults_.listener());
    EXPECT_EQ(take(first, 100), (Strings{"0.0", "0.1", "2.0", "2.1"}));
    EXPECT_FALSE(first.next());
    first.begin_epoch(1);
    EXPECT_EQ(take(first, 100), (Strings{"0.0", "0.1", "2.0", "2.1"}));
  }
  WebdatasetSource idle(shards, config_, {0, 1, 3, 4}, faults_.listener());
  EXPECT_FALSE(idle.next());
}

TEST_F(Webdataset, BrokenShardsAreToldAndTheRestIsRead) {
  write_shards(3, 2);
  write_file(temporary_ / "1.tar", "not a tar");
  WebdatasetSource source(list("{0..3}.tar"), config_, {}, faults_.listener());
  const Strings captions = take(source, 4);
  EXPECT_EQ(std::set<std::string>(captions.begin(), captions.end()),
            (std::set<std::string>{"0.0", "0.1", "2.0", "2.1"}));
  EXPECT_EQ(faults_.all.size(), 2U) << "1.tar and 3.tar, which is missing";
}

TEST_F(Webdataset, PassWithoutASampleIsAnErrorRatherThanALoop) {
  WebdatasetSource training(list("{0..2}.tar"), config_, {}, faults_.listener());
  EXPECT_NE(error_of(training).find("no sample in 3 shards of worker 0 of rank 0; the last fault"),
            std::string::npos);
  EXPECT_EQ(faults_.all.size(), 3U);
  config_.order.mode = ShardMode::kResampled;
  WebdatasetSource resampled(list("{0..2}.tar"), config_, {}, faults_.listener());
  EXPECT_NE(error_of(resampled).find("no sample in 64 shards"), std::string::npos);
  config_.order.mode = ShardMode::kOnce;
  WebdatasetSource validation(list("{0..2}.tar"), config_, {}, faults_.listener());
  EXPECT_NE(error_of(validation).find("No such file"), std::string::npos);
}

TEST_F(Webdataset, StopsWaitingWhenItsReaderWantsNoMore) {
  for (const char* silent : {"pipe:sleep 60", "pipe:exec >&-; sleep 60"}) {
    const auto begin = std::chrono::steady_clock::now();
    std::atomic<bool> stop = false;
    WebdatasetSource source(std::make_shared<const ShardList>(silent), config_, {},
                            faults_.listener());
    source.stop_on(&stop);
    std::thread reader([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
      stop = true;
    });
    EXPECT_THROW(source.next(), Interrupted) << silent;
    reader.join();
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(8)) << silent;
  }
  EXPECT_TRUE(faults_.all.empty());
}

TEST_F(Webdataset, WorkerWithoutAShardIsAnErrorInTraining) {
  write_shards(2, 1);
  WebdatasetSource source(list("{0..1}.tar"), config_, {1, 2, 1, 2}, faults_.listener());
  EXPECT_NE(error_of(source).find("2 shards are fewer than workers * ranks = 4"),
            std::string::npos);
}

TEST_F(Webdataset, BufferSizesComeFromTheEnvironment) {
  setenv("OPENCLIP_WDS_SHARD_SHUFFLE_SIZE", "11", 1);
  setenv("OPENCLIP_WDS_SHARD_SHUFFLE_INITIAL", "12", 1);
  setenv("OPENCLIP_WDS_SAMPLE_SHUFFLE_SIZE", " 13 ", 1);
  read_buffer_sizes(config_);
  EXPECT_EQ(config_.order.shuffle_size, 11);
  EXPECT_EQ(config_.order.shuffle_initial, 12);
  EXPECT_EQ(config_.sample_shuffle_size, 13);
  EXPECT_EQ(config_.sample_shuffle_initial, 1000);
  for (const char* bad : {"-1", "x", "", "1.5"}) {
    setenv("OPENCLIP_WDS_SAMPLE_SHUFFLE_INITIAL", bad, 1);
    EXPECT_THROW(read_buffer_sizes(config_), Error) << bad;
  }
  for (const char* name : {"SHARD_SHUFFLE_SIZE", "SHARD_SHUFFLE_INITIAL", "SAMPLE_SHUFFLE_SIZE",
                           "SAMPLE_SHUFFLE_INITIAL"}) {
    unsetenv((std::string("OPENCLIP_WDS_") + name).c_str());
  }
}

// 231,350 shards are dealt out in the time of a few batches, and each comes once.
TEST_F(Webdataset, ManyShardsAreDealtOutOnce) {
  const auto shards = list("{000000..231349}.tar");
  std::vector<bool> seen(231'350);
  for (int64_t rank = 0; rank < 4; ++rank) {
    ShardOrder order(*shards, config_.order, {rank, 4, 0, 1}, 1);
    while (const auto shard = order.next()) {
      ASSERT_FALSE(seen[static_cast<size_t>(*shard)]);
      seen[static_cast<size_t>(*shard)] = true;
    }
  }
  EXPECT_EQ(std::count(seen.begin(), seen.end(), true), 231'350);
}

}  // namespace
}  // namespace clipnext::data
