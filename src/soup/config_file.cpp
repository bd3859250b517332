#include "soup/config_file.h"

#include <array>

#include "base/error.h"
#include "base/python_json.h"
#include "model/config.h"

namespace clipnext::soup {
namespace {

const char* mode_text(image::ResizeMode mode) {
  return mode == image::ResizeMode::kShortest  ? "shortest"
         : mode == image::ResizeMode::kLongest ? "longest"
                                               : "squash";
}

// Written with the digits that everyone writes where the value is the usual one.
void set_channels(OrderedJson& json, const char* key, const std::array<float, 3>& values,
                  const std::array<double, 3>& usual) {
  if (json.contains(key) && json[key].is_array()) return;  // as it stands there
  OrderedJson list = OrderedJson::array();
  for (size_t c = 0; c < values.size(); ++c) {
    const bool is_usual = values[c] == static_cast<float>(usual[c]);
    list.push_back(is_usual ? usual[c] : shortest_decimal(values[c]));
  }
  json[key] = std::move(list);
}

}  // namespace

OrderedJson config_file(const std::string& text, const std::string& source,
                        std::optional<int64_t> image_size) {
  OrderedJson json = parse_ordered_json(text, source);
  if (!json.contains("model_cfg")) {
    OrderedJson whole = OrderedJson::object();
    whole["model_cfg"] = std::move(json);
    json = std::move(whole);
  }
  if (image_size) json["model_cfg"]["vision_cfg"]["image_size"] = *image_size;

  const Json sorted = parse_json(json.dump(), source);
  model::ClipConfig config = model::parse_model_config(sorted.at("model_cfg"), "", source);
  const auto given = sorted.find("preprocess_cfg");
  if (given != sorted.end() && given->is_object()) {
    model::apply_preprocess_config(*given, source, config);
  } else {
    json["preprocess_cfg"] = OrderedJson::object();
  }
  OrderedJson& shown = json["preprocess_cfg"];
  if (image_size && shown.contains("size")) shown["size"] = *image_size;
  const image::PreprocessConfig& preprocess = config.preprocess;
  set_channels(shown, "mean", preprocess.mean, {0.48145466, 0.4578275, 0.40821073});
  set_channels(shown, "std", preprocess.std, {0.26862954, 0.26130258, 0.27577711});
  shown["interpolation"] =
      preprocess.interpolation == image::Filter::kBilinear ? "bilinear" : "bicubic";
  shown["resize_mode"] = mode_text(preprocess.resize_mode);
  return json;
}

}  // namespace clipnext::soup
