#include "model/demo.h"

// Weak: a program that does not link clipnext::demo_model sees null addresses here instead of
// carrying the bytes.
extern "C" {
extern const unsigned char clipnext_demo_weights[] __attribute__((weak));
extern const unsigned char clipnext_demo_weights_end[] __attribute__((weak));
extern const unsigned char clipnext_demo_config[] __attribute__((weak));
extern const unsigned char clipnext_demo_config_end[] __attribute__((weak));
}

namespace clipnext::model {
namespace {

std::span<const std::byte> between(const unsigned char* begin, const unsigned char* end) {
  return std::as_bytes(std::span(begin, end));
}

}  // namespace

std::optional<DemoModel> demo_model() {
  const unsigned char* weights = clipnext_demo_weights;
  if (weights == nullptr) return std::nullopt;
  const auto config = between(clipnext_demo_config, clipnext_demo_config_end);
  return DemoModel{.name = "emoji-convnext-atto",
                   .config_json = {reinterpret_cast<const char*>(config.data()), config.size()},
                   .weights = between(weights, clipnext_demo_weights_end)};
}

}  // namespace clipnext::model
