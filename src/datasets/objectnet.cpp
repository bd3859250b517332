// ObjectNet: of its 313 classes those 113 that overlap ImageNet's, under ObjectNet's own names.
#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "datasets/class_folders.h"
#include "datasets/forms.h"
#include "datasets/places.h"

namespace clipnext::datasets {
namespace {

namespace fs = std::filesystem;

using TextMap = std::map<std::string, std::string>;

TextMap read_text_map(const fs::path& path) {
  const Json json = parse_json(read_file(path, int64_t{1} << 24), path.string());
  require(json.is_object(), path.string(), ": expected a JSON object");
  TextMap map;
  for (const auto& [name, value] : json.items()) {
    require(value.is_string(), path.string(), ": \"", name, "\": expected a text");
    map[name] = value.get<std::string>();
  }
  return map;
}

// ObjectNet's labels that overlap ImageNet's by their folders, whose order is that of the classes.
TextMap overlapping_classes(Places& places) {
  const auto find_mapping = [&](const std::string& name) {
    return places.find({name, "mappings/" + name, "objectnet-1.0/mappings/" + name});
  };
  TextMap folder_of;  // by label
  for (const auto& [folder, label] :
       read_text_map(find_mapping("folder_to_objectnet_label.json"))) {
    folder_of[label] = folder;
  }
  const fs::path path = find_mapping("objectnet_to_imagenet_1k.json");
  TextMap overlapping;
  for (const auto& [label, imagenet] : read_text_map(path)) {
    const auto found = folder_of.find(label);
    require(found != folder_of.end(), path.string(), ": \"", label,
            "\" stands for no folder of folder_to_objectnet_label.json");
    overlapping[found->second] = label;
  }
  require(!overlapping.empty(), path.string(), ": no classes in it");
  return overlapping;
}

std::string lower_case(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

}  // namespace

Dataset open_objectnet(const Request& request) {
  require_split(request, {"test"});
  Places places(request, {});  // the published archive is encrypted
  const TextMap overlapping = overlapping_classes(places);
  ClassFolders folders = read_class_folders(places.find({"objectnet-1.0/images", "images"}));
  Dataset dataset;
  dataset.classes.reserve(overlapping.size());
  std::map<std::string, int64_t> label_of;  // by folder
  for (const auto& [folder, label] : overlapping) {
    label_of[folder] = static_cast<int64_t>(dataset.classes.size());
    dataset.classes.push_back(lower_case(label));
    if (!std::binary_search(folders.names.begin(), folders.names.end(), folder)) {
      dataset.warnings.push_back("objectnet: there is no folder " + folder);
    }
  }
  for (size_t i = 0; i < folders.images.size(); ++i) {
    const auto found = label_of.find(folders.names[static_cast<size_t>(folders.labels[i])]);
    if (found == label_of.end()) continue;  // not one of ImageNet's
    dataset.images.push_back(std::move(folders.images[i]));
    dataset.labels.push_back(found->second);
  }
  return dataset;
}

}  // namespace clipnext::datasets
