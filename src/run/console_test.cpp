#include "run/console.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "base/text_lines.h"
#include "run/fixtures_test.h"

namespace clipnext::run {
namespace {

TrainLine example() {
  return {.epoch = 3,
          .step = 5,
          .steps_per_epoch = 8,
          .samples = 640,
          .samples_per_epoch = 1024,
          .data_time = 0.01249,
          .batch_time = 1.5,
          .samples_per_second = 123456.7,
          .samples_per_second_per_gpu = 31.4159265,
          .lr = 5e-5,
          .logit_scale = 14.2857,
          .losses = {{"contrastive_loss", 0.7123449, 0.742101}, {"loss", 12.0, 1e-7}}};
}

// The right-hand side is the reference's f-string under Python 3.11.
TEST(Console, TrainLinesAreTheReferences) {
  EXPECT_EQ(train_line(example()),
            "Train Epoch: 3 [ 640/1024 (62%)] Data (t): 0.012 Batch (t): 1.500, 123457./s, "
            "31.4159/s/gpu LR: 0.000050 Logit Scale: 14.286 Contrastive_loss: 0.71234 (0.74210) "
            "Loss: 12.000 (1.0000e-07)");
}

TEST(Console, NumbersAreFormattedAsPythonFormatsThem) {
  for (const Json& one : fixture("format.json")["numbers"]) {
    const double value = std::strtod(one["value"].get<std::string>().c_str(), nullptr);
    TrainLine line = example();
    line.data_time = line.batch_time = line.logit_scale = line.lr = value;
    line.samples_per_second = line.samples_per_second_per_gpu = value;
    line.losses = {{"loss", value, value}};
    const auto text = [&](const char* format) { return one[format].get<std::string>(); };
    EXPECT_EQ(train_line(line), "Train Epoch: 3 [ 640/1024 (62%)] Data (t): " + text("f3") +
                                    " Batch (t): " + text("f3") + ", " + text("g") + "/s, " +
                                    text("g") + "/s/gpu LR: " + text("lr") + " Logit Scale: " +
                                    text("f3") + " Loss: " + text("g5") + " (" + text("g5") + ")");
    EXPECT_EQ(eval_line(1, {{"a", value}, {"b", 2}}),
              "Eval Epoch: 1 a: " + text("f4") + "\tb: 2.0000");
    EXPECT_EQ(eval_progress_line(1, 5, 10, value),
              "Eval Epoch: 1 [5 / 10]\tClip Loss: " + text("f6") + "\t");
  }
}

// Spec: training.md section 10, item 13.
TEST(Console, TrainLinesAreReadBack) {
  const TrainLine line = example();
  const auto read = parse_train_line(log_prefix("INFO", 0) + train_line(line));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->epoch, 3);
  EXPECT_EQ(read->samples, 640);
  EXPECT_EQ(read->samples_per_epoch, 1024);
  EXPECT_EQ(read->samples_per_second, 123457);
  EXPECT_EQ(read->lr, 5e-5);
  ASSERT_EQ(read->losses.size(), 2U);
  EXPECT_EQ(read->losses[0].name, "contrastive_loss");
  EXPECT_EQ(read->losses[0].value, 0.71234);
  EXPECT_EQ(read->losses[1].average, 1e-7);
  for (const char* other : {"Train Epoch: 3", "Start epoch 3", "", "Train Epoch: x [1/2 (3%)]"}) {
    EXPECT_EQ(parse_train_line(other), std::nullopt) << other;
  }
}

// tests/data/run/out.log: what open_clip_train 3.3.0 logged of two short epochs.
TEST(Console, LinesOfTheReferenceAreReadAndWrittenAgain) {
  int64_t train = 0;
  int64_t eval = 0;
  for (const std::string& line : split_lines(fixture_text("out.log"))) {
    if (auto read = parse_train_line(line)) {
      ++train;
      // What is not on the line.
      read->steps_per_epoch = 5;
      read->step = read->samples / 8;
      EXPECT_EQ(line.substr(line.find("Train")), train_line(*read));
    }
    if (const auto read = parse_eval_line(line)) {
      ++eval;
      EXPECT_EQ(line.substr(line.find("Eval")), eval_line(read->first, read->second));
    }
  }
  EXPECT_EQ(train, 6);
  EXPECT_EQ(eval, 2);
}

TEST(Console, LinesForProgramsHoldTheSame) {
  const OrderedJson json = train_json(example());
  EXPECT_EQ(json["samples"], 640);
  EXPECT_EQ(json["contrastive_loss"], 0.7123449);
}

TEST(Console, EvalLinesAreReadBack) {
  EXPECT_EQ(parse_eval_line(eval_progress_line(1, 8, 0, 1.5)), std::nullopt);
  const auto read = parse_eval_line("x | " + eval_line(2, {{"a_R@1", 0.25}, {"epoch", 2}}));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->first, 2);
  EXPECT_EQ(read->second[1], (std::pair<std::string, double>("epoch", 2)));
}

TEST(Console, SampleCountsAreAsWideAsTheReferences) {
  TrainLine line = example();
  line.samples = 7;
  line.samples_per_epoch = 999;  // log10(1000) is a little less than 3 in floating point
  EXPECT_NE(train_line(line).find("[  7/999 "), std::string::npos);
  line.samples_per_epoch = 203685888;
  EXPECT_NE(train_line(line).find("[        7/203685888 "), std::string::npos);
}

TEST(Console, LinesComeEverySoManyStepsAndAtTheEnd) {
  std::vector<int64_t> logged;
  for (int64_t step = 1; step <= 10; ++step) {
    if (logs_step(step, 4, 10)) logged.push_back(step);
  }
  EXPECT_EQ(logged, (std::vector<int64_t>{1, 5, 9, 10}));
}

TEST(Console, MetersAverageAsTheReferences) {
  AverageMeter meter;
  meter.update(1, 10);
  meter.update(4, 20);
  EXPECT_EQ(meter.value(), 4);
  EXPECT_EQ(meter.average(), 3);
  meter.reset();
  meter.update(2);
  EXPECT_EQ(meter.average(), 2);

  LossMeter mean;
  mean.update(1, 4, 4);
  mean.update(3, 4, 8);
  EXPECT_EQ(mean.average(), 2);
  mean.begin_epoch();
  mean.update(5, 4, 12);
  EXPECT_EQ(mean.average(), 5);

  LossMeter ema(100);
  ema.update(1, 4, 100);
  EXPECT_EQ(ema.average(), 1);
  ema.begin_epoch();
  ema.update(3, 4, 200);
  EXPECT_NEAR(ema.average(), std::exp(-1.0) * 1 + (1 - std::exp(-1.0)) * 3, 1e-12);
  EXPECT_EQ(ema.value(), 3);
}

TEST(Console, PrefixesAreTheReferences) {
  setenv("TZ", "UTC", 1);
  EXPECT_EQ(log_prefix("INFO", 1676135109), "2023-02-11,17:05:09 | INFO | ");
}

}  // namespace
}  // namespace clipnext::run
