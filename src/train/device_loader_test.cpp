#include "train/device_loader.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/test_error.h"
#include "data/sample_source.h"

namespace clipnext::train {
namespace {

constexpr int64_t kBatch = 2, kBatches = 5;

/// Captions without pictures: sample k of epoch e has the number 100 e + k.
class Captions final : public data::SampleSource {
 public:
  void begin_epoch(int64_t epoch) override { at_ = 100 * epoch; }
  void stop_on(data::StopFlag flag) override { stop_ = flag; }
  std::optional<data::RawSample> next() override {
    if (at_ == fails_at) fail("the shard is gone");
    while (at_ == waits_at) {
      if (*stop_) throw Interrupted();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    if (given != nullptr) ++*given;
    data::RawSample sample;
    sample.caption = std::to_string(at_++);
    return sample;
  }

  int64_t fails_at = -1;
  int64_t waits_at = -1;
  std::atomic<int64_t>* given = nullptr;

 private:
  data::StopFlag stop_ = nullptr;
  int64_t at_ = 0;
};

class DeviceLoaderAhead : public testing::TestWithParam<bool> {
 protected:
  DeviceLoader loader(int64_t fails_at = -1, int64_t waits_at = -1) const {
    auto source = std::make_unique<Captions>();
    source->fails_at = fails_at;
    source->waits_at = waits_at;
    source->given = given_.get();
    std::vector<std::unique_ptr<data::SampleSource>> sources;
    sources.push_back(std::move(source));
    pipeline::TrainLoaderConfig options;
    options.preprocess.width = 3;
    options.preprocess.height = 4;
    options.batch_size = kBatch;
    options.batches_per_epoch = kBatches;
    model::ClipConfig config;
    config.image_width = 3;
    config.image_height = 4;
    return {std::make_unique<pipeline::TrainLoader>(std::move(sources), tokenizer_, options,
                                                    [](const std::string&, const std::string&) {}),
            config, at::kCPU, GetParam()};
  }

  std::string first_caption(const LoadedBatch& batch) const {
    const auto row = batch.pairs.tokens.row(0);
    std::string caption;
    for (const char c : tokenizer_->decode(row.subspan(1, row.size() - 2))) {
      if (c != ' ') caption += c;
    }
    return caption;
  }

  std::shared_ptr<std::atomic<int64_t>> given_ = std::make_shared<std::atomic<int64_t>>(0);
  std::shared_ptr<const text::Tokenizer> tokenizer_ = std::make_shared<const text::Tokenizer>();
};

INSTANTIATE_TEST_SUITE_P(Train, DeviceLoaderAhead, testing::Bool());

TEST_P(DeviceLoaderAhead, GivesEveryBatchInOrder) {
  DeviceLoader batches = loader();
  for (const int64_t epoch : {0, 3}) {
    batches.begin_epoch(epoch);
    for (int64_t i = 0; i < kBatches; ++i) {
      const auto batch = batches.next();
      ASSERT_TRUE(batch);
      EXPECT_EQ(first_caption(*batch), std::to_string(100 * epoch + kBatch * i));
      EXPECT_EQ(batch->pairs.pixels.sizes(), at::IntArrayRef({kBatch, 4, 3, 3}));
      EXPECT_EQ(batch->numbers, (std::vector{kBatch * i, kBatch * i + 1}));
      EXPECT_EQ(batch->after.batches, i + 1);
    }
    EXPECT_FALSE(batches.next());
    EXPECT_FALSE(batches.next());
  }
}

TEST_P(DeviceLoaderAhead, HoldsOneBatchMoreThanTheLoader) {
  DeviceLoader batches = loader();
  batches.begin_epoch(0);
  batches.next();
  const int64_t expected = kBatch * (GetParam() ? 4 : 3);  // the one given, and two in the loader
  for (int i = 0; i < 1000 && *given_ < expected; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(*given_, expected);
}

TEST_P(DeviceLoaderAhead, BeginsAnotherEpochInTheMiddleOfOne) {
  DeviceLoader batches = loader();
  batches.begin_epoch(0);
  batches.next();
  const auto second = batches.next();
  batches.begin_epoch(1);
  EXPECT_EQ(first_caption(*batches.next()), "100");
  batches.begin_epoch(0, second->after);
  EXPECT_EQ(first_caption(*batches.next()), "4");
}

TEST_P(DeviceLoaderAhead, ThrowsWhatTheSourceThrewAfterTheBatchesBeforeIt) {
  DeviceLoader batches = loader(4);
  batches.begin_epoch(0);
  EXPECT_TRUE(batches.next());
  EXPECT_TRUE(batches.next());
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(message_of([&] { batches.next(); }), "the shard is gone");
  }
  batches.begin_epoch(1);
  EXPECT_EQ(first_caption(*batches.next()), "100");
}

TEST_P(DeviceLoaderAhead, EndsWhileTheSourceWaitsForData) {
  for (const bool another : {false, true}) {
    DeviceLoader batches = loader(-1, kBatch);
    batches.begin_epoch(0);
    EXPECT_TRUE(batches.next());
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // until the second is waited for
    if (!another) continue;
    batches.begin_epoch(1);
    EXPECT_EQ(first_caption(*batches.next()), "100");
  }
}

}  // namespace
}  // namespace clipnext::train
