// Pictures found by their captions and captions by their pictures, among all of a set or among the
// few of one instance (spec: evaluation, image-text retrieval, caption selection).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "eval/metrics.h"

namespace clipnext::eval {

/// How many rivals stand before the right answer, equal ones with a lower index among them; kNoRank
/// for an image without texts.
struct RetrievalRanks {
  std::vector<int64_t> image_of_text;  // [texts]: rank of a text's image among all images
  std::vector<int64_t> text_of_image;  // [images]: rank of the image's best text among all texts
};

/// images [n, dim] and texts [m, dim] unit vectors; text_image [m] is each text's image. Scores are
/// computed a tile at a time and only rivals are counted, so that memory grows with n + m. Throws
/// Error if a size does not fit, an index is out of range or a number is not finite.
RetrievalRanks rank_retrieval(std::span<const float> images, std::span<const float> texts,
                              std::span<const int64_t> text_image, int64_t dim, ThreadPool& pool);

/// Share of ranks below k, an fp32 quotient as the reference's. k above the number of candidates
/// (on which the reference fails) is the same as that number: 1, where there is an answer.
double recall_at(std::span<const int64_t> ranks, int64_t k);

struct CaptionSelection {
  int64_t instances = 0;
  int64_t images_right = 0;  // the nearest image of each caption that has one is its own
  int64_t texts_right = 0;   // the nearest caption of each image that has one is its own
  int64_t both_right = 0;
};

/// images [instances * images_each, dim] and texts [instances * texts_each, dim]; in an instance
/// the first image and the first text belong together, and so on. Throws Error as above.
CaptionSelection select_captions(std::span<const float> images, int64_t images_each,
                                 std::span<const float> texts, int64_t texts_each, int64_t dim);

}  // namespace clipnext::eval
