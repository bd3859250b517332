#include "eval/imagenet.h"

#include <string_view>
#include <vector>

#include "base/json.h"

extern "C" const unsigned char clipnext_asset_imagenet[];
extern "C" const unsigned char clipnext_asset_imagenet_end[];

namespace clipnext::eval {
namespace {

struct Lists {
  std::vector<std::string> class_names, templates;
};

const Lists& lists() {
  static const Lists all = [] {
    const std::string_view text(
        reinterpret_cast<const char*>(clipnext_asset_imagenet),
        static_cast<size_t>(clipnext_asset_imagenet_end - clipnext_asset_imagenet));
    const Json json = parse_json(text, "the ImageNet names inside the program");
    return Lists{json.at("class_names"), json.at("templates")};
  }();
  return all;
}

}  // namespace

std::span<const std::string> imagenet_class_names() { return lists().class_names; }

std::span<const std::string> imagenet_templates() { return lists().templates; }

}  // namespace clipnext::eval
