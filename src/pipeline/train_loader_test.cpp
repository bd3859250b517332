#include "pipeline/train_loader.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/random.h"
#include "base/test_error.h"
#include "data/shard_list.h"
#include "data/webdataset_source.h"
#include "image/decode.h"
#include "image/preprocess.h"
#include "pipeline/train_sample.h"

namespace clipnext::pipeline {
namespace {

using data::RawSample;
using std::chrono::milliseconds;

/// A 24-bit BMP whose pixels are numbers drawn from `key`.
std::string bmp(uint32_t width, uint32_t height, uint64_t key) {
  const uint32_t row = (3 * width + 3) / 4 * 4;
  std::string file(54 + size_t{row} * height, '\0');
  const auto put = [&](size_t at, uint32_t value) { std::memcpy(&file[at], &value, 4); };
  file[0] = 'B';
  file[1] = 'M';
  put(2, static_cast<uint32_t>(file.size()));
  put(10, 54);
  put(14, 40);
  put(18, width);
  put(22, height);
  file[26] = 1;
  file[28] = 24;
  RandomStream random(key);
  for (size_t i = 54; i < file.size(); ++i) file[i] = static_cast<char>(random.bits());
  return file;
}

constexpr int64_t kForever = INT64_MAX;

/// A stream of its own for each worker and epoch: sample k's caption is "w<worker>e<epoch>k<k>".
class FakeSource final : public data::SampleSource {
 public:
  explicit FakeSource(int64_t worker, int64_t size = kForever) : worker_(worker), size_(size) {}

  void begin_epoch(int64_t epoch) override {
    ++epochs_begun;
    epoch_ = epoch;
    at_ = 0;
  }
  std::optional<RawSample> next() override {
    EXPECT_FALSE(busy_.test_and_set()) << "two threads at one source";
    const int64_t k = at_++;
    ++given;
    const auto free = [](std::atomic_flag* flag) { flag->clear(); };
    const std::unique_ptr<std::atomic_flag, decltype(free)> guard(&busy_, free);
    if (reading) reading(k);
    if (k >= size_) return std::nullopt;
    RawSample sample;
    sample.caption =
        "w" + std::to_string(worker_) + "e" + std::to_string(epoch_) + "k" + std::to_string(k);
    sample.name = "shard/" + sample.caption;
    const auto key = static_cast<uint64_t>(1000 * worker_ + k);
    sample.image = is_bad && is_bad(k) ? "no picture" : bmp(9 + key % 5, 7 + key % 3, key);
    return sample;
  }

  std::function<bool(int64_t)> is_bad;
  std::function<void(int64_t)> reading;  // may throw
  std::atomic<int64_t> given = 0;
  std::atomic<int64_t> epochs_begun = 0;

 private:
  const int64_t worker_;
  const int64_t size_;
  int64_t epoch_ = -1;
  int64_t at_ = 0;
  std::atomic_flag busy_;
};

std::shared_ptr<const text::Tokenizer> tokenizer() {
  static const auto shared = std::make_shared<const text::Tokenizer>();
  return shared;
}

/// "w0e0k3" without the blanks that decoding puts between the tokens.
std::string caption_of(const TrainBatch& batch, int64_t i) {
  const std::span<const int32_t> row = batch.tokens.row(i);
  std::string caption;
  for (const char c : tokenizer()->decode(row.subspan(1, row.size() - 2))) {
    if (c != ' ') caption += c;
  }
  return caption;
}

TrainLoaderConfig small_config() {
  TrainLoaderConfig config;
  config.preprocess.width = 6;
  config.preprocess.height = 5;
  config.augment = {.scale = {0.2, 1.0}, .re_prob = 0.5, .use_timm = true};
  config.batch_size = 4;
  config.batches_per_epoch = 9;
  config.seed = 17;
  config.rank = 3;
  return config;
}

/// A loader over fake sources, and what it says of them.
class Rig {
 public:
  using Change = std::function<void(FakeSource&, int64_t worker)>;

  explicit Rig(const TrainLoaderConfig& config, int64_t workers = 3, const Change& change = {},
               int64_t size = kForever) {
    std::vector<std::unique_ptr<data::SampleSource>> owned;
    for (int64_t i = 0; i < workers; ++i) {
      auto source = std::make_unique<FakeSource>(i, size == kForever ? size : size + 5 * i);
      if (change) change(*source, i);
      sources.push_back(source.get());
      owned.push_back(std::move(source));
    }
    loader = std::make_unique<TrainLoader>(std::move(owned), tokenizer(), config,
                                           [this](const std::string& name, const std::string& why) {
                                             const std::lock_guard lock(mutex_);
                                             faults[name] = why;
                                           });
  }

  std::vector<TrainBatch> rest() {
    std::vector<TrainBatch> batches;
    while (auto batch = loader->next()) batches.push_back(std::move(*batch));
    return batches;
  }
  std::vector<TrainBatch> epoch(int64_t number, const LoaderPosition& from = {}) {
    loader->begin_epoch(number, from);
    return rest();
  }

  std::vector<FakeSource*> sources;
  std::map<std::string, std::string> faults;

 private:
  std::mutex mutex_;  // of faults, while the loader works

 public:
  std::unique_ptr<TrainLoader> loader;  // ends before what its threads use
};

void expect_same(const TrainBatch& a, const TrainBatch& b) {
  ASSERT_EQ(a.n, b.n);
  EXPECT_EQ(a.pixels, b.pixels);
  ASSERT_EQ(a.tokens.size(), b.tokens.size());
  for (int64_t i = 0; i < a.n; ++i) EXPECT_EQ(caption_of(a, i), caption_of(b, i));
  EXPECT_EQ(a.after, b.after);
}

void expect_same(const std::vector<TrainBatch>& a, const std::vector<TrainBatch>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) expect_same(a[i], b[i]);
}

TEST(TrainLoader, TakesBatchesFromTheWorkersInTurn) {
  Rig rig(small_config());
  EXPECT_FALSE(rig.loader->next().has_value());  // no epoch has begun
  const std::vector<TrainBatch> batches = rig.epoch(2);
  ASSERT_EQ(batches.size(), 9U);
  for (size_t b = 0; b < 9; ++b) {
    ASSERT_EQ(batches[b].n, 4);
    for (int64_t i = 0; i < 4; ++i) {
      EXPECT_EQ(caption_of(batches[b], i), "w" + std::to_string(b % 3) + "e2k" +
                                               std::to_string(static_cast<int64_t>(b) / 3 * 4 + i));
    }
    EXPECT_EQ(batches[b].after.batches, static_cast<int64_t>(b) + 1);
  }
  EXPECT_EQ(batches[3].after.taken, (std::vector<int64_t>{8, 4, 4}));
  EXPECT_EQ(batches[8].after.taken, (std::vector<int64_t>{12, 12, 12}));
  EXPECT_FALSE(rig.loader->next().has_value());
  for (const FakeSource* source : rig.sources) EXPECT_EQ(source->given, 12);  // and none too many
  EXPECT_TRUE(rig.faults.empty());
}

// Pixels are those of prepare_sample with the numbers of (seed, purpose, rank, worker, epoch, k).
TEST(TrainLoader, KeysItsRandomnessBySample) {
  const TrainLoaderConfig config = small_config();
  Rig rig(config, 2);
  const std::vector<TrainBatch> batches = rig.epoch(7);
  FakeSource source(1);
  source.begin_epoch(7);
  for (int64_t k = 0; k < 8; ++k) {
    uint64_t key = 17;
    for (const uint64_t number : {uint64_t{0x6175676D656E74}, uint64_t{3}, uint64_t{1}, uint64_t{7},
                                  static_cast<uint64_t>(k)}) {
      key = random_key(key, number);
    }
    std::vector<float> pixels(size_t{6} * 5 * 3);
    prepare_sample(*source.next(), config, *tokenizer(), RandomStream(key), pixels.data());
    const std::vector<float>& all = batches[static_cast<size_t>(1 + 2 * (k / 4))].pixels;
    const auto begin = all.begin() + k % 4 * 90;
    EXPECT_EQ(std::vector<float>(begin, begin + 90), pixels) << k;
  }
}

TEST(TrainLoader, EpochsDifferAndRepeat) {
  Rig rig(small_config());
  const auto first = rig.epoch(0);
  const auto second = rig.epoch(1);
  EXPECT_NE(first[0].pixels, second[0].pixels);
  expect_same(rig.epoch(0), first);
  TrainLoaderConfig other = small_config();
  other.rank = 4;
  EXPECT_NE(Rig(other).epoch(0)[0].pixels, first[0].pixels);
}

bool sometimes(int64_t worker, int64_t k) {
  return random_bits(99, static_cast<uint64_t>(100 * worker + k)) % 4 == 0;
}

void make_some_bad(FakeSource& source, int64_t worker) {
  source.is_bad = [worker](int64_t k) { return sometimes(worker, k); };
}

TEST(TrainLoader, PutsTheNextSampleInThePlaceOfABadOne) {
  Rig rig(small_config(), 3, make_some_bad);
  const std::vector<TrainBatch> batches = rig.epoch(0);
  ASSERT_EQ(batches.size(), 9U);
  size_t bad = 0;
  for (int64_t w = 0; w < 3; ++w) {
    int64_t k = 0;
    for (auto b = static_cast<size_t>(w); b < 9; b += 3) {
      ASSERT_EQ(batches[b].n, 4);
      for (int64_t i = 0; i < 4; ++i, ++k) {
        for (; sometimes(w, k); ++k) ++bad;
        EXPECT_EQ(caption_of(batches[b], i), "w" + std::to_string(w) + "e0k" + std::to_string(k));
      }
      EXPECT_EQ(batches[b].after.taken[static_cast<size_t>(w)], k);
    }
  }
  EXPECT_GT(bad, 3U);
  EXPECT_EQ(rig.faults.size(), bad);
  for (const auto& [name, reason] : rig.faults) {
    EXPECT_EQ(name.rfind("shard/w", 0), 0U);
    EXPECT_NE(reason.find("not a JPEG"), std::string::npos) << reason;
  }
}

TEST(TrainLoader, GivesTheSameWithAnyNumberOfThreads) {
  TrainLoaderConfig config = small_config();
  config.threads = 1;
  const auto expected = Rig(config, 3, make_some_bad).epoch(4);
  for (const int threads : {0, 2, 5, 16}) {
    for (const int64_t prefetch : {1, 4}) {
      config.threads = threads;
      config.prefetch = prefetch;
      Rig rig(config, 3, [](FakeSource& source, int64_t worker) {
        make_some_bad(source, worker);
        // So that threads overtake each other.
        source.reading = [worker](int64_t k) {
          if ((k + worker) % 3 == 0) std::this_thread::sleep_for(std::chrono::microseconds(300));
        };
      });
      expect_same(rig.epoch(4), expected);
    }
  }
}

TEST(TrainLoader, GoesOnAfterEveryBatchBitIdentically) {
  TrainLoaderConfig config = small_config();
  config.threads = 5;
  const auto straight = Rig(config, 3, make_some_bad).epoch(1);
  for (size_t cut = 0; cut < straight.size(); ++cut) {
    Rig rig(config, 3, make_some_bad);
    const auto rest = rig.epoch(1, straight[cut].after);
    ASSERT_EQ(rest.size(), straight.size() - 1 - cut);
    for (size_t i = 0; i < rest.size(); ++i) expect_same(rest[i], straight[cut + 1 + i]);
    // What was skipped is not decoded, so not reported again.
    for (const auto& [name, reason] : rig.faults) {
      const auto worker = static_cast<size_t>(name[7] - '0');
      EXPECT_GE(std::stoll(name.substr(name.find('k') + 1)), straight[cut].after.taken[worker]);
    }
  }
}

TEST(TrainLoader, BeginsAnotherEpochInTheMiddleOfOne) {
  TrainLoaderConfig config = small_config();
  config.threads = 4;
  const auto expected = Rig(config).epoch(5);
  Rig rig(config);
  for (int64_t epoch = 0; epoch < 20; ++epoch) {
    rig.loader->begin_epoch(epoch);
    for (int64_t i = 0; i < epoch % 4; ++i) ASSERT_TRUE(rig.loader->next());
  }
  expect_same(rig.epoch(5), expected);
}

TEST(TrainLoader, EndsWithItsSourcesAndKeepsShortBatches) {
  TrainLoaderConfig config = small_config();
  config.batches_per_epoch = 0;
  config.keep_partial = true;
  config.threads = 4;
  Rig rig(config, 3, {}, 6);  // 6, 11 and 16 samples
  const auto batches = rig.epoch(0);
  // Worker 0: 4 2; worker 1: 4 4 3; worker 2: 4 4 4 4. Who has ended is passed over.
  std::vector<std::pair<std::string, int64_t>> seen;
  for (const TrainBatch& batch : batches) seen.emplace_back(caption_of(batch, 0), batch.n);
  const std::vector<std::pair<std::string, int64_t>> expected = {
      {"w0e0k0", 4}, {"w1e0k0", 4}, {"w2e0k0", 4}, {"w0e0k4", 2}, {"w1e0k4", 4},
      {"w2e0k4", 4}, {"w1e0k8", 3}, {"w2e0k8", 4}, {"w2e0k12", 4}};
  EXPECT_EQ(seen, expected);
  EXPECT_EQ(batches.back().after.taken, (std::vector<int64_t>{6, 11, 16}));
  for (const TrainBatch& batch : batches) {
    EXPECT_EQ(batch.tokens.size(), batch.n);
    EXPECT_EQ(batch.pixels.size(), static_cast<size_t>(batch.n) * 90);
  }
  config.keep_partial = false;
  EXPECT_EQ(Rig(config, 3, {}, 6).epoch(0).size(), 7U);
}

TEST(TrainLoader, EvaluationTransformIsThatOfTheImageFolder) {
  TrainLoaderConfig config = small_config();
  config.augment.reset();
  const auto batches = Rig(config, 1).epoch(0);
  FakeSource source(0);
  source.begin_epoch(0);
  const std::string file = source.next()->image;
  const image::Image seen = image::preprocess(
      image::decode({reinterpret_cast<const uint8_t*>(file.data()), file.size()}, "file"),
      config.preprocess);
  std::vector<float> planes(90);
  image::to_tensor(seen, config.preprocess, planes.data());
  for (size_t i = 0; i < 30; ++i) {
    for (size_t c = 0; c < 3; ++c) EXPECT_EQ(batches[0].pixels[3 * i + c], planes[30 * c + i]);
  }
}

TEST(TrainLoader, ThrowsWhatASourceThrewAfterTheBatchesBeforeIt) {
  TrainLoaderConfig config = small_config();
  config.batches_per_epoch = 0;
  std::atomic<bool> broken = true;
  Rig rig(config, 2, [&](FakeSource& source, int64_t worker) {
    if (worker == 1) {
      source.reading = [&](int64_t k) {
        if (broken && k == 10) throw std::runtime_error("the shard is gone");
      };
    }
  });
  rig.loader->begin_epoch(0);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(rig.loader->next().has_value());
  for (int i = 0; i < 2; ++i) {
    try {
      rig.loader->next();
      FAIL() << "no exception";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "the shard is gone");
    }
  }
  broken = false;
  rig.sources[1]->reading = {};
  rig.loader->begin_epoch(1);
  for (int i = 0; i < 9; ++i) EXPECT_TRUE(rig.loader->next().has_value());
}

TEST(TrainLoader, ReadsNoFurtherAheadThanItMay) {
  TrainLoaderConfig config = small_config();
  config.batches_per_epoch = 0;
  config.threads = 4;
  config.prefetch = 3;
  Rig rig(config, 2);
  rig.loader->begin_epoch(0);
  const auto all_given = [&] { return rig.sources[0]->given + rig.sources[1]->given; };
  for (int i = 0; i < 1000 && all_given() < 24; ++i) std::this_thread::sleep_for(milliseconds(5));
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(all_given(), 24);
  rig.loader->next();
  for (int i = 0; i < 1000 && all_given() < 28; ++i) std::this_thread::sleep_for(milliseconds(5));
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(rig.sources[0]->given, 16);
  EXPECT_EQ(rig.sources[1]->given, 12);
}

TEST(TrainLoader, EndsQuicklyWhileItsThreadsAreBusy) {
  TrainLoaderConfig config = small_config();
  config.batches_per_epoch = 0;
  config.threads = 4;
  config.batch_size = 10'000;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) {
    Rig rig(config);
    rig.loader->begin_epoch(0, {.batches = 3, .taken = {kForever, kForever, i % 2 == 0 ? 0 : 7}});
    std::this_thread::sleep_for(milliseconds(3));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(TrainLoader, FailsThoughAnotherWorkerWaitsForData) {
  const data::OnFault ignore = [](const std::string&, const std::string&) {};
  const auto silent = std::make_shared<const data::ShardList>("pipe:sleep 60");
  for (const bool waits_first : {false, true}) {
    const auto start = std::chrono::steady_clock::now();
    {
      auto broken = std::make_unique<FakeSource>(0);
      broken->reading = [](int64_t) { fail("the shard is gone"); };
      std::vector<std::unique_ptr<data::SampleSource>> sources;
      sources.push_back(std::move(broken));
      sources.push_back(std::make_unique<data::WebdatasetSource>(silent, data::WebdatasetConfig(),
                                                                 data::WorkerId(), ignore));
      if (waits_first) std::swap(sources[0], sources[1]);
      TrainLoader loader(std::move(sources), tokenizer(), small_config(), ignore);
      loader.begin_epoch(0);
      std::this_thread::sleep_for(milliseconds(100));  // until the pipe is waited for
      EXPECT_EQ(message_of([&] { loader.next(); }), "the shard is gone");
      loader.begin_epoch(1);
      std::this_thread::sleep_for(milliseconds(100));
    }
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30)) << waits_first;
  }
}

TEST(TrainLoader, GivesNothingWhilePaused) {
  // One source gives two batches and then waits for as long as it is let.
  std::atomic<bool> waits = true;
  Rig rig(small_config(), 1, [&](FakeSource& source, int64_t) {
    source.reading = [&](int64_t k) {
      while (k == 8 && waits) std::this_thread::sleep_for(milliseconds(1));
    };
  });
  rig.loader->begin_epoch(0);
  EXPECT_TRUE(rig.loader->next());
  EXPECT_TRUE(rig.loader->next());
  std::thread pauses([&] {
    std::this_thread::sleep_for(milliseconds(50));
    rig.loader->pause();
  });
  EXPECT_FALSE(rig.loader->next());
  EXPECT_FALSE(rig.loader->next());
  pauses.join();
  waits = false;
  rig.loader->begin_epoch(1);
  EXPECT_EQ(caption_of(*rig.loader->next(), 0), "w0e1k0");
}

TEST(TrainLoader, ThrowsWhereThereIsNoRoomForABatch) {
  TrainLoaderConfig config = small_config();
  config.preprocess.width = config.preprocess.height = 1;
  config.batch_size = int64_t{1} << 59;  // its bytes can be counted, but no vector is as long
  Rig rig(config, 2);
  rig.loader->begin_epoch(0);
  EXPECT_THROW(rig.loader->next(), std::length_error);
}

TEST(TrainLoader, LeavesOutPicturesThatAreTooLargeAndInvalidCaptions) {
  TrainLoaderConfig config = small_config();
  config.batch_size = 1;
  config.max_image_pixels = 9 * 7;  // the smallest of the fake pictures
  Rig rig(config, 1);
  for (const TrainBatch& batch : rig.epoch(0)) {
    EXPECT_EQ(std::stoll(caption_of(batch, 0).substr(5)) % 15, 0);  // 9 + k % 5 by 7 + k % 3
  }
  EXPECT_NE(rig.faults.at("shard/w0e0k1").find("10x8 pixels, more than the limit of 63"),
            std::string::npos);
  std::vector<float> pixels(90);
  EXPECT_THROW(prepare_sample({.name = "x", .image = bmp(2, 2, 1), .caption = "\xff\xfe"}, config,
                              *tokenizer(), RandomStream(1), pixels.data()),
               Error);
}

// Of validation: every rank reads all, and decodes its part.
TEST(TrainLoader, RanksShareTheBatchesOfOne) {
  constexpr int64_t kSize = 30;
  TrainLoaderConfig config = small_config();
  config.augment.reset();
  config.batches_per_epoch = 0;
  config.keep_partial = true;
  const auto some_bad = [](FakeSource& source, int64_t worker) {
    if (worker == 1) source.is_bad = [](int64_t k) { return k == 9; };  // number 21, rank 2's
  };
  Rig whole(config, 2, some_bad, kSize);
  std::map<int64_t, std::string> want;
  for (const TrainBatch& batch : whole.epoch(0)) {
    for (int64_t i = 0; i < batch.n; ++i) {
      want[batch.numbers.at(static_cast<size_t>(i))] = caption_of(batch, i);
    }
  }
  ASSERT_EQ(want.size(), 64U);  // of 30 and 35
  EXPECT_EQ(want.at(20), "w1e0k8");
  EXPECT_FALSE(want.contains(21));
  std::map<int64_t, std::string> got;
  config.shared_by = 3;
  for (config.rank = 0; config.rank < 3; ++config.rank) {
    Rig part(config, 2, some_bad, kSize);
    const std::vector<TrainBatch> batches = part.epoch(0);
    for (const TrainBatch& batch : batches) {
      EXPECT_EQ(batch.pixels.size(), static_cast<size_t>(batch.n) * 90);
      for (int64_t i = 0; i < batch.n; ++i) {
        const int64_t number = batch.numbers.at(static_cast<size_t>(i));
        EXPECT_EQ(number / 4 % 3, config.rank);
        EXPECT_TRUE(got.emplace(number, caption_of(batch, i)).second) << number;
      }
    }
    EXPECT_EQ(part.faults.size(), config.rank == 2 ? 1U : 0U);  // the others did not look at it
  }
  EXPECT_EQ(got, want);
}

TEST(TrainLoader, NumbersFollowTheBatchesOfTheWorkersInTurn) {
  Rig rig(small_config());
  const std::vector<TrainBatch> batches = rig.epoch(0);
  EXPECT_EQ(batches[1].numbers, (std::vector<int64_t>{4, 5, 6, 7}));
  EXPECT_EQ(batches[4].numbers, (std::vector<int64_t>{16, 17, 18, 19}));
}

TEST(TrainLoader, DrawsBlackWhereThereIsNoPicture) {
  TrainLoaderConfig config = small_config();
  config.augment = image::AugmentConfig{};
  const auto table = image::normalization_table(config.preprocess);
  std::vector<float> pixels(90);
  const auto tokens = prepare_sample({.name = "x", .image = "", .caption = "Dummy caption"}, config,
                                     *tokenizer(), RandomStream(1), pixels.data());
  for (size_t i = 0; i < 90; ++i) EXPECT_EQ(pixels[i], table[i % 3][0]);
  EXPECT_EQ(tokens.front(), text::kStartOfText);
  EXPECT_EQ(tokens.back(), text::kEndOfText);
}

TEST(TrainLoader, GivesUpOnDataOfWhichNothingCanBeUsed) {
  Rig rig(small_config(), 1,
          [](FakeSource& source, int64_t) { source.is_bad = [](int64_t) { return true; }; });
  rig.loader->begin_epoch(0);
  try {
    rig.loader->next();
    FAIL() << "no exception";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("9999 samples before it cannot be used"),
              std::string::npos)
        << error.what();
  }
}

TEST(TrainLoader, ThrowsWhatTheListenerOfFaultsThrows) {
  std::vector<std::unique_ptr<data::SampleSource>> sources;
  auto source = std::make_unique<FakeSource>(0);
  source->is_bad = [](int64_t k) { return k == 2; };
  sources.push_back(std::move(source));
  TrainLoader loader(std::move(sources), tokenizer(), small_config(),
                     [](const std::string& name, const std::string&) { fail("stop at ", name); });
  loader.begin_epoch(0);
  EXPECT_THROW(loader.next(), Error);
}

TEST(TrainLoader, RefusesAPositionOfOtherWorkersOrOtherData) {
  Rig rig(small_config(), 2);
  EXPECT_THROW(rig.loader->begin_epoch(0, {.batches = 1, .taken = {4, 0, 0}}), Error);
  Rig shorter(small_config(), 1, {}, 10);
  shorter.loader->begin_epoch(0, {.batches = 3, .taken = {12}});
  EXPECT_THROW(shorter.loader->next(), Error);
}

TEST(TrainLoader, RefusesWhatHasNoMeaning) {
  const auto refuses = [](const std::function<void(TrainLoaderConfig&)>& change) {
    TrainLoaderConfig config = small_config();
    change(config);
    EXPECT_THROW(Rig{config}, Error);
  };
  refuses([](TrainLoaderConfig& config) { config.batch_size = 0; });
  refuses([](TrainLoaderConfig& config) { config.batch_size = INT64_MAX / 100; });
  refuses([](TrainLoaderConfig& config) { config.prefetch = 0; });
  refuses([](TrainLoaderConfig& config) { config.shared_by = 0; });
  refuses([](TrainLoaderConfig& config) { config.context_length = 1; });
  refuses([](TrainLoaderConfig& config) { config.preprocess.width = 0; });
  refuses([](TrainLoaderConfig& config) { config.augment->re_prob = 2; });
  EXPECT_THROW(Rig(small_config(), 0), Error);
}

TEST(TrainLoaderDeathTest, StopsAtASignal) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto interrupted_load = [] {
    catch_interrupts();
    TrainLoaderConfig config = small_config();
    config.batches_per_epoch = 0;
    Rig rig(config, 2, [](FakeSource& source, int64_t worker) {
      source.reading = [worker](int64_t k) {
        if (worker == 0 && k == 30) std::raise(SIGTERM);  // a second one would end the process
      };
    });
    rig.loader->begin_epoch(0);
    try {
      rig.rest();
    } catch (const Interrupted&) {
      std::_Exit(7);
    }
  };
  EXPECT_EXIT(interrupted_load(), testing::ExitedWithCode(7), "");
}

}  // namespace
}  // namespace clipnext::pipeline
