// Where one picture comes from.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "data/file_range.h"

namespace clipnext::pipeline {

/// A part of a picture in pixels from its upper left corner, `right` and `bottom` outside it; what
/// lies beyond the picture is black (Pillow's Image.crop).
struct CropBox {
  int32_t left = 0;
  int32_t top = 0;
  int32_t right = 0;
  int32_t bottom = 0;
};

/// The file `name`; or, where one of the others is set, bytes already in memory (standard input) or
/// a part of a file (a member of an archive), which `name` stands for in messages.
struct ImageSource {
  std::string name;
  std::shared_ptr<const std::string> bytes = nullptr;
  std::optional<data::FileRange> range = std::nullopt;
  /// Set: only this part of the picture is meant, cut out after conversion to RGB.
  std::optional<CropBox> crop = std::nullopt;
};

/// The whole encoded picture, whatever is cut out of it. Throws Error if it cannot be read.
std::string read_bytes(const ImageSource& source);

}  // namespace clipnext::pipeline
