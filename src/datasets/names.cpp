#include "datasets/names.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/error.h"
#include "base/json.h"

extern "C" const unsigned char clipnext_asset_eval_names[];
extern "C" const unsigned char clipnext_asset_eval_names_end[];

namespace clipnext::datasets {
namespace {

using Names = std::vector<std::string>;

const Json& asset() {
  static const Json json = [] {
    const std::string_view text(
        reinterpret_cast<const char*>(clipnext_asset_eval_names),
        static_cast<size_t>(clipnext_asset_eval_names_end - clipnext_asset_eval_names));
    return parse_json(text, "the class names inside the program");
  }();
  return json;
}

const Json& lists(std::string_view language, const char* kind) {
  const std::string code(language == "zh" ? "cn" : language);
  const Json& languages = asset().at("languages");
  require(languages.contains(code), "no class names and templates in language \"", code,
          "\"; there are ar, cn (or zh), en, it and jp");
  return languages.at(code).at(kind);
}

// Names that the reference holds in its code (clip_benchmark's voc2007.py, torchvision's
// rendered_sst2.py) or gives to another set's list (builder.py).
constexpr std::array<const char*, 20> kVocClasses = {
    "aeroplane", "bicycle",     "bird",  "boat",        "bottle", "bus",      "car",
    "cat",       "chair",       "cow",   "diningtable", "dog",    "horse",    "motorbike",
    "person",    "pottedplant", "sheep", "sofa",        "train",  "tvmonitor"};
constexpr std::array<const char*, 2> kSst2Classes = {"negative", "positive"};

constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kBorrowed = {
    {{"imagenetv2", "imagenet1k"},
     {"imagenet_sketch", "imagenet1k"},
     {"vtab/caltech101", "caltech101_vtab"}}};

// ImageNet's names, less those of classes that the subset does not have.
Names subset_names(std::string_view dataset, const Names& all) {
  const std::span<const std::string> ids = wordnet_ids("imagenet1k");
  const std::span<const std::string> kept = wordnet_ids(dataset);
  Names names;
  names.reserve(kept.size());
  for (size_t i = 0; i < all.size(); ++i) {
    if (std::binary_search(kept.begin(), kept.end(), ids[i])) names.push_back(all[i]);
  }
  return names;
}

}  // namespace

std::vector<std::string> lookup_keys(std::string_view dataset) {
  Names keys = {std::string(dataset)};
  for (const std::string_view prefix : {"wds/", "vtab/", "tfds/"}) {
    if (dataset.starts_with(prefix)) keys.emplace_back(dataset.substr(prefix.size()));
  }
  return keys;
}

std::vector<std::string> class_names(std::string_view dataset, std::string_view language) {
  const Json& known = lists(language, "classnames");
  for (const std::string& key : lookup_keys(dataset)) {
    if (key == "voc2007" || key == "voc2007_multilabel")
      return {kVocClasses.begin(), kVocClasses.end()};
    if (key == "renderedsst2") return {kSst2Classes.begin(), kSst2Classes.end()};
    if (key == "imagenet-a" || key == "imagenet-r" || key == "imagenet-o") {
      return subset_names(key, known.at("imagenet1k"));
    }
    std::string_view list = key;
    for (const auto& [borrower, owner] : kBorrowed) {
      if (key == borrower) list = owner;
    }
    if (const auto found = known.find(list); found != known.end()) return *found;
  }
  fail(dataset, ": no class names in language \"", language,
       "\" are known; give them with --custom_classname_file, or leave --language at en");
}

std::vector<std::string> templates(std::string_view dataset, std::string_view language) {
  const Json& known = lists(language, "templates");
  for (const std::string& key : lookup_keys(dataset)) {
    if (const auto found = known.find(key); found != known.end()) return *found;
  }
  return known.at("imagenet1k");
}

std::vector<std::string> simple_imagenet_templates() { return asset().at("simple_templates"); }

std::span<const std::string> wordnet_ids(std::string_view dataset) {
  static const auto ids =
      asset().at("wordnet_ids").get<std::map<std::string, Names, std::less<>>>();
  const auto found = ids.find(dataset);
  require(found != ids.end(), dataset, ": has no WordNet ids");
  return found->second;
}

}  // namespace clipnext::datasets
