// Patches of pictures and maps as rows of a matrix, in the order (ky, kx, channel).
#pragma once

#include <array>
#include <cstdint>

#include "model/embedder.h"

namespace clipnext::infer {

/// The normalised value of every byte, per channel (image::normalization_table).
using PixelTable = std::array<std::array<float, 256>, 3>;

/// A square window moved over maps of h x w; out_h, out_w positions.
struct Window {
  int64_t size, stride, padding;

  int64_t outputs(int64_t side) const { return (side + 2 * padding - size) / stride + 1; }
};

/// Patches [begin, end) of all n * out_h * out_w of the batch, to out [end - begin, size * size *
/// 3]. Outside the picture is 0 (after normalisation, as the reference pads).
void gather_pixels(const model::PixelBatch& batch, const PixelTable& table, const Window& window,
                   int64_t begin, int64_t end, float* out);

/// The same over maps x [n, h, w, c], to out [end - begin, size * size * c].
void gather_map(const float* x, int64_t h, int64_t w, int64_t c, const Window& window,
                int64_t begin, int64_t end, float* out);

}  // namespace clipnext::infer
