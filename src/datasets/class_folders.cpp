#include "datasets/class_folders.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"

namespace clipnext::datasets {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 9> kExtensions = {".jpg", ".jpeg", ".png",  ".ppm", ".bmp",
                                                         ".pgm", ".tif",  ".tiff", ".webp"};

bool is_image(std::string name) {
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return std::any_of(kExtensions.begin(), kExtensions.end(),
                     [&](std::string_view extension) { return name.ends_with(extension); });
}

struct Listing {
  std::vector<std::string> folders, files;  // names
};

Listing list_folder(const fs::path& folder) {
  std::error_code error;
  Listing listing;
  fs::directory_iterator it(folder, error);
  for (const fs::directory_iterator end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    auto& names = it->is_directory(ignored) ? listing.folders : listing.files;
    names.push_back(it->path().filename().string());
  }
  require(!error, folder.string(), ": cannot read the folder: ", error.message());
  std::sort(listing.files.begin(), listing.files.end());
  return listing;
}

// All pictures of a class, folder by folder.
class ClassWalk {
 public:
  std::vector<std::pair<std::string, std::vector<std::string>>> walk(const fs::path& folder) {
    visit(folder);
    std::sort(found_.begin(), found_.end());
    return std::move(found_);
  }

 private:
  void visit(const fs::path& folder) {
    throw_if_interrupted();
    // A link that leads back up would never end.
    const fs::path real = fs::canonical(folder);
    if (std::find(inside_.begin(), inside_.end(), real) != inside_.end()) return;
    require(inside_.size() < kMaxDepth, folder.string(), ": more than ", kMaxDepth,
            " folders within each other");
    inside_.push_back(real);
    Listing listing = list_folder(folder);
    for (const std::string& name : listing.folders) visit(folder / name);
    found_.emplace_back(folder.string(), std::move(listing.files));
    inside_.pop_back();
  }

  static constexpr size_t kMaxDepth = 32;

  std::vector<std::pair<std::string, std::vector<std::string>>> found_;  // folder, its files
  std::vector<fs::path> inside_;
};

}  // namespace

std::vector<std::string> file_names(const fs::path& folder) { return list_folder(folder).files; }

std::vector<std::string> class_folder_names(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) return {};
  std::vector<std::string> names = list_folder(folder).folders;
  std::sort(names.begin(), names.end());
  return names;
}

ClassFolders read_class_folders(const fs::path& folder) {
  ClassFolders set;
  set.names = class_folder_names(folder);
  require(!set.names.empty(), folder.string(), ": expected one folder per class, found none");
  for (size_t label = 0; label < set.names.size(); ++label) {
    const size_t before = set.images.size();
    const fs::path inner = folder / set.names[label];
    for (const auto& [path, files] : ClassWalk().walk(inner)) {
      for (const std::string& file : files) {
        if (!is_image(file)) continue;
        set.images.push_back({.name = (fs::path(path) / file).string()});
        set.labels.push_back(static_cast<int64_t>(label));
      }
    }
    require(set.images.size() > before, inner.string(),
            ": no picture in this class folder (.jpg .jpeg .png .ppm .bmp .pgm .tif .tiff .webp)");
  }
  return set;
}

}  // namespace clipnext::datasets
