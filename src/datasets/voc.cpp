// PASCAL VOC 2007: every annotated object cut out, or whole pictures with the classes in them
// (clip_benchmark's voc2007.py; objects marked as difficult or truncated count like all others).
#include <array>
#include <charconv>
#include <pugixml.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/text_lines.h"
#include "datasets/forms.h"
#include "datasets/names.h"
#include "datasets/places.h"

namespace clipnext::datasets {
namespace {

namespace fs = std::filesystem;

struct Object {
  int64_t label = 0;
  pipeline::CropBox box;
};

int32_t box_side(const pugi::xml_node& node, const std::string& where) {
  const std::string_view text = trim(node.text().get());
  int32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require(error == std::errc() && end == text.data() + text.size(), where, ": \"",
          text.substr(0, 40), "\" is no side of a box in whole pixels");
  return value;
}

int64_t class_of(std::string_view name, const std::vector<std::string>& classes,
                 const std::string& where) {
  for (size_t i = 0; i < classes.size(); ++i) {
    if (classes[i] == name) return static_cast<int64_t>(i);
  }
  fail(where, ": \"", name.substr(0, 40), "\" is no class of VOC 2007");
}

// The objects of a picture in the file's order. The reference takes the sides of a box by their
// places, xmin ymin xmax ymax, whatever they are called.
std::vector<Object> read_objects(const fs::path& path, const std::vector<std::string>& classes) {
  const std::string text = read_file(path, int64_t{1} << 24);
  pugi::xml_document document;
  const pugi::xml_parse_result result = document.load_buffer(text.data(), text.size());
  require(result, path.string(), ": no well-formed XML: ", result.description(), " at byte ",
          result.offset);
  std::vector<Object> objects;
  for (const pugi::xml_node& node : document.document_element().children("object")) {
    const std::string where = path.string() + ": object " + std::to_string(objects.size() + 1);
    Object object;
    object.label = class_of(node.child("name").text().get(), classes, where);
    std::vector<int32_t> sides;
    for (const pugi::xml_node& side : node.child("bndbox").children()) {
      if (side.type() == pugi::node_element) sides.push_back(box_side(side, where));
    }
    require(sides.size() >= 4, where, ": expected a bndbox of four sides");
    object.box = {.left = sides[0], .top = sides[1], .right = sides[2], .bottom = sides[3]};
    objects.push_back(object);
  }
  return objects;
}

struct Voc {
  fs::path folder;  // VOC2007
  std::vector<std::string> ids;
};

Voc open_voc(const Request& request) {
  require_split(request, {"train", "val", "trainval", "test"});
  const std::string list = "ImageSets/Main/aeroplane_" + request.split + ".txt";
  const std::vector<std::string> archives =
      request.split == "test" ? std::vector<std::string>{"VOCtest_06-Nov-2007.tar"}
                              : std::vector<std::string>{"VOCtrainval_06-Nov-2007.tar"};
  const fs::path path =
      Places(request, archives).find({"VOCdevkit/VOC2007/" + list, "VOC2007/" + list, list});
  Voc voc{.folder = path.parent_path().parent_path().parent_path(), .ids = {}};
  for (const std::string& line : split_items(read_file(path, int64_t{1} << 24))) {
    voc.ids.push_back(line.substr(0, line.find_first_of(" \t")));
  }
  return voc;
}

pipeline::ImageSource picture(const Voc& voc, const std::string& id) {
  const fs::path path = path_inside(voc.folder / "JPEGImages", id + ".jpg", voc.folder.string());
  return {.name = path.string()};
}

fs::path annotation(const Voc& voc, const std::string& id) {
  return path_inside(voc.folder / "Annotations", id + ".xml", voc.folder.string());
}

}  // namespace

Dataset open_voc2007(const Request& request) {
  const Voc voc = open_voc(request);
  Dataset dataset;
  dataset.classes = class_names(request.name, request.language);
  for (const std::string& id : voc.ids) {
    for (const Object& object : read_objects(annotation(voc, id), dataset.classes)) {
      dataset.images.push_back(picture(voc, id));
      dataset.images.back().crop = object.box;
      dataset.labels.push_back(object.label);
    }
  }
  return dataset;
}

Dataset open_voc2007_multilabel(const Request& request) {
  const Voc voc = open_voc(request);
  Dataset dataset;
  dataset.kind = Kind::kMultilabel;
  dataset.classes = class_names(request.name, request.language);
  const size_t classes = dataset.classes.size();
  dataset.images.reserve(voc.ids.size());
  for (const std::string& id : voc.ids) {
    const size_t row = dataset.positives.size();
    dataset.images.push_back(picture(voc, id));
    dataset.positives.resize(row + classes, 0);
    for (const Object& object : read_objects(annotation(voc, id), dataset.classes)) {
      dataset.positives[row + static_cast<size_t>(object.label)] = 1;
    }
  }
  return dataset;
}

}  // namespace clipnext::datasets
