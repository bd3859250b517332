// For tests only: what tools/make_training_fixtures.py made.
#pragma once

#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "model/param_order.h"

namespace clipnext::model {

inline std::filesystem::path training_file(const std::string& name) {
  return std::filesystem::path(CLIPNEXT_SOURCE_DIR) / "tests/data/model" / name;
}

/// The hashes of one model of training.json.
struct TrainingFixture {
  ClipConfig config;
  std::map<std::string, std::string> hashes;
};

/// Of every model of params.json, in its order.
inline std::vector<TrainingFixture> training_fixtures() {
  const Json models = parse_json(read_file(training_file("params.json")), "params").at("models");
  const Json rows = parse_json(read_file(training_file("training.json")), "training").at("models");
  require(models.size() == rows.size(), "params.json and training.json differ in models");
  std::vector<TrainingFixture> fixtures;
  for (size_t i = 0; i < models.size(); ++i) {
    const std::string name = models[i].at("name");
    require(rows[i].at("name") == name, "training.json lacks ", name);
    TrainingFixture& fixture = fixtures.emplace_back();
    fixture.config = models[i].contains("model_cfg")
                         ? parse_model_config(models[i].at("model_cfg"), name, name)
                         : builtin_config(name);
    for (const auto& [key, value] : rows[i].items()) fixture.hashes[key] = value;
  }
  return fixtures;
}

/// The names of parameters as open_clip spells them, a line each.
inline std::string lines_of(const ClipConfig& config, const std::vector<ParamInfo>& params) {
  std::string lines;
  for (const ParamInfo& info : params) lines += checkpoint_name(config, info.name) + "\n";
  return lines;
}

/// FNV-1a, 64 bits.
inline std::string hash_of(const std::string& text) {
  uint64_t value = 14695981039346656037u;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 1099511628211u;
  char hex[17];
  std::snprintf(hex, sizeof hex, "%016llx", static_cast<unsigned long long>(value));
  return hex;
}

}  // namespace clipnext::model
