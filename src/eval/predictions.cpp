#include "eval/predictions.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/python_json.h"
#include "eval/json_members.h"

namespace clipnext::eval {
namespace {

constexpr const char* kVersion = "clipnext_predictions";
constexpr int64_t kMaxBytes = int64_t{2} << 30;

OrderedJson header_json(const PredictionHeader& header) {
  return {{kVersion, 1},
          {"dataset", header.dataset},
          {"model", header.model},
          {"pretrained", header.pretrained},
          {"language", header.language},
          {"task", header.task},
          {"classes", header.classes},
          {"logit_scale", header.logit_scale},
          {"images", header.images}};
}

PredictionHeader read_header(const OrderedJson& json, const std::string& source) {
  whole_member(json, kVersion, source, 1, 2);
  PredictionHeader header;
  header.dataset = text_member(json, "dataset", source);
  header.model = text_member(json, "model", source);
  header.pretrained = text_member(json, "pretrained", source);
  header.language = text_member(json, "language", source);
  header.task = text_member(json, "task", source);
  header.classes = texts_member(json, "classes", source);
  header.logit_scale = number_member(json, "logit_scale", source);
  header.images = whole_member(json, "images", source);
  return header;
}

std::vector<int64_t> read_ids(const OrderedJson& json, const char* name, size_t classes,
                              const std::string& source) {
  const OrderedJson& list = member(json, name, source);
  require(list.is_array() && list.size() <= classes, source, ": \"", name,
          "\" is no list of at most ", classes, " class numbers");
  std::vector<int64_t> ids;
  ids.reserve(list.size());
  for (const OrderedJson& id : list) {
    ids.push_back(whole_number(id, 0, static_cast<int64_t>(classes), name, source));
  }
  return ids;
}

std::vector<float> read_scores(const OrderedJson& json, const std::string& source) {
  const OrderedJson& list = member(json, "scores", source);
  require(list.is_array(), source, ": \"scores\" is no list");
  std::vector<float> scores;
  scores.reserve(list.size());
  for (const OrderedJson& score : list) {
    require(score.is_number() && std::isfinite(score.get<float>()), source,
            ": \"scores\" holds something that is no number");
    scores.push_back(score.get<float>());
  }
  return scores;
}

PredictedImage read_image(const OrderedJson& json, size_t classes, const std::string& source) {
  PredictedImage image;
  image.image = text_member(json, "image", source);
  if (json.contains("file")) image.file = text_member(json, "file", source);
  if (json.contains("offset")) {
    image.offset = whole_member(json, "offset", source);
    image.size = whole_member(json, "size", source);
  }
  if (json.contains("label")) {
    image.label = whole_member(json, "label", source, 0, static_cast<int64_t>(classes));
  }
  if (json.contains("positives")) image.positives = read_ids(json, "positives", classes, source);
  image.top = read_ids(json, "top", classes, source);
  image.scores = read_scores(json, source);
  require(!image.top.empty() && image.top.size() == image.scores.size(), source,
          ": \"top\" and \"scores\" are not of one length");
  image.probability = number_member(json, "probability", source);
  require(image.probability <= 1, source, ": \"probability\" is above 1");
  return image;
}

}  // namespace

PredictionWriter::PredictionWriter(const std::filesystem::path& path,
                                   const PredictionHeader& header)
    : file_(path), missing_(header.images) {
  file_.write(python_json(header_json(header)) + "\n");
}

void PredictionWriter::add(const PredictedImage& image) {
  OrderedJson json = {{"image", image.image}};
  if (!image.file.empty()) json["file"] = image.file;
  if (image.offset && image.size) {
    json["offset"] = *image.offset;
    json["size"] = *image.size;
  }
  if (image.label >= 0) {
    json["label"] = image.label;
  } else {
    json["positives"] = image.positives;
  }
  json["top"] = image.top;
  OrderedJson scores = OrderedJson::array();
  for (const float score : image.scores) scores.push_back(double{score});
  json["scores"] = scores;
  json["probability"] = image.probability;
  file_.write(python_json(json) + "\n");
  --missing_;
}

void PredictionWriter::commit() {
  require(missing_ == 0, "the number of predictions is not the one announced");
  file_.commit();
}

Predictions read_predictions(const std::filesystem::path& path) {
  const std::string text = read_file(path, kMaxBytes);
  Predictions predictions;
  size_t begin = 0;
  for (int64_t line = 1; begin < text.size(); ++line) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string source = path.string() + ", line " + std::to_string(line);
    const OrderedJson json =
        parse_python_json(std::string_view(text).substr(begin, end - begin), source);
    if (line == 1) {
      predictions.header = read_header(json, source);
    } else {
      predictions.images.push_back(read_image(json, predictions.header.classes.size(), source));
    }
    begin = end + 1;
  }
  require(!text.empty(), path.string(), ": is empty, expected predictions (--logits_out)");
  require(static_cast<int64_t>(predictions.images.size()) == predictions.header.images,
          path.string(), ": holds ", predictions.images.size(), " pictures, its first line says ",
          predictions.header.images);
  return predictions;
}

}  // namespace clipnext::eval
