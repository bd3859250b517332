// The parameter tree against open_clip's own state dicts (tests/data/model, made by
// tools/make_fixtures.py with the versions noted in params.json).
#include "model/params.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/checked.h"
#include "base/file.h"

namespace clipnext::model {
namespace {

const std::string kFixtures = CLIPNEXT_SOURCE_DIR "/tests/data/model/";

ClipConfig config_of(const Json& entry) {
  const std::string name = entry.at("name");
  if (!entry.contains("model_cfg")) return builtin_config(name);
  return parse_model_config(entry.at("model_cfg"), name, name);
}

// Sorted lines "NAME [SHAPE]\n".
std::string listing(const ClipConfig& config) {
  std::vector<std::string> lines;
  for (const ParamInfo& info : list_params(config)) {
    lines.push_back(info.name + " " + weights::format_shape(info.shape) + "\n");
  }
  // By name, as the fixture: a space sorts before every character of a name.
  std::sort(lines.begin(), lines.end());
  std::string all;
  for (const std::string& line : lines) all += line;
  return all;
}

std::string fnv1a(const std::string& text) {
  uint64_t value = 14695981039346656037u;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 1099511628211u;
  char hex[17];
  std::snprintf(hex, sizeof hex, "%016llx", static_cast<unsigned long long>(value));
  return hex;
}

int64_t count_parameters(const ClipConfig& config) {
  int64_t sum = 0;
  for (const ParamInfo& info : list_params(config)) {
    if (info.role != Role::kStatistic) sum += checked_numel(info.shape, info.name.c_str());
  }
  return sum;
}

TEST(Params, EqualOpenClipsStateDictsForEveryConfigAndTimmVariant) {
  const Json fixture = parse_json(read_file(kFixtures + "params.json"), "params.json");
  std::set<std::string> covered;
  for (const Json& entry : fixture.at("models")) {
    const std::string name = entry.at("name");
    SCOPED_TRACE(name);
    const ClipConfig config = config_of(entry);
    covered.insert(name);
    EXPECT_EQ(static_cast<int64_t>(list_params(config).size()), entry.at("tensors"));
    EXPECT_EQ(count_parameters(config), entry.at("parameters"));
    EXPECT_EQ(fnv1a(listing(config)), entry.at("hash"));
  }
  for (const std::string& name : builtin_config_names()) EXPECT_TRUE(covered.count(name)) << name;
  for (const std::string& name : timm_convnext_names()) {
    for (const char* head : {" linear", " mlp", " mlp bias", " trunk", " none"}) {
      EXPECT_TRUE(covered.count(name + head)) << name << head;
    }
  }
}

TEST(Params, EqualTheWholeListingLineByLine) {
  const Json fixture = parse_json(read_file(kFixtures + "params.json"), "params.json");
  int listed = 0;
  for (const Json& entry : fixture.at("models")) {
    const std::string name = entry.at("name");
    std::string file = name + ".params";
    std::replace(file.begin(), file.end(), ' ', '_');
    if (!std::filesystem::exists(kFixtures + file)) continue;
    ++listed;
    EXPECT_EQ(listing(config_of(entry)), read_file(kFixtures + file)) << name;
  }
  EXPECT_EQ(listed, 2);
}

TEST(Params, HaveThePublishedTensorCounts) {
  const std::map<std::string, size_t> counts = {
      {"convnext_tiny", 331},        {"convnext_small", 493},  {"convnext_base", 493},
      {"convnext_base_w", 493},      {"convnext_large", 493},  {"convnext_large_d", 543},
      {"convnext_large_d_320", 543}, {"convnext_xlarge", 589}, {"convnext_xxlarge", 673},
      {"ViT-L-14-336", 446},         {"ViT-B-32", 302}};
  for (const auto& [name, count] : counts) {
    EXPECT_EQ(list_params(builtin_config(name)).size(), count) << name;
  }
}

// "39 groups" of the image tower and 18 of the text tower (spec: training, freezing and LLRD).
TEST(Params, DepthsAreTheGroupsOfLayerWiseLearningRates) {
  std::map<bool, std::set<int>> depths;
  std::map<std::string, int> depth_of;
  for (const ParamInfo& info : list_params(builtin_config("convnext_large_d_320"))) {
    depth_of[info.name] = info.depth;
    if (info.role != Role::kLogitScale) {
      depths[info.name.starts_with("visual.")].insert(info.depth);
    }
  }
  EXPECT_EQ(depths[true].size(), 39u);
  EXPECT_EQ(depths[false].size(), 18u);
  EXPECT_EQ(depth_of.at("visual.trunk.stem.0.weight"), -1);
  EXPECT_EQ(depth_of.at("visual.trunk.stages.1.downsample.0.weight"), 3);
  EXPECT_EQ(depth_of.at("visual.trunk.stages.1.blocks.0.gamma"), 3);
  EXPECT_EQ(depth_of.at("visual.trunk.head.norm.weight"), 36);
  EXPECT_EQ(depth_of.at("visual.head.mlp.fc2.weight"), 37);
  EXPECT_EQ(depth_of.at("token_embedding.weight"), -1);
  EXPECT_EQ(depth_of.at("ln_final.weight"), 15);
  EXPECT_EQ(depth_of.at("text_projection"), 16);
}

TEST(Params, NamesAreUnique) {
  for (const std::string& name : builtin_config_names()) {
    std::set<std::string> names;
    const auto params = list_params(builtin_config(name));
    for (const ParamInfo& info : params) names.insert(info.name);
    EXPECT_EQ(names.size(), params.size()) << name;
  }
}

}  // namespace
}  // namespace clipnext::model
