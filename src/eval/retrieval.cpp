// rank = number of rivals with a higher score. The scores of the pairs that belong together come
// first; then every tile of the matrix of scores is computed once and compared with both the row's
// and the column's own score.
#include "eval/retrieval.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <utility>

#include "base/error.h"
#include "eval/products.h"

namespace clipnext::eval {
namespace {

constexpr int64_t kTileTexts = 64;
constexpr int64_t kTileImages = 512;
constexpr int64_t kBlockImages = 8192;  // packed at a time
static_assert(kBlockImages % kTileImages == 0 && kTileImages % kernels::kPackedColumns == 0);

// The score to beat, and the index that equal scores are compared by.
struct Own {
  float score = std::numeric_limits<float>::infinity();
  int64_t index = -1;
};

struct Pairs {
  std::span<const float> texts;
  std::span<const int64_t> text_image;
  int64_t dim = 0;
  std::vector<Own> of_text;   // with its image
  std::vector<Own> of_image;  // with the best of its texts

  int64_t text_count() const { return static_cast<int64_t>(text_image.size()); }
};

// Scores of the texts whose images are among those from `begin` on. From the same kernel as the
// tiles, over the panel of columns that holds the image, so that the bits are the same.
void score_own(const PackedRows& images, int64_t begin, Pairs& pairs, ThreadPool& pool) {
  constexpr int64_t kPanel = kernels::kPackedColumns;
  pool.parallel_for(pairs.text_count(), [&](int64_t t) {
    const int64_t image = pairs.text_image[static_cast<size_t>(t)];
    const int64_t column = image - begin;
    if (column < 0 || column >= images.count()) return;
    float scores[kPanel];
    const int64_t panel = column / kPanel * kPanel;
    images.multiply(pairs.texts.data() + t * pairs.dim, 1, panel,
                    std::min(kPanel, images.count() - panel), nullptr, scores, kPanel);
    pairs.of_text[static_cast<size_t>(t)] = {scores[column - panel], image};
  });
}

void find_best_texts(Pairs& pairs) {
  for (int64_t t = 0; t < pairs.text_count(); ++t) {
    const Own& text = pairs.of_text[static_cast<size_t>(t)];
    Own& image = pairs.of_image[static_cast<size_t>(text.index)];
    if (image.index < 0 || text.score > image.score) image = {text.score, t};
  }
}

int64_t rivals(const float* row, int64_t begin, int64_t count, const Own& own) {
  const int64_t equal =
      std::clamp<int64_t>(own.index - begin, 0, count);  // that would stand before
  int32_t better = 0;
  for (int64_t j = 0; j < equal; ++j) better += row[j] >= own.score ? 1 : 0;
  for (int64_t j = equal; j < count; ++j) better += row[j] > own.score ? 1 : 0;
  // The right answer is not its own rival: it is at `equal` or outside.
  return better;
}

// Counts the rivals in the tile of texts from `text` on and images from `begin + column` on.
void count_tile(const PackedRows& images, int64_t begin, int64_t column, int64_t text,
                const Pairs& pairs, float* scores, RetrievalRanks& ranks) {
  const int64_t rows = std::min(kTileTexts, pairs.text_count() - text);
  const int64_t columns = std::min(kTileImages, images.count() - column);
  images.multiply(pairs.texts.data() + text * pairs.dim, rows, column, columns, nullptr, scores,
                  kTileImages);
  const Own* own = pairs.of_image.data() + begin + column;
  int32_t better[kTileImages] = {};
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = scores + r * kTileImages;
    const auto t = static_cast<size_t>(text + r);
    ranks.image_of_text[t] += rivals(row, begin + column, columns, pairs.of_text[t]);
    for (int64_t j = 0; j < columns; ++j) {
      better[j] += row[j] > own[j].score || (row[j] == own[j].score && text + r < own[j].index);
    }
  }
  for (int64_t j = 0; j < columns; ++j) {
    std::atomic_ref(ranks.text_of_image[static_cast<size_t>(begin + column + j)])
        .fetch_add(better[j], std::memory_order_relaxed);
  }
}

void check_text_images(std::span<const int64_t> text_image, int64_t texts, int64_t images) {
  require(static_cast<int64_t>(text_image.size()) == texts, "images of texts: ", text_image.size(),
          ", expected one for each of ", texts, " texts");
  for (const int64_t image : text_image) {
    require(image >= 0 && image < images, "a text belongs to image ", image, " of ", images);
  }
}

}  // namespace

RetrievalRanks rank_retrieval(std::span<const float> images, std::span<const float> texts,
                              std::span<const int64_t> text_image, int64_t dim, ThreadPool& pool) {
  const int64_t n = check_rows(images, dim, "image vectors");
  const int64_t m = check_rows(texts, dim, "text vectors");
  check_text_images(text_image, m, n);
  Pairs pairs{.texts = texts,
              .text_image = text_image,
              .dim = dim,
              .of_text = std::vector<Own>(static_cast<size_t>(m)),
              .of_image = std::vector<Own>(static_cast<size_t>(n))};
  PackedRows block;
  const auto pack = [&](int64_t begin) {
    block.assign(images.data() + begin * dim, std::min(kBlockImages, n - begin), dim, pool);
  };
  for (int64_t begin = 0; begin < n; begin += kBlockImages) {
    pack(begin);
    score_own(block, begin, pairs, pool);
  }
  find_best_texts(pairs);

  RetrievalRanks ranks{.image_of_text = std::vector<int64_t>(static_cast<size_t>(m)),
                       .text_of_image = std::vector<int64_t>(static_cast<size_t>(n))};
  ScratchPool scratch;
  for (int64_t begin = 0; begin < n; begin += kBlockImages) {
    if (n > kBlockImages) pack(begin);
    pool.parallel_for((m + kTileTexts - 1) / kTileTexts, [&](int64_t tile) {
      ScratchPool::Lease scores(scratch, kTileTexts * kTileImages);
      for (int64_t column = 0; column < block.count(); column += kTileImages) {
        count_tile(block, begin, column, tile * kTileTexts, pairs, scores.data(), ranks);
      }
    });
  }
  for (size_t i = 0; i < ranks.text_of_image.size(); ++i) {
    if (pairs.of_image[i].index < 0) ranks.text_of_image[i] = kNoRank;
  }
  return ranks;
}

double recall_at(std::span<const int64_t> ranks, int64_t k) {
  require(k > 0, "recall at ", k, ": expected at least 1");
  const auto hits = std::count_if(ranks.begin(), ranks.end(), [&](int64_t r) { return r < k; });
  return fp32_share(hits, static_cast<int64_t>(ranks.size()));
}

CaptionSelection select_captions(std::span<const float> images, int64_t images_each,
                                 std::span<const float> texts, int64_t texts_each, int64_t dim) {
  require(images_each > 0 && texts_each > 0, "an instance needs an image and a caption");
  const int64_t image_count = check_rows(images, dim, "image vectors");
  const int64_t text_count = check_rows(texts, dim, "text vectors");
  CaptionSelection found;
  found.instances = image_count / images_each;
  require(
      found.instances * images_each == image_count && found.instances * texts_each == text_count,
      image_count, " images and ", text_count, " captions do not make instances of ", images_each,
      " and ", texts_each);
  const int64_t pairs = std::min(images_each, texts_each);
  ThreadPool alone(1);
  PackedRows packed;
  std::vector<float> scores(static_cast<size_t>(images_each * texts_each));  // [images, texts]
  const auto score = [&](int64_t i, int64_t t) {
    return scores[static_cast<size_t>(i * texts_each + t)];
  };
  for (int64_t instance = 0; instance < found.instances; ++instance) {
    packed.assign(texts.data() + instance * texts_each * dim, texts_each, dim, alone);
    packed.multiply(images.data() + instance * images_each * dim, images_each, 0, texts_each,
                    nullptr, scores.data(), texts_each);
    bool text_right = true, image_right = true;
    for (int64_t own = 0; own < pairs; ++own) {
      const float best = score(own, own);
      for (int64_t t = 0; t < texts_each; ++t) {
        text_right &= t < own ? score(own, t) < best : score(own, t) <= best;
      }
      for (int64_t i = 0; i < images_each; ++i) {
        image_right &= i < own ? score(i, own) < best : score(i, own) <= best;
      }
    }
    found.texts_right += text_right ? 1 : 0;
    found.images_right += image_right ? 1 : 0;
    found.both_right += text_right && image_right ? 1 : 0;
  }
  return found;
}

}  // namespace clipnext::eval
