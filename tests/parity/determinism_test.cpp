// An embedding depends on its input alone: not on the batch, its order or the number of threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <span>
#include <string>

#include "infer/clip.h"
#include "synthetic.h"

namespace clipnext {
namespace {

using infer::ComputeType;
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
void expect_one_answer(const model::ClipConfig& config, int64_t h, int64_t w,
                       ComputeType type = ComputeType::kFp32) {
  ThreadPool one(1);
  const auto tensors = testing::synthetic_weights(config, one);
  infer::Clip alone(config, tensors, one, "test", type);
  Vectors pictures;
  for (int64_t shift = 0; shift < 5; ++shift) {
    pictures.push_back(embed_pictures(alone, {shift}, h, w)[0]);
  }
  const std::vector<size_t> lengths = {2, 77, 9, 3, 40};
  Vectors texts;
  for (const size_t length : lengths) texts.push_back(embed_texts(alone, {length})[0]);

  for (const int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    infer::Clip clip(config, tensors, pool, "test", type);
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
  for (const auto type : {ComputeType::kFp32, ComputeType::kBf16, ComputeType::kInt8}) {
    expect_one_answer(config, 224, 160, type);
  }
}

/// The rows that `embed` gives for items 0 .. 31 in batches of a size, the last one smaller, in
/// order or from the last to the first.
template <class Embed>
Vectors in_batches(const Embed& embed, size_t batch, bool backwards) {
  std::vector<size_t> items(32);
  std::iota(items.begin(), items.end(), size_t{0});
  if (backwards) std::reverse(items.begin(), items.end());
  Vectors rows(items.size());
  for (size_t begin = 0; begin < items.size(); begin += batch) {
    const std::span part(items.data() + begin, std::min(batch, items.size() - begin));
    const Vectors vectors = embed(part);
    for (size_t i = 0; i < part.size(); ++i) rows[part[i]] = vectors[i];
  }
  return rows;
}

/// 32 pictures and texts in batches of 1, 7 and 32 on one and two threads.
void expect_one_answer_in_batches(const model::ClipConfig& config,
                                  const weights::TensorMap& tensors, ComputeType type,
                                  const kernels::Kernels& kernels) {
  Vectors pictures, texts;  // alone on one thread
  for (const int threads : {1, 2}) {
    ThreadPool pool(threads);
    infer::Clip clip(config, tensors, pool, "test", type, kernels);
    const auto embed_some_pictures = [&](std::span<const size_t> items) {
      return embed_pictures(clip, {items.begin(), items.end()}, 32, 32);
    };
    const auto embed_some_texts = [&](std::span<const size_t> items) {
      std::vector<size_t> lengths;
      for (const size_t item : items) lengths.push_back(2 + item * 29 % 76);
      return embed_texts(clip, lengths);
    };
    for (const size_t batch : {size_t{1}, size_t{7}, size_t{32}}) {
      for (const bool backwards : {false, true}) {
        const Vectors some_pictures = in_batches(embed_some_pictures, batch, backwards);
        const Vectors some_texts = in_batches(embed_some_texts, batch, backwards);
        if (pictures.empty()) {
          pictures = some_pictures;
          texts = some_texts;
        }
        for (size_t i = 0; i < pictures.size(); ++i) {
          const auto where = [&] {
            return std::string(kernels.isa) + " " + infer::compute_type_name(type) + ", batch " +
                   std::to_string(batch) + ", threads " + std::to_string(threads);
          };
          EXPECT_TRUE(same_bits(some_pictures[i], pictures[i])) << where() << ", picture " << i;
          EXPECT_TRUE(same_bits(some_texts[i], texts[i])) << where() << ", text " << i;
        }
      }
    }
  }
}

// Every matrix of a block is wide enough for 8 bits.
TEST(Determinism, EveryTypeOnEveryInstructionSetGivesOneAnswer) {
  model::ClipConfig convnext = testing::tiny_config("tiny_convnext_mlp");
  model::ConvNextConfig vision = std::get<model::ConvNextConfig>(convnext.vision);
  vision.depths = {1, 1, 1, 1};
  vision.dims = {64, 64, 96, 96};
  convnext.vision = vision;
  convnext.text = {.width = 64, .heads = 2, .layers = 1, .mlp_width = 128};
  ThreadPool pool(2);
  for (model::ClipConfig config :
       {convnext, testing::tiny_config("tiny_vit"), testing::tiny_config("tiny_rn")}) {
    config.image_height = config.image_width = 32;
    const auto tensors = testing::synthetic_weights(config, pool);
    for (const kernels::Kernels& kernels : kernels::available()) {
      for (const auto type : {ComputeType::kFp32, ComputeType::kBf16, ComputeType::kInt8}) {
        expect_one_answer_in_batches(config, tensors, type, kernels);
      }
    }
  }
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
