// An embedding depends on its input alone: not on the batch, its order or the number of threads.
#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

#include "infer/clip.h"
#include "synthetic.h"

namespace clipnext {
namespace {

using Vectors = std::vector<std::vector<float>>;

/// Rows of out [n, d].
Vectors split(const std::vector<float>& out, size_t d) {
  Vectors rows;
  for (size_t i = 0; i < out.size(); i += d) {
    rows.emplace_back(out.begin() + static_cast<int64_t>(i),
                      out.begin() + static_cast<int64_t>(i + d));
  }
  return rows;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

Vectors embed_pictures(infer::Clip& clip, const std::vector<int64_t>& shifts, int64_t h,
                       int64_t w) {
  std::vector<uint8_t> pixels;
  for (const int64_t shift : shifts) {
    const auto picture = testing::synthetic_picture(h, w, shift);
    pixels.insert(pixels.end(), picture.begin(), picture.end());
  }
  const auto d = static_cast<size_t>(clip.config().embed_dim);
  std::vector<float> out(shifts.size() * d);
  clip.embed_images({pixels.data(), static_cast<int64_t>(shifts.size()), h, w}, out.data());
  return split(out, d);
}

std::vector<int32_t> text(size_t length) {
  std::vector<int32_t> ids{49406};
  for (size_t i = 1; i + 1 < length; ++i) ids.push_back(static_cast<int32_t>(i * 771 % 40000));
  ids.push_back(49407);
  return ids;
}

Vectors embed_texts(infer::Clip& clip, const std::vector<size_t>& lengths) {
  model::TokenRows rows;
  for (const size_t length : lengths) rows.add(text(length));
  const auto d = static_cast<size_t>(clip.config().embed_dim);
  std::vector<float> out(lengths.size() * d);
  clip.embed_texts(rows, out.data());
  return split(out, d);
}

/// Each picture and text alone on one thread, then in batches on one, two and three.
void expect_one_answer(const model::ClipConfig& config, int64_t h, int64_t w) {
  ThreadPool one(1);
  const auto tensors = testing::synthetic_weights(config, one);
  infer::Clip alone(config, tensors, one);
  Vectors pictures;
  for (int64_t shift = 0; shift < 5; ++shift) {
    pictures.push_back(embed_pictures(alone, {shift}, h, w)[0]);
  }
  const std::vector<size_t> lengths = {2, 77, 9, 3, 40};
  Vectors texts;
  for (const size_t length : lengths) texts.push_back(embed_texts(alone, {length})[0]);

  for (const int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    infer::Clip clip(config, tensors, pool);
    const Vectors in_order = embed_pictures(clip, {0, 1, 2, 3, 4}, h, w);
    const Vectors shuffled = embed_pictures(clip, {3, 0, 4, 1, 2}, h, w);
    const Vectors single = embed_pictures(clip, {2}, h, w);
    for (size_t i = 0; i < 5; ++i) {
      EXPECT_TRUE(same_bits(in_order[i], pictures[i])) << config.name << " " << threads << " " << i;
      EXPECT_TRUE(same_bits(shuffled[i], pictures[std::vector<size_t>{3, 0, 4, 1, 2}[i]]));
    }
    EXPECT_TRUE(same_bits(single[0], pictures[2]));

    const Vectors ragged = embed_texts(clip, lengths);
    const Vectors turned = embed_texts(clip, {lengths.rbegin(), lengths.rend()});
    for (size_t i = 0; i < 5; ++i) {
      EXPECT_TRUE(same_bits(ragged[i], texts[i])) << config.name << " " << threads << " " << i;
      EXPECT_TRUE(same_bits(turned[i], texts[4 - i]));
      EXPECT_TRUE(same_bits(embed_texts(clip, {lengths[i]})[0], texts[i]));
    }
  }
}

TEST(Determinism, ConvNextEmbeddingDependsOnItsInputAlone) {
  expect_one_answer(testing::tiny_config("tiny_convnext_mlp"), 64, 64);
  expect_one_answer(testing::tiny_config("tiny_convnext_linear"), 75, 101);
}

TEST(Determinism, VitEmbeddingDependsOnItsInputAlone) {
  expect_one_answer(testing::tiny_config("tiny_vit"), 64, 64);
}

TEST(Determinism, ResNetEmbeddingDependsOnItsInputAlone) {
  expect_one_answer(testing::tiny_config("tiny_rn"), 64, 64);
}

// Wide enough that every way of splitting a product is taken.
TEST(Determinism, RealWidthsDependOnTheirInputAlone) {
  model::ClipConfig config = testing::tiny_config("tiny_convnext_mlp");
  model::ConvNextConfig vision = std::get<model::ConvNextConfig>(config.vision);
  vision.depths = {1, 1, 2, 1};
  vision.dims = {96, 192, 384, 768};
  config.vision = vision;
  config.embed_dim = 512;
  config.text = {.width = 512, .heads = 8, .layers = 2, .mlp_width = 2048};
  expect_one_answer(config, 224, 160);
}

TEST(Determinism, GroupsOfAGreatBatchGiveTheSameAnswer) {
  ThreadPool pool(2);
  const auto config = testing::tiny_config("tiny_convnext_mlp");
  infer::Clip clip(config, testing::synthetic_weights(config, pool), pool);
  std::vector<size_t> lengths(2000, 77);  // more positions than one group holds
  lengths[1234] = 5;
  const Vectors all = embed_texts(clip, lengths);
  EXPECT_TRUE(same_bits(all[1999], all[0]));
  EXPECT_TRUE(same_bits(all[1234], embed_texts(clip, {5})[0]));
}

}  // namespace
}  // namespace clipnext
