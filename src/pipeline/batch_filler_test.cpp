#include "pipeline/batch_filler.h"

#include <gtest/gtest.h>

namespace clipnext::pipeline {
namespace {

/// Fills a place with its ordinal, as pixels and as the only token.
void fill(BatchFiller& filler, size_t place, int64_t ordinal) {
  filler.pixels(place)[0] = filler.pixels(place)[1] = static_cast<float>(ordinal);
  filler.done(place, {static_cast<int32_t>(ordinal)});
}

void expect_samples(const TrainBatch& batch, const std::vector<int32_t>& ordinals) {
  ASSERT_EQ(batch.n, static_cast<int64_t>(ordinals.size()));
  ASSERT_EQ(batch.pixels.size(), 2 * ordinals.size());
  ASSERT_EQ(batch.tokens.size(), batch.n);
  for (size_t i = 0; i < ordinals.size(); ++i) {
    EXPECT_EQ(batch.pixels[2 * i], static_cast<float>(ordinals[i]));
    EXPECT_EQ(batch.pixels[2 * i + 1], static_cast<float>(ordinals[i]));
    EXPECT_EQ(batch.tokens.row(static_cast<int64_t>(i))[0], ordinals[i]);
  }
}

TEST(BatchFiller, KeepsTheStreamsOrderWhicheverSampleIsReadyFirst) {
  BatchFiller filler(3, 2);
  const size_t a = filler.begin(10), b = filler.begin(11), c = filler.begin(12);
  EXPECT_FALSE(filler.wants());
  fill(filler, c, 12);
  fill(filler, a, 10);
  EXPECT_FALSE(filler.full());
  EXPECT_EQ(filler.pending(), 1);
  fill(filler, b, 11);
  EXPECT_TRUE(filler.full());
  expect_samples(filler.finish(), {10, 11, 12});
}

TEST(BatchFiller, TakesTheNextSamplesOfTheStreamForBadOnes) {
  BatchFiller filler(4, 2);
  const size_t a = filler.begin(0), b = filler.begin(1), c = filler.begin(2), d = filler.begin(3);
  filler.failed(a);
  EXPECT_TRUE(filler.wants());
  const size_t e = filler.begin(4);
  EXPECT_FALSE(filler.wants());
  fill(filler, e, 4);
  fill(filler, d, 3);
  filler.failed(b);
  const size_t f = filler.begin(5);
  filler.failed(f);
  fill(filler, filler.begin(6), 6);
  fill(filler, c, 2);
  expect_samples(filler.finish(), {2, 3, 4, 6});
}

TEST(BatchFiller, IsShortIfTheStreamEnds) {
  BatchFiller filler(5, 2);
  const size_t a = filler.begin(0), b = filler.begin(1), c = filler.begin(2);
  fill(filler, c, 2);
  filler.failed(a);
  fill(filler, b, 1);
  expect_samples(filler.finish(), {1, 2});
  expect_samples(BatchFiller(5, 2).finish(), {});
}

}  // namespace
}  // namespace clipnext::pipeline
