// Pictures sorted into one folder per class (torchvision's ImageFolder).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "pipeline/image_source.h"

namespace clipnext::datasets {

struct ClassFolders {
  std::vector<std::string> names;  // of the folders, sorted byte by byte
  std::vector<pipeline::ImageSource> images;
  std::vector<int64_t> labels;  // of each image, an index into names
};

/// The sub-folders of `folder` and the pictures (.jpg .jpeg .png .ppm .bmp .pgm .tif .tiff .webp,
/// in any case) in and below each, links to folders followed, in torchvision's order. Throws Error
/// for a folder without sub-folders, and for one of these without a picture.
ClassFolders read_class_folders(const std::filesystem::path& folder);

/// The names of the files in a folder, sorted byte by byte. Throws Error if it cannot be read.
std::vector<std::string> file_names(const std::filesystem::path& folder);

/// The names of the class folders alone; empty if there are none or `folder` cannot be read.
std::vector<std::string> class_folder_names(const std::filesystem::path& folder);

}  // namespace clipnext::datasets
