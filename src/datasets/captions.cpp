// Pictures with captions: COCO's JSON, Flickr's lists, and the sets where a caption is to be
// chosen.
#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text_lines.h"
#include "datasets/forms.h"
#include "datasets/places.h"

namespace clipnext::datasets {
namespace {

namespace fs = std::filesystem;

// COCO's largest, of train2014, is below a tenth.
constexpr int64_t kMaxBytes = int64_t{1} << 29;

template <class AnyJson>
const AnyJson& field(const AnyJson& object, const char* name, const std::string& where) {
  require(object.is_object() && object.contains(name), where, ": expected an object with \"", name,
          "\"");
  return object.at(name);
}

template <class AnyJson>
std::string text_field(const AnyJson& object, const char* name, const std::string& where) {
  const AnyJson& value = field(object, name, where);
  require(value.is_string(), where, ": \"", name, "\" is no text");
  return value.template get<std::string>();
}

int64_t id_field(const Json& object, const char* name, const std::string& where) {
  const Json& value = field(object, name, where);
  require(value.is_number_integer(), where, ": \"", name, "\" is no whole number");
  return value.get<int64_t>();
}

const Json& list_field(const Json& object, const char* name, const std::string& where) {
  const Json& value = field(object, name, where);
  require(value.is_array(), where, ": \"", name, "\" is no list");
  return value;
}

// The request's own file, or the first of `usual` in the root or its archives.
fs::path annotation_file(const Request& request, Places& places,
                         const std::vector<std::string>& usual) {
  std::error_code ignored;
  if (request.annotation_file.empty()) return places.find(usual);
  require(fs::exists(request.annotation_file, ignored), request.annotation_file,
          ": no such file (--annotation_file)");
  return request.annotation_file;
}

struct Captioned {
  std::string file;
  std::vector<std::string> captions;
};

Dataset retrieval_set(const std::vector<Captioned>& all, const fs::path& images,
                      const std::string& where) {
  Dataset dataset;
  dataset.kind = Kind::kRetrieval;
  for (const Captioned& one : all) {
    for (const std::string& caption : one.captions) {
      dataset.captions.push_back(caption);
      dataset.caption_image.push_back(static_cast<int64_t>(dataset.images.size()));
    }
    dataset.images.push_back({.name = path_inside(images, one.file, where).string()});
  }
  require(!dataset.captions.empty(), where, ": no captions in it");
  return dataset;
}

// In the order of the images' ids; captions in the file's order.
std::vector<Captioned> read_coco(const fs::path& path) {
  const Json json = parse_json(read_file(path, kMaxBytes), path.string());
  std::map<int64_t, Captioned> by_id;
  for (const Json& image : list_field(json, "images", path.string())) {
    by_id[id_field(image, "id", path.string())].file =
        text_field(image, "file_name", path.string());
  }
  for (const Json& annotation : list_field(json, "annotations", path.string())) {
    const auto found = by_id.find(id_field(annotation, "image_id", path.string()));
    if (found == by_id.end()) continue;  // of a picture that is not in this list
    found->second.captions.push_back(text_field(annotation, "caption", path.string()));
  }
  std::vector<Captioned> all;
  all.reserve(by_id.size());
  for (auto& [id, one] : by_id) all.push_back(std::move(one));
  return all;
}

// Lines NAME.jpg,CAPTION behind a header, pictures in the order they first occur.
std::vector<Captioned> read_caption_list(const fs::path& path) {
  const std::vector<std::string> lines = split_lines(read_file(path, kMaxBytes));
  std::vector<Captioned> all;
  std::map<std::string, size_t> place_of;
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::string_view line = trim(lines[i]);
    if (line.empty()) continue;
    constexpr std::string_view kMark = ".jpg,";
    const size_t mark = line.find(kMark);
    require(mark != std::string_view::npos && line.find(kMark, mark + 1) == std::string_view::npos,
            path.string(), ": line ", i + 1, ": expected NAME.jpg,CAPTION, found \"",
            line.substr(0, 80), "\"");
    const std::string file = std::string(line.substr(0, mark)) + ".jpg";
    const auto [place, fresh] = place_of.emplace(file, all.size());
    if (fresh) all.push_back({.file = file, .captions = {}});
    all[place->second].captions.emplace_back(line.substr(mark + kMark.size()));
  }
  return all;
}

}  // namespace

Dataset open_coco_captions(const Request& request) {
  require_split(request, {"train", "val", "test"});
  const std::string folder = request.split == "train" ? "train2014" : "val2014";
  Places places(request, {folder + ".zip"});
  const fs::path path =
      annotation_file(request, places, {"coco_" + request.split + "_karpathy.json"});
  return retrieval_set(read_coco(path), places.find({folder}), path.string());
}

Dataset open_flickr(const Request& request) {
  require_split(request, {"train", "val", "test"});
  require(request.language == "en" || request.language == "zh" || !request.annotation_file.empty(),
          request.name, ": captions in language \"", request.language,
          "\" are not known; there are en and zh, others with --annotation_file");
  Places places(request, {"flickr8k.zip", "flickr30k.zip", "flickr-image-dataset.zip",
                          "flickr30k-images.tar.gz", "archive.zip"});
  const std::string ending = request.language == "zh" ? "_zh.txt" : "_karpathy.txt";
  const fs::path path =
      annotation_file(request, places, {request.name + "_" + request.split + ending});
  const std::vector<Captioned> all = read_caption_list(path);
  require(!all.empty(), path.string(), ": no captions in it");
  const std::string first = path_inside("", all[0].file, path.string()).string();
  const fs::path image =
      places.find({first, "Images/" + first, "flickr30k_images/" + first,
                   "flickr30k_images/flickr30k_images/" + first, "flickr30k-images/" + first});
  const std::string whole = image.string();
  const fs::path images = whole.substr(0, whole.size() - first.size());
  return retrieval_set(all, images, path.string());
}

Dataset open_sugar_crepe(const Request& request) {
  require_split(request, {"test"});
  const std::string list = request.name.substr(request.name.find('/') + 1) + ".json";
  Places places(request, {"val2017.zip"});
  const fs::path path = annotation_file(request, places, {list, "data/" + list});
  const OrderedJson json = parse_ordered_json(read_file(path, kMaxBytes), path.string());
  require(json.is_object(), path.string(), ": expected a JSON object by id");
  const fs::path images = places.find({"val2017"});
  Dataset dataset;
  dataset.kind = Kind::kCaptionSelection;
  dataset.images_per_instance = 1;
  dataset.captions_per_instance = 2;
  for (const auto& [id, one] : json.items()) {
    const std::string where = path.string() + ": \"" + id + "\"";
    dataset.images.push_back(
        {.name = path_inside(images, text_field(one, "filename", where), where).string()});
    dataset.captions.push_back(text_field(one, "caption", where));
    dataset.captions.push_back(text_field(one, "negative_caption", where));
  }
  return dataset;
}

// As on the Hugging Face hub: examples.jsonl beside images.zip.
Dataset open_winoground(const Request& request) {
  require_split(request, {"test"});
  Places places(request, {"images.zip", "data/images.zip"});
  const fs::path path = annotation_file(request, places, {"examples.jsonl", "data/examples.jsonl"});
  Dataset dataset;
  dataset.kind = Kind::kCaptionSelection;
  dataset.images_per_instance = 2;
  dataset.captions_per_instance = 2;
  for (const std::string& line : split_items(read_file(path, kMaxBytes))) {
    const std::string where =
        path.string() + ": example " + std::to_string(dataset.images.size() / 2 + 1);
    const Json one = parse_json(line, where);
    for (const char* which : {"image_0", "image_1"}) {
      const std::string name = text_field(one, which, where) + ".png";
      path_inside("", name, where);
      dataset.images.push_back(
          {.name = places.find({"images/" + name, "data/images/" + name, name}).string()});
    }
    dataset.captions.push_back(text_field(one, "caption_0", where));
    dataset.captions.push_back(text_field(one, "caption_1", where));
  }
  return dataset;
}

}  // namespace clipnext::datasets
