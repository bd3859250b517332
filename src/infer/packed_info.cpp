// A packed file's metadata: PackedInfo to JSON and back.
#include <cmath>

#include "base/error.h"
#include "infer/packed_file.h"

namespace clipnext::infer {
namespace {

// Of the container's rules and of the kernels' layouts together.
constexpr int64_t kVersion = 1;

OrderedJson to_json(const Fidelity& fidelity) {
  return {{"min_cosine", fidelity.min_cosine}, {"mean_cosine", fidelity.mean_cosine}};
}

OrderedJson to_json(const Accuracy& accuracy) {
  return {{"fp32", accuracy.fp32},
          {"int8", accuracy.int8},
          {"agreement", accuracy.agreement},
          {"clear", accuracy.clear}};
}

/// Members of an object from outside.
class Members {
 public:
  Members(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
    require(object_.is_object(), where_, " is no JSON object");
  }

  const Json* find(const char* name) const {
    const auto found = object_.find(name);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }
  const Json& at(const char* name) const {
    const Json* found = find(name);
    require(found != nullptr, where_, " has no \"", name, "\"");
    return *found;
  }
  std::string text(const char* name) const {
    const Json& value = at(name);
    require(value.is_string(), where_, ".", name, " is no string");
    return value.get<std::string>();
  }
  double number(const char* name) const {
    const Json& value = at(name);
    require(value.is_number(), where_, ".", name, " is no number");
    return value.get<double>();
  }
  bool flag(const char* name) const {
    const Json& value = at(name);
    require(value.is_boolean(), where_, ".", name, " is neither true nor false");
    return value.get<bool>();
  }
  int64_t count(const char* name) const {
    const double value = number(name);
    require(value >= 0 && value <= 1e15 && value == std::floor(value), where_, ".", name,
            " is no count");
    return static_cast<int64_t>(value);
  }
  ComputeType type(const char* name) const {
    const auto type = parse_compute_type(text(name));
    require(type.has_value(), where_, ".", name, " is \"auto\"");
    return *type;
  }
  Members object(const char* name) const { return {at(name), where_ + "." + name}; }
  std::string where(const char* name) const { return where_ + "." + name; }

 private:
  const Json& object_;
  std::string where_;
};

Fidelity read_fidelity(const Members& json) {
  return {.min_cosine = json.number("min_cosine"), .mean_cosine = json.number("mean_cosine")};
}

CalibrationRecord read_calibration(const Members& json) {
  CalibrationRecord record;
  record.asked_cosine = json.number("asked_cosine");
  record.image_count = json.count("image_count");
  record.text_count = json.count("text_count");
  record.smoothed = json.flag("smoothed");
  record.images = read_fidelity(json.object("images"));
  record.texts = read_fidelity(json.object("texts"));
  if (json.find("accuracy") != nullptr) {
    const Members accuracy = json.object("accuracy");
    record.accuracy = {.fp32 = accuracy.number("fp32"),
                       .int8 = accuracy.number("int8"),
                       .agreement = accuracy.number("agreement"),
                       .clear = accuracy.count("clear")};
  }
  const Json& widened = json.at("widened");
  require(widened.is_array(), json.where("widened"), " is no list");
  for (const Json& entry : widened) {
    const Members layer(entry, json.where("widened"));
    record.widened.push_back(
        {.name = layer.text("name"), .type = layer.type("dtype"), .error = layer.number("error")});
  }
  return record;
}

}  // namespace

OrderedJson to_json(const CalibrationRecord& record) {
  OrderedJson widened = OrderedJson::array();
  for (const Widened& layer : record.widened) {
    widened.push_back(
        {{"name", layer.name}, {"dtype", compute_type_name(layer.type)}, {"error", layer.error}});
  }
  OrderedJson json = {{"asked_cosine", record.asked_cosine}, {"image_count", record.image_count},
                      {"text_count", record.text_count},     {"smoothed", record.smoothed},
                      {"images", to_json(record.images)},    {"texts", to_json(record.texts)}};
  if (record.accuracy) json["accuracy"] = to_json(*record.accuracy);
  json["widened"] = std::move(widened);
  return json;
}

OrderedJson to_json(const PackedInfo& info) {
  OrderedJson json = {{"version", kVersion},
                      {"dtype", compute_type_name(info.type)},
                      {"model", info.model},
                      {"source_hash", info.source_hash}};
  if (info.calibration) json["calibration"] = to_json(*info.calibration);
  return json;
}

std::optional<PackedInfo> read_packed_info(const weights::Checkpoint& checkpoint,
                                           const std::string& source) {
  const auto text = checkpoint.metadata.find(model::kPackedMetadata);
  if (text == checkpoint.metadata.end()) return std::nullopt;
  const std::string where = source + ": metadata " + model::kPackedMetadata;
  const Json json = parse_json(text->second, where);
  const Members members(json, where);
  const int64_t version = members.count("version");
  require(version == kVersion, source, ": is a packed file of version ", version,
          ", this program reads version ", kVersion,
          "; convert the original weights again (clipnext convert --packed)");
  PackedInfo info{.model = members.text("model"),
                  .source_hash = members.text("source_hash"),
                  .type = members.type("dtype"),
                  .calibration = std::nullopt};
  if (members.find("calibration") != nullptr) {
    info.calibration = read_calibration(members.object("calibration"));
  }
  return info;
}

}  // namespace clipnext::infer
