// Texts that share beginnings are computed together, and every one is, bit for bit, what it is
// alone.
#include "infer/text.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "infer/clip.h"
#include "parity/synthetic.h"

namespace clipnext::infer {
namespace {

using Row = std::vector<int32_t>;

/// [rows, embed_dim].
std::vector<float> embed(Clip& clip, const std::vector<Row>& rows) {
  model::TokenRows tokens;
  for (const Row& row : rows) tokens.add(row);
  std::vector<float> out(rows.size() * static_cast<size_t>(clip.config().embed_dim));
  clip.embed_texts(tokens, out.data());
  return out;
}

/// Rows that fork everywhere: few different ids at each place, end of text anywhere, some to the
/// end of the context and cut there, some repeated.
std::vector<Row> forking_rows(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<Row> rows;
  while (rows.size() < count) {
    if (!rows.empty() && random() % 8 == 0) {
      rows.push_back(rows[random() % rows.size()]);
      continue;
    }
    Row row{49406};
    if (!rows.empty() && random() % 2 == 0) {  // goes on from some place in another
      const Row& other = rows[random() % rows.size()];
      row.assign(other.begin(),
                 other.begin() + 1 + static_cast<int64_t>(random() % (other.size() - 1)));
    }
    const size_t length =
        random() % 10 == 0 ? 77 : std::min<size_t>(77, row.size() + 1 + random() % 9);
    while (row.size() + 1 < length) row.push_back(300 + static_cast<int32_t>(random() % 3));
    row.push_back(49407);
    rows.push_back(row);
  }
  return rows;
}

struct Tower {
  explicit Tower(const model::ClipConfig& config, int threads = 1)
      : pool(threads), clip(config, testing::synthetic_weights(config, pool), pool) {}
  ThreadPool pool;
  Clip clip;
};

/// Each row's vector in any company is the one it has alone on one thread.
void expect_as_alone(const model::ClipConfig& config, const std::vector<Row>& rows) {
  const auto d = static_cast<size_t>(config.embed_dim);
  Tower alone(config);
  std::vector<float> expected;
  for (const Row& row : rows) {
    const auto vector = embed(alone.clip, {row});
    expected.insert(expected.end(), vector.begin(), vector.end());
  }
  for (const int threads : {1, 2, 3}) {
    Tower tower(config, threads);
    const auto together = embed(tower.clip, rows);
    for (size_t i = 0; i < rows.size(); ++i) {
      ASSERT_EQ(std::memcmp(&together[i * d], &expected[i * d], d * sizeof(float)), 0)
          << threads << " threads, row " << i;
    }
  }
}

TEST(TextTower, RowsThatForkAreAsAlone) {
  const auto config = testing::tiny_config("tiny_convnext_mlp");
  for (const uint32_t seed : {1U, 2U, 3U}) expect_as_alone(config, forking_rows(200, seed));
}

TEST(TextTower, RowsOverSeveralGroupsAreAsAlone) {
  auto config = testing::tiny_config("tiny_convnext_mlp");
  config.text.mlp_width = 65536;  // 128 positions a group
  config.text.layers = 1;
  expect_as_alone(config, forking_rows(60, 4));
}

TEST(TextTower, RealWidthsAreAsAlone) {
  auto config = testing::tiny_config("tiny_convnext_mlp");
  config.text = {.width = 768, .heads = 12, .layers = 2, .mlp_width = 3072};
  expect_as_alone(config, forking_rows(60, 5));
}

TEST(TextTower, ATraceShowsTheSameFeatures) {
  const auto config = testing::tiny_config("tiny_convnext_mlp");
  Tower tower(config);
  const auto rows = forking_rows(7, 6);
  const std::vector<std::span<const int32_t>> spans(rows.begin(), rows.end());
  model::TokenRows tokens;
  for (const Row& row : rows) tokens.add(row);
  std::vector<float> plain(rows.size() * 24);
  std::vector<float> traced(rows.size() * 24);
  tower.clip.embed_texts(tokens, plain.data(), false);
  int shown = 0;
  tower.clip.trace_texts(spans, traced.data(),
                         [&](const std::string&, const float*, const weights::Shape&) { ++shown; });
  EXPECT_EQ(plain, traced);
  EXPECT_GT(shown, 6);
}

TEST(TextTower, ItsIdentityIsThatOfWeightsAndArithmetic) {
  const auto config = testing::tiny_config("tiny_vit");
  const std::string identity = Tower(config).clip.text_identity();
  EXPECT_EQ(identity.size(), 32U);
  EXPECT_EQ(Tower(config, 3).clip.text_identity(), identity);

  auto other = config;
  other.text.activation = model::Activation::kQuickGelu;
  EXPECT_NE(Tower(other).clip.text_identity(), identity);
  other = config;
  other.text.heads = 2;
  EXPECT_NE(Tower(other).clip.text_identity(), identity);

  ThreadPool pool(1);
  for (const char* name : {"token_embedding.weight", "transformer.resblocks.1.mlp.c_fc.weight",
                           "transformer.resblocks.0.ln_2.bias", "text_projection"}) {
    auto tensors = testing::synthetic_weights(config, pool);
    auto values = weights::to_f32(tensors.at(name));
    values.back() += 0.25F;
    tensors.at(name) = weights::make_tensor(tensors.at(name).shape, values);
    EXPECT_NE(Clip(config, tensors, pool).text_identity(), identity) << name;
  }
}

TEST(TextTower, OneTokenIsAText) {
  expect_as_alone(testing::tiny_config("tiny_vit_quickgelu"), {{7}, {7}, {7, 8}, {7, 8, 9}, {9}});
}

}  // namespace
}  // namespace clipnext::infer
