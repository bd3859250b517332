#include "weights/wrappers.h"

#include <algorithm>

#include "base/error.h"

namespace clipnext::weights {
namespace {

std::string without_compile_wrapper(std::string_view name) {
  constexpr std::string_view kWrapper = "_orig_mod.";
  std::string clean;
  for (bool begin = true; !name.empty();) {
    if (begin && name.starts_with(kWrapper)) {
      name.remove_prefix(kWrapper.size());
      continue;
    }
    begin = name[0] == '.';
    clean += name[0];
    name.remove_prefix(1);
  }
  return clean;
}

}  // namespace

void unwrap_names(TensorMap& tensors, const std::string& source) {
  constexpr std::string_view kParallel = "module.";
  TensorMap clean;
  for (auto& [name, tensor] : tensors) {
    const std::string short_name = without_compile_wrapper(name);
    require(clean.emplace(short_name, std::move(tensor)).second, source, ": tensor ", short_name,
            " is there with and without a wrapper's prefix");
  }
  tensors = std::move(clean);
  const bool parallel =
      !tensors.empty() && std::all_of(tensors.begin(), tensors.end(), [&](const auto& entry) {
        return entry.first.starts_with(kParallel);
      });
  if (!parallel) return;
  clean.clear();
  for (auto& [name, tensor] : tensors) clean[name.substr(kParallel.size())] = std::move(tensor);
  tensors = std::move(clean);
}

}  // namespace clipnext::weights
