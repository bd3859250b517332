// ImageNet and the sets made to test how robust a classifier of it is (spec: robustness sets).
#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/text_lines.h"
#include "datasets/class_folders.h"
#include "datasets/forms.h"
#include "datasets/names.h"
#include "datasets/places.h"

namespace clipnext::datasets {
namespace {

namespace fs = std::filesystem;

// Folders named by WordNet ids, all of a set's and no others: one more or less would give every
// class behind it another's name.
Dataset read_wordnet_folders(const Request& request, const fs::path& folder, const char* list) {
  ClassFolders folders = read_class_folders(folder);
  const auto ids = wordnet_ids(list);
  for (const std::string& name : folders.names) {
    require(std::binary_search(ids.begin(), ids.end(), name), (folder / name).string(),
            ": is no class of ", request.name);
  }
  for (const std::string& id : ids) {
    require(std::binary_search(folders.names.begin(), folders.names.end(), id), folder.string(),
            ": has ", folders.names.size(), " of the ", ids.size(), " classes of ", request.name,
            "; there is no folder ", id);
  }
  Dataset dataset;
  dataset.classes = class_names(list, request.language);
  dataset.images = std::move(folders.images);
  dataset.labels = std::move(folders.labels);
  return dataset;
}

bool has_wordnet_folders(const fs::path& folder) {
  const std::vector<std::string> names = class_folder_names(folder);
  const auto ids = wordnet_ids("imagenet1k");
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return std::binary_search(ids.begin(), ids.end(), name);
  });
}

int64_t imagenet_label(const std::string& id, const std::string& where) {
  const auto ids = wordnet_ids("imagenet1k");
  const auto found = std::lower_bound(ids.begin(), ids.end(), id);
  require(found != ids.end() && *found == id, where, ": \"", id.substr(0, 40),
          "\" is no WordNet id of an ImageNet class");
  return found - ids.begin();
}

// Files that say the class of each validation picture when these lie in one folder: a WordNet id
// for each number, or Kaggle's table.
constexpr const char* kIdList = "imagenet_2012_validation_synset_labels.txt";
constexpr const char* kKaggleTable = "LOC_val_solution.csv";
constexpr const char* kFirstPicture = "ILSVRC2012_val_00000001.JPEG";

std::string picture_name(size_t number, const std::string& where) {
  const std::string digits = std::to_string(number);
  require(digits.size() <= 8, where, ": more labels than ImageNet has pictures");
  return "ILSVRC2012_val_" + std::string(8 - digits.size(), '0') + digits;
}

Dataset read_flat_validation(const Request& request, const fs::path& folder,
                             const fs::path& labels) {
  Dataset dataset;
  dataset.classes = class_names("imagenet1k", request.language);
  const bool table = labels.filename() == kKaggleTable;
  const std::vector<std::string> lines = split_items(read_file(labels, int64_t{1} << 26));
  for (size_t i = table ? 1 : 0; i < lines.size(); ++i) {  // a table begins with its columns' names
    const std::string where = labels.string() + ": line " + std::to_string(i + 1);
    const size_t comma = lines[i].find(',');
    require(!table || comma != std::string::npos, where, ": expected PICTURE,CLASS BOX...");
    const std::string picture = table ? lines[i].substr(0, comma) : picture_name(i + 1, where);
    const std::string rest = table ? lines[i].substr(comma + 1) : lines[i];
    dataset.labels.push_back(imagenet_label(rest.substr(0, rest.find(' ')), where));
    dataset.images.push_back({.name = path_inside(folder, picture + ".JPEG", where).string()});
  }
  return dataset;
}

int64_t folder_number(const std::string& name, const fs::path& folder) {
  int64_t value = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), value);
  require(error == std::errc() && end == name.data() + name.size() && value >= 0 && value < 1000,
          (folder / name).string(), ": expected folders named 0 to 999");
  return value;
}

}  // namespace

Dataset open_imagenet(const Request& request) {
  require_split(request, {"train", "test"});
  const std::string split = request.split == "train" ? "train" : "val";
  Places places(request, split == "val" ? std::vector<std::string>{"ILSVRC2012_img_val.tar"}
                                        : std::vector<std::string>{});
  const fs::path found = places.find({split, "ILSVRC/Data/CLS-LOC/" + split, kFirstPicture});
  const fs::path folder = found.filename() == kFirstPicture ? found.parent_path() : found;
  if (has_wordnet_folders(folder)) return read_wordnet_folders(request, folder, "imagenet1k");
  std::error_code ignored;
  require(split == "val" && fs::exists(folder / kFirstPicture, ignored), folder.string(),
          ": expected folders named by WordNet ids (n01440764 ...)");
  for (const char* name : {kIdList, kKaggleTable}) {
    const fs::path labels = fs::path(request.root) / name;
    if (fs::exists(labels, ignored)) return read_flat_validation(request, folder, labels);
  }
  fail(folder.string(), ": to label these pictures ", kIdList, " or ", kKaggleTable,
       " is needed in ", request.root,
       ", or one folder for each class (the devkit's ground truth counts classes in an order that "
       "only its MATLAB file holds)");
}

Dataset open_imagenet_v2(const Request& request) {
  require_split(request, {"test"});
  const fs::path folder =
      Places(request,
             {"ImageNetV2-matched-frequency.tar.gz", "imagenetv2-matched-frequency.tar.gz"})
          .find({"ImageNetV2-matched-frequency", "imagenetv2-matched-frequency-format-val", "0"});
  // Found by its first class, the root is the set.
  ClassFolders folders =
      read_class_folders(folder.filename() == "0" ? folder.parent_path() : folder);
  Dataset dataset;
  dataset.classes = class_names(request.name, request.language);
  std::vector<int64_t> label_of;
  label_of.reserve(folders.names.size());
  for (const std::string& name : folders.names) label_of.push_back(folder_number(name, folder));
  for (int64_t& label : folders.labels) label = label_of[static_cast<size_t>(label)];
  dataset.images = std::move(folders.images);
  dataset.labels = std::move(folders.labels);
  return dataset;
}

Dataset open_imagenet_sketch(const Request& request) {
  require_split(request, {"test"});
  const std::string first = wordnet_ids("imagenet1k").front();
  const fs::path found = Places(request, {"ImageNet-Sketch.zip"}).find({first, "sketch/" + first});
  return read_wordnet_folders(request, found.parent_path(), "imagenet1k");
}

Dataset open_imagenet_subset(const Request& request) {
  require_split(request, {"test"});
  const std::string first = wordnet_ids(request.name).front();
  const fs::path found =
      Places(request, {request.name + ".tar"}).find({first, request.name + "/" + first});
  return read_wordnet_folders(request, found.parent_path(), request.name.c_str());
}

}  // namespace clipnext::datasets
