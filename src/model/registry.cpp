#include "model/registry.h"

#include <algorithm>
#include <cctype>

#include "base/natural_order.h"
#include "model/builtin.h"

namespace clipnext::model {
namespace {

std::string fold(std::string_view tag) {
  std::string folded(tag);
  for (char& c : folded) {
    c = c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return folded;
}

// Our own file: a mistake in it throws out of the JSON library, which the test of it shows.
std::vector<PretrainedTag> read_table() {
  std::vector<PretrainedTag> tags;
  const OrderedJson table = OrderedJson::parse(builtin_pretrained_json());
  for (const auto& [config, entries] : table.items()) {
    for (const auto& [tag, entry] : entries.items()) {
      tags.push_back({.config = config,
                      .tag = tag,
                      .repo = entry.at("hf_hub"),
                      .quick_gelu = entry.value("quick_gelu", false),
                      .preprocess = entry.value("preprocess_cfg", Json::object())});
    }
  }
  std::stable_sort(tags.begin(), tags.end(), [](const PretrainedTag& a, const PretrainedTag& b) {
    return natural_less(a.config, b.config);
  });
  return tags;
}

}  // namespace

const std::vector<PretrainedTag>& pretrained_tags() {
  static const std::vector<PretrainedTag> tags = read_table();
  return tags;
}

const PretrainedTag* find_pretrained(std::string_view config, std::string_view tag) {
  const std::string folded = fold(tag);
  for (const PretrainedTag& entry : pretrained_tags()) {
    if (entry.config == config && fold(entry.tag) == folded) return &entry;
  }
  return nullptr;
}

}  // namespace clipnext::model
