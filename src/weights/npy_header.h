// The header of a .npy file: a Python dict literal of three entries.
#pragma once

#include <optional>
#include <string>

#include "weights/source.h"
#include "weights/tensor.h"

namespace clipnext::weights {

struct NpyHeader {
  DType dtype = DType::kF32;
  bool fortran_order = false;
  Shape shape;
};

/// Reads magic, version (1 to 3) and header; the reader then stands at the data. Throws Error for
/// anything but plain little-endian numbers.
NpyHeader read_npy_header(ByteReader& reader);

/// The same bytes NumPy writes, padded so that data after it begins on a multiple of 64. There is
/// none for BF16, which NumPy lacks.
std::string npy_header(const NpyHeader& header);

}  // namespace clipnext::weights
