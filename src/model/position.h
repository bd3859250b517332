// Positional embeddings for another number of positions.
#pragma once

#include <cstdint>
#include <vector>

namespace clipnext::model {

/// ViT table [1 + old * old, width] to [1 + h * w, width]: the class row is kept, the grid
/// resampled bicubically with antialiasing (open_clip resize_pos_embed: torch interpolate, a =
/// -0.5, windows as Pillow's), in double.
std::vector<float> resize_grid_positions(const std::vector<float>& table, int64_t old, int64_t h,
                                         int64_t w, int64_t width);

/// Text table [old, width] to [rows, width], linearly, align_corners false, no antialiasing
/// (open_clip resize_text_pos_embed).
std::vector<float> resize_text_positions(const std::vector<float>& table, int64_t old, int64_t rows,
                                         int64_t width);

}  // namespace clipnext::model
