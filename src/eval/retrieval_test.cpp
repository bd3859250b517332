#include "eval/retrieval.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "base/error.h"

namespace clipnext::eval {
namespace {

// Few distinct exact values, so that there are many ties.
std::vector<float> coarse_values(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> step(-2, 2);
  std::vector<float> values(count);
  for (float& v : values) v = static_cast<float>(step(random)) / 4;
  return values;
}

float dot(const float* a, const float* b, size_t dim) {
  double sum = 0;
  for (size_t d = 0; d < dim; ++d) sum += static_cast<double>(a[d]) * b[d];
  return static_cast<float>(sum);
}

// From the whole matrix of scores.
RetrievalRanks slow_ranks(const std::vector<float>& images, const std::vector<float>& texts,
                          const std::vector<int64_t>& text_image, size_t dim) {
  const size_t n = images.size() / dim, m = texts.size() / dim;
  RetrievalRanks ranks{.image_of_text = std::vector<int64_t>(m),
                       .text_of_image = std::vector<int64_t>(n, kNoRank)};
  const auto score = [&](size_t t, size_t i) {
    return dot(texts.data() + t * dim, images.data() + i * dim, dim);
  };
  for (size_t t = 0; t < m; ++t) {
    const auto own = static_cast<size_t>(text_image[t]);
    int64_t of_text = 0, of_image = 0;
    for (size_t i = 0; i < n; ++i) {
      of_text += score(t, i) > score(t, own) || (score(t, i) == score(t, own) && i < own);
    }
    for (size_t u = 0; u < m; ++u) {
      of_image += score(u, own) > score(t, own) || (score(u, own) == score(t, own) && u < t);
    }
    ranks.image_of_text[t] = of_text;
    ranks.text_of_image[own] = std::min(ranks.text_of_image[own], of_image);
  }
  return ranks;
}

TEST(RetrievalRanks, OfTilesEqualThoseOfTheWholeMatrix) {
  constexpr size_t kDim = 5;
  for (const int64_t captions : {1, 5, 6}) {
    for (const size_t n : {size_t{1}, size_t{33}, size_t{600}}) {  // 600: two tiles of images
      const size_t m = n * static_cast<size_t>(captions);
      const auto images = coarse_values(n * kDim, 1), texts = coarse_values(m * kDim, 2);
      std::vector<int64_t> text_image(m);
      for (size_t t = 0; t < m; ++t) text_image[t] = static_cast<int64_t>(t) / captions;
      const RetrievalRanks expected = slow_ranks(images, texts, text_image, kDim);
      for (const int threads : {1, 3}) {
        ThreadPool pool(threads);
        const RetrievalRanks ranks = rank_retrieval(images, texts, text_image, kDim, pool);
        EXPECT_EQ(ranks.image_of_text, expected.image_of_text) << captions << " x " << n;
        EXPECT_EQ(ranks.text_of_image, expected.text_of_image) << captions << " x " << n;
      }
    }
  }
}

// With values that round, the score of a pair must have the same bits in every tile: a text equal
// to another, or an image, is a tie and not a rival.
TEST(RetrievalRanks, EqualVectorsTieWhereverTheyLie) {
  constexpr size_t kDim = 77, kCount = 9000;  // two blocks of images
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  std::vector<float> one(kDim), images;
  for (float& v : one) v = normal(random);
  for (size_t i = 0; i < kCount; ++i) images.insert(images.end(), one.begin(), one.end());
  const std::vector<float> texts(images.begin(), images.begin() + 3 * kDim);
  const std::vector<int64_t> text_image = {8999, 4000, 4000};
  ThreadPool pool(2);
  const RetrievalRanks ranks = rank_retrieval(images, texts, text_image, kDim, pool);
  EXPECT_EQ(ranks.image_of_text, (std::vector<int64_t>{8999, 4000, 4000}));
  EXPECT_EQ(ranks.text_of_image[8999], 0);
  EXPECT_EQ(ranks.text_of_image[4000], 1);
  EXPECT_EQ(ranks.text_of_image[0], kNoRank);
}

TEST(RecallAt, CountsRanksBelowKInFloats) {
  const std::vector<int64_t> ranks = {0, 3, 1, 9, kNoRank, 4, 5};
  EXPECT_EQ(recall_at(ranks, 1), static_cast<double>(1.0f / 7.0f));
  EXPECT_EQ(recall_at(ranks, 5), static_cast<double>(4.0f / 7.0f));
  EXPECT_EQ(recall_at(ranks, 1000), static_cast<double>(6.0f / 7.0f));  // no answer is none
  EXPECT_THROW(recall_at(ranks, 0), Error);
  EXPECT_THROW(recall_at({}, 1), Error);
}

TEST(RetrievalRanks, RejectsWhatDoesNotFit) {
  ThreadPool pool(1);
  const std::vector<float> two = {1, 0, 0, 1};
  EXPECT_THROW(rank_retrieval(two, two, std::vector<int64_t>{0}, 2, pool), Error);
  EXPECT_THROW(rank_retrieval(two, two, std::vector<int64_t>{0, 2}, 2, pool), Error);
  EXPECT_THROW(rank_retrieval(two, two, std::vector<int64_t>{0, -1}, 2, pool), Error);
  EXPECT_THROW(rank_retrieval(two, two, std::vector<int64_t>{0}, 3, pool), Error);
  EXPECT_THROW(
      rank_retrieval(std::vector<float>{1, NAN, 0, 1}, two, std::vector<int64_t>{0, 1}, 2, pool),
      Error);
}

TEST(SelectCaptions, NeedsEveryPairOfAnInstance) {
  // Two images and two captions each: right; the images prefer their own caption but the second
  // caption prefers the first image; ties, which go to the first.
  const std::vector<float> images = {1, 0, 0, 1, /**/ 2, 1, 0, 1, /**/ 1, 0, 1, 0};
  const std::vector<float> texts = {1, 0, 0, 1, /**/ 1, 0, 0.4f, 1, /**/ 1, 0, 1, 0};
  const CaptionSelection found = select_captions(images, 2, texts, 2, 2);
  EXPECT_EQ(found.instances, 3);
  EXPECT_EQ(found.texts_right, 2);
  EXPECT_EQ(found.images_right, 1);
  EXPECT_EQ(found.both_right, 1);
}

TEST(SelectCaptions, OneImageIsAlwaysTheRightOne) {
  const std::vector<float> images = {1, 0, 1, 0};
  const std::vector<float> texts = {1, 0, 0, 1, /**/ 0, 1, 1, 0};
  const CaptionSelection found = select_captions(images, 1, texts, 2, 2);
  EXPECT_EQ(found.instances, 2);
  EXPECT_EQ(found.images_right, 2);
  EXPECT_EQ(found.texts_right, 1);
  EXPECT_EQ(found.both_right, 1);
  EXPECT_THROW(select_captions(images, 1, texts, 3, 2), Error);
  EXPECT_THROW(select_captions(images, 0, texts, 2, 2), Error);
}

}  // namespace
}  // namespace clipnext::eval
