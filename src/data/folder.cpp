#include "data/folder.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>

#include "base/error.h"
#include "base/natural_order.h"

namespace clipnext::data {
namespace {

namespace fs = std::filesystem;

bool natural_path_less(const fs::path& a, const fs::path& b) {
  return natural_less(a.native(), b.native());
}

void append_images(const fs::path& folder, std::vector<fs::path>& images) {
  std::error_code error;
  std::vector<fs::path> files;
  std::vector<fs::path> folders;
  fs::directory_iterator it(folder, error);
  for (const fs::directory_iterator end; !error && it != end; it.increment(error)) {
    const fs::directory_entry& entry = *it;
    if (entry.path().filename().native().starts_with('.')) continue;
    // An entry that cannot be looked at is left to the reader of its bytes, which names it.
    std::error_code ignored;
    if (entry.is_directory(ignored)) {
      // A link to a folder may lead back up: following it need not end.
      if (!entry.is_symlink(ignored)) folders.push_back(entry.path());
    } else if (has_image_extension(entry.path())) {
      files.push_back(entry.path());
    }
  }
  require(!error, folder.string(), ": cannot read the folder: ", error.message());
  std::sort(files.begin(), files.end(), natural_path_less);
  std::sort(folders.begin(), folders.end(), natural_path_less);
  images.insert(images.end(), files.begin(), files.end());
  for (const fs::path& inner : folders) append_images(inner, images);
}

}  // namespace

bool has_image_extension(const fs::path& path) {
  static constexpr std::array<std::string_view, 18> kExtensions = {
      ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif",  ".tif",  ".tiff",
      ".bmp", ".dib",  ".pbm", ".pgm",  ".ppm", ".pnm",  ".heic", ".heif", ".avif"};
  std::string extension = path.extension().string();
  for (char& c : extension) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

std::vector<fs::path> list_images(const fs::path& folder) {
  std::vector<fs::path> images;
  append_images(folder, images);
  require(!images.empty(), folder.string(), ": no image files in this folder");
  return images;
}

std::vector<fs::path> expand_paths(const std::vector<std::string>& paths) {
  std::vector<fs::path> images;
  for (const std::string& path : paths) {
    std::error_code ignored;
    if (fs::is_directory(path, ignored)) {
      const std::vector<fs::path> inside = list_images(path);
      images.insert(images.end(), inside.begin(), inside.end());
    } else {
      images.emplace_back(path);
    }
  }
  return images;
}

}  // namespace clipnext::data
