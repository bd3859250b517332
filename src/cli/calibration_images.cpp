#include "cli/calibration_images.h"

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "base/checked.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/natural_order.h"
#include "base/progress.h"
#include "cli/common.h"
#include "data/folder.h"
#include "datasets/wds.h"

namespace clipnext::cli {
namespace {

namespace fs = std::filesystem;

bool has_class_names(const fs::path& folder) {
  std::error_code ignored;  // what is no folder at all is named when it is read
  return fs::is_regular_file(folder / "classnames.txt", ignored);
}

datasets::Dataset read_class_folders(const fs::path& folder) {
  require(fs::is_directory(folder), folder.string(), ": is no folder of classes");
  datasets::Dataset set;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_directory() && !name.starts_with('.')) set.classes.push_back(name);
  }
  require(set.classes.size() > 1, folder.string(), ": has ", set.classes.size(),
          " sub-folders; --calibrate-classes wants one for each class");
  std::sort(set.classes.begin(), set.classes.end(), natural_less);
  for (size_t i = 0; i < set.classes.size(); ++i) {
    for (const fs::path& file : data::list_images(folder / set.classes[i])) {
      set.images.push_back({.name = file.string(), .bytes = nullptr});
      set.labels.push_back(static_cast<int64_t>(i));
    }
  }
  return set;
}

datasets::Dataset read_set(const std::vector<std::string>& paths, bool classes) {
  if (classes) {
    require(paths.size() == 1, "--calibrate-classes takes one folder, ", paths.size(),
            " are given");
    return read_class_folders(paths[0]);
  }
  if (is_labelled_set(paths)) {
    datasets::Dataset set = datasets::read_wds_folder(paths[0]);
    require(set.kind == datasets::Kind::kClassification, paths[0],
            ": its pictures have more than one label each; give them as plain pictures");
    return set;
  }
  for (const std::string& path : paths) {
    require(!has_class_names(path), path, ": is a folder of labelled shards; give it alone");
  }
  datasets::Dataset set;
  set.images = read_image_sources(paths);
  return set;
}

/// `most` of the set, evenly spread, so that a set sorted by class gives some of each.
void thin_out(datasets::Dataset& set, int64_t most) {
  const size_t count = set.images.size();
  const auto kept = static_cast<size_t>(most);
  if (most == 0 || kept >= count) return;
  for (size_t i = 0; i < kept; ++i) {
    const size_t from = i * count / kept;
    set.images[i] = set.images[from];
    if (!set.labels.empty()) set.labels[i] = set.labels[from];
  }
  set.images.resize(kept);
  if (!set.labels.empty()) set.labels.resize(kept);
}

}  // namespace

bool is_labelled_set(const std::vector<std::string>& paths) {
  return paths.size() == 1 && has_class_names(paths[0]);
}

CalibrationImages read_calibration_images(const std::vector<std::string>& paths, bool classes,
                                          int64_t most, const image::PreprocessConfig& config,
                                          ThreadPool& pool) {
  datasets::Dataset set = read_set(paths, classes);
  thin_out(set, most);
  CalibrationImages images;
  images.count = static_cast<int64_t>(set.images.size());
  const int64_t bytes = checked_mul(int64_t{config.height} * 3, config.width, "picture");
  const auto each = static_cast<size_t>(bytes);
  images.pixels.resize(static_cast<size_t>(checked_mul(images.count, bytes, "pictures")));
  // As data sets read: RGB before resizing.
  const auto order =
      set.labels.empty() ? pipeline::ConvertOrder::kLast : pipeline::ConvertOrder::kFirst;
  Progress progress("read", images.count, "images");
  pool.parallel_for(images.count, [&](int64_t index) {
    throw_if_interrupted();
    const auto i = static_cast<size_t>(index);
    const image::Image picture =
        pipeline::preprocess(pipeline::load_image(set.images[i]), config, order);
    std::memcpy(images.pixels.data() + i * each, picture.data.data(), each);
    progress.add();
  });
  images.labels = std::move(set.labels);
  images.class_names = std::move(set.classes);
  images.templates = std::move(set.prompts.templates);
  return images;
}

}  // namespace clipnext::cli
