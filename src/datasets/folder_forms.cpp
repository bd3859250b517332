// Data sets whose pictures lie in one folder per class.
#include <string>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "datasets/class_folders.h"
#include "datasets/forms.h"
#include "datasets/names.h"
#include "datasets/places.h"

namespace clipnext::datasets {
namespace {

namespace fs = std::filesystem;

Dataset dataset_of(ClassFolders folders) {
  Dataset dataset;
  dataset.classes = std::move(folders.names);
  dataset.images = std::move(folders.images);
  dataset.labels = std::move(folders.labels);
  return dataset;
}

// Folders whose order is that of a known list of names.
Dataset with_names(ClassFolders folders, std::vector<std::string> names, const fs::path& folder) {
  require(folders.names.size() == names.size(), folder.string(), ": ", folders.names.size(),
          " class folders, expected ", names.size());
  folders.names = std::move(names);
  return dataset_of(std::move(folders));
}

}  // namespace

Dataset open_fer2013(const Request& request) {
  require_split(request, {"train", "test"});
  const fs::path folder = Places(request, {"fer2013.zip", "archive.zip"}).find({request.split});
  return with_names(read_class_folders(folder), class_names(request.name, request.language),
                    folder);
}

Dataset open_country211(const Request& request) {
  require_split(request, {"train", "valid", "test"});
  const fs::path folder =
      Places(request, {"country211.tgz"}).find({"country211/" + request.split, request.split});
  return with_names(read_class_folders(folder), class_names(request.name, request.language),
                    folder);
}

Dataset open_rendered_sst2(const Request& request) {
  require_split(request, {"train", "val", "test"});
  const std::string inner = request.split == "val" ? "valid" : request.split;
  const fs::path folder =
      Places(request, {"rendered-sst2.tgz"}).find({"rendered-sst2/" + inner, inner});
  ClassFolders folders = read_class_folders(folder);
  std::vector<std::string> names = class_names(request.name, request.language);
  require(folders.names == names, folder.string(), ": expected the folders negative and positive");
  return dataset_of(std::move(folders));
}

Dataset open_eurosat(const Request& request) {
  const fs::path folder =
      Places(request, {"EuroSAT.zip"}).find({"eurosat/2750", "2750", "EuroSAT_RGB"});
  Dataset dataset =
      with_names(read_class_folders(folder), class_names(request.name, request.language), folder);
  dataset.warnings.emplace_back("eurosat has no splits: all of its pictures are taken");
  return dataset;
}

Dataset open_image_folder(const Request& request) {
  std::error_code ignored;
  const fs::path root = request.root;
  require(fs::is_directory(root, ignored), request.name,
          ": is no data set known by name, and there is no folder ", root.string(),
          " with a folder for each class in it");
  const fs::path split = root / request.split;
  return dataset_of(read_class_folders(fs::is_directory(split, ignored) ? split : root));
}

}  // namespace clipnext::datasets
