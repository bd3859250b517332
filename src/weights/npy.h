// NumPy's .npy (one array) and .npz (a zip of them).
#pragma once

#include "weights/checkpoint.h"
#include "weights/zip.h"

namespace clipnext::weights {

bool is_npy(std::span<const std::byte> bytes);

/// The array under the name "arr_0", as numpy.savez would call it.
Checkpoint read_npy(const Source& source);

/// Whether the archive holds arrays.
bool is_npz(const ZipRecords& records);

/// Arrays by name, less `.npy`. Stored ones in C order stay where they lie; deflated or Fortran
/// ordered ones are copied. Throws Error for objects, strings, complex numbers and big-endian data.
Checkpoint read_npz(const Source& source, const ZipRecords& records);

}  // namespace clipnext::weights
