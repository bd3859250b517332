// Pictures on disk: which files of a folder are images, and in which order.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace clipnext::data {

/// Whether the file name ends like an image that image::decode reads (case does not matter).
bool has_image_extension(const std::filesystem::path& path);

/// The image files in a folder and its sub-folders, by extension, hidden names left out; in natural
/// order, folder by folder: files of a folder before those of its sub-folders. Links to files are
/// followed, links to folders are not. Throws Error if it cannot be read or holds no image.
std::vector<std::filesystem::path> list_images(const std::filesystem::path& folder);

/// Files as given, folders replaced by list_images. Order as given; a file that is named is taken
/// whatever its extension and whether or not it exists.
std::vector<std::filesystem::path> expand_paths(const std::vector<std::string>& paths);

}  // namespace clipnext::data
