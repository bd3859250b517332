// Data sets whose labels stand in lists beside the pictures, as torchvision reads them.
#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text_lines.h"
#include "datasets/class_folders.h"
#include "datasets/forms.h"
#include "datasets/names.h"
#include "datasets/places.h"

namespace clipnext::datasets {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxListBytes = int64_t{1} << 28;

using LabelOf = std::map<std::string, int64_t, std::less<>>;

LabelOf number_classes(const std::vector<std::string>& classes, const std::string& where) {
  LabelOf label_of;
  for (const std::string& name : classes) {
    const auto label = static_cast<int64_t>(label_of.size());
    require(label_of.emplace(name, label).second, where, ": class \"", name,
            "\" stands there twice");
  }
  return label_of;
}

int64_t label_of_name(const LabelOf& label_of, std::string_view name, const std::string& where) {
  const auto found = label_of.find(name);
  require(found != label_of.end(), where, ": \"", name.substr(0, 80), "\" is none of the ",
          label_of.size(), " classes");
  return found->second;
}

void add(Dataset& dataset, const fs::path& image, int64_t label) {
  dataset.images.push_back({.name = image.string()});
  dataset.labels.push_back(label);
}

std::vector<std::string> split_at(std::string_view line, char mark) {
  std::vector<std::string> fields;
  while (true) {
    const size_t end = line.find(mark);
    fields.emplace_back(trim(line.substr(0, end)));
    if (end == std::string_view::npos) return fields;
    line.remove_prefix(end + 1);
  }
}

int64_t parse_number(std::string_view text, int64_t low, int64_t high, const std::string& where) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require(error == std::errc() && end == text.data() + text.size() && value >= low && value <= high,
          where, ": \"", text.substr(0, 40), "\" is no whole number from ", low, " to ", high);
  return value;
}

std::string replace_all(std::string text, char from, char to) {
  std::replace(text.begin(), text.end(), from, to);
  return text;
}

}  // namespace

Dataset open_food101(const Request& request) {
  require_split(request, {"train", "test"});
  const std::string list = "meta/" + request.split + ".json";
  const fs::path path = Places(request, {"food-101.tar.gz"}).find({"food-101/" + list, list});
  const fs::path images = path.parent_path().parent_path() / "images";
  const Json json = parse_json(read_file(path, kMaxListBytes), path.string());
  require(json.is_object(), path.string(),
          ": expected an object from classes to lists of pictures");
  Dataset dataset;
  for (const auto& [name, files] : json.items()) {  // sorted by name
    require(files.is_array(), path.string(), ": \"", name, "\": expected a list");
    const auto label = static_cast<int64_t>(dataset.classes.size());
    dataset.classes.push_back(replace_all(name, '_', ' '));
    for (const Json& file : files) {
      require(file.is_string(), path.string(), ": \"", name, "\": a picture's name is no text");
      add(dataset, path_inside(images, file.get<std::string>() + ".jpg", path.string()), label);
    }
  }
  return dataset;
}

Dataset open_sun397(const Request& request) {
  const fs::path path =
      Places(request, {"SUN397.tar.gz"}).find({"SUN397/ClassName.txt", "ClassName.txt"});
  const fs::path folder = path.parent_path();
  Dataset dataset;
  for (const std::string& line : split_items(read_file(path, kMaxListBytes))) {
    // "/a/abbey": the pictures lie in that folder, and the class is "abbey".
    require(line.size() > 3 && line[0] == '/' && line[2] == '/', path.string(), ": \"",
            line.substr(0, 80), "\": expected lines like /a/abbey");
    const auto label = static_cast<int64_t>(dataset.classes.size());
    dataset.classes.push_back(replace_all(replace_all(line.substr(3), '_', ' '), '/', ' '));
    const fs::path inner = path_inside(folder, line.substr(1), path.string());
    for (const std::string& name : file_names(inner)) {
      if (name.starts_with("sun_") && name.ends_with(".jpg")) add(dataset, inner / name, label);
    }
  }
  dataset.warnings.push_back("sun397 is taken whole: it has no splits");
  return dataset;
}

Dataset open_fgvc_aircraft(const Request& request) {
  require_split(request, {"train", "val", "trainval", "test"});
  const std::string list = "images_variant_" + request.split + ".txt";
  const fs::path path = Places(request, {"fgvc-aircraft-2013b.tar.gz"})
                            .find({"fgvc-aircraft-2013b/data/" + list, "data/" + list, list});
  const fs::path folder = path.parent_path();
  Dataset dataset;
  dataset.classes = split_items(read_file(folder / "variants.txt", kMaxListBytes));
  const LabelOf label_of = number_classes(dataset.classes, (folder / "variants.txt").string());
  for (const std::string& line : split_items(read_file(path, kMaxListBytes))) {
    const size_t space = line.find(' ');
    require(space != std::string::npos, path.string(), ": \"", line.substr(0, 80),
            "\": expected a picture and its variant");
    add(dataset, path_inside(folder / "images", line.substr(0, space) + ".jpg", path.string()),
        label_of_name(label_of, std::string_view(line).substr(space + 1), path.string()));
  }
  return dataset;
}

Dataset open_dtd(const Request& request) {
  require_split(request, {"train", "val", "test"});
  const std::string list = "labels/" + request.split + "1.txt";  // the first of ten partitions
  const fs::path path =
      Places(request, {"dtd-r1.0.1.tar.gz"}).find({"dtd/dtd/" + list, "dtd/" + list, list});
  const fs::path images = path.parent_path().parent_path() / "images";
  const std::vector<std::string> lines = split_items(read_file(path, kMaxListBytes));
  std::set<std::string> names;
  for (const std::string& line : lines) names.insert(line.substr(0, line.find('/')));
  Dataset dataset;
  dataset.classes.assign(names.begin(), names.end());
  const LabelOf label_of = number_classes(dataset.classes, path.string());
  for (const std::string& line : lines) {
    add(dataset, path_inside(images, line, path.string()),
        label_of_name(label_of, std::string_view(line).substr(0, line.find('/')), path.string()));
  }
  return dataset;
}

namespace {

// "staffordshire_bull_terrier" to "Staffordshire Bull Terrier", as Python's str.title.
std::string title_of(const std::string& breed) {
  std::string title = replace_all(breed, '_', ' ');
  bool inside = false;
  for (char& c : title) {
    const bool lower = c >= 'a' && c <= 'z';
    const bool upper = c >= 'A' && c <= 'Z';
    if (lower && !inside) c = static_cast<char>(c - 'a' + 'A');
    if (upper && inside) c = static_cast<char>(c - 'A' + 'a');
    inside = lower || upper;
  }
  return title;
}

}  // namespace

Dataset open_pets(const Request& request) {
  const bool vtab = request.name.starts_with("vtab/");
  if (vtab) {
    require_split(request, {"test"});
  } else {
    require_split(request, {"trainval", "test"});
  }
  const std::string list = request.split + ".txt";
  Places places(request, {"annotations.tar.gz", "images.tar.gz"});
  const fs::path path = places.find({"oxford-iiit-pet/annotations/" + list, "annotations/" + list});
  const fs::path images = places.find({"oxford-iiit-pet/images", "images"});
  constexpr int64_t kBreeds = 37;
  Dataset dataset;
  std::map<int64_t, std::string> breeds;
  for (const std::string& line : split_items(read_file(path, kMaxListBytes))) {
    if (line.starts_with('#')) continue;
    const std::vector<std::string> fields = split_at(line, ' ');
    const size_t number = fields[0].rfind('_');
    require(fields.size() == 4 && number != std::string::npos, path.string(), ": \"",
            line.substr(0, 80), "\": expected a picture, its class and two more numbers");
    const int64_t label = parse_number(fields[1], 1, kBreeds, path.string()) - 1;
    breeds.emplace(label, title_of(fields[0].substr(0, number)));
    add(dataset, path_inside(images, fields[0] + ".jpg", path.string()), label);
  }
  for (const auto& [label, name] : breeds) {
    require(label == static_cast<int64_t>(dataset.classes.size()), path.string(),
            ": no picture of class ", dataset.classes.size() + 1);
    dataset.classes.push_back(name);
  }
  if (vtab) dataset.classes = class_names(request.name, request.language);
  return dataset;
}

namespace {

Dataset open_gtsrb_test(const Request& request) {
  Places places(request, {"GTSRB_Final_Test_GT.zip", "GTSRB_Final_Test_Images.zip"});
  const fs::path path = places.find({"gtsrb/GT-final_test.csv", "GT-final_test.csv"});
  const fs::path images = places.find({"gtsrb/GTSRB/Final_Test/Images", "GTSRB/Final_Test/Images"});
  Dataset dataset;
  dataset.classes = class_names(request.name, request.language);
  const std::vector<std::string> lines = split_items(read_file(path, kMaxListBytes));
  require(!lines.empty(), path.string(), ": is empty");
  const std::vector<std::string> header = split_at(lines[0], ';');
  const auto column = [&](const char* name) {
    const auto at = std::find(header.begin(), header.end(), name);
    require(at != header.end(), path.string(), ": no column ", name);
    return static_cast<size_t>(at - header.begin());
  };
  const size_t file_column = column("Filename");
  const size_t label_column = column("ClassId");
  const auto last = static_cast<int64_t>(dataset.classes.size()) - 1;
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::string where = path.string() + ": line " + std::to_string(i + 1);
    const std::vector<std::string> fields = split_at(lines[i], ';');
    require(fields.size() == header.size(), where, ": ", fields.size(), " fields, expected ",
            header.size());
    add(dataset, path_inside(images, fields[file_column], where),
        parse_number(fields[label_column], 0, last, where));
  }
  return dataset;
}

}  // namespace

Dataset open_gtsrb(const Request& request) {
  require_split(request, {"train", "test"});
  if (request.split == "test") return open_gtsrb_test(request);
  const fs::path folder = Places(request, {"GTSRB-Training_fixed.zip"})
                              .find({"gtsrb/GTSRB/Training", "GTSRB/Training"});
  ClassFolders folders = read_class_folders(folder);
  Dataset dataset;
  dataset.classes = class_names(request.name, request.language);
  require(folders.names.size() == dataset.classes.size(), folder.string(), ": ",
          folders.names.size(), " class folders, expected ", dataset.classes.size());
  dataset.images = std::move(folders.images);
  dataset.labels = std::move(folders.labels);
  return dataset;
}

}  // namespace clipnext::datasets
