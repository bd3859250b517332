#include "model/bind.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <string_view>

#include "base/error.h"
#include "model/position.h"

namespace clipnext::model {
namespace {

using weights::Tensor;

/// The tensors by plain-layout name, and what went wrong while finding them.
class Binder {
 public:
  Binder(const ClipConfig& config, const weights::TensorMap& tensors) : config_(config) {
    constexpr std::string_view kText = "text.";
    for (const auto& [name, tensor] : tensors) {
      const std::string_view view = name;
      const std::string plain(view.starts_with(kText) ? view.substr(kText.size()) : view);
      const auto [at, inserted] = entries_.emplace(plain, Entry{name, &tensor});
      if (!inserted) unexpected_.push_back(name + " (also there as " + at->second.name + ")");
    }
  }

  bool has(const std::string& name) const { return entries_.contains(name); }

  /// Without data if there is none that fits.
  Tensor find(const ParamInfo& info) {
    const auto at = entries_.find(info.name);
    if (at == entries_.end()) {
      missing_.push_back(info.name + " " + weights::format_shape(info.shape));
      return {};
    }
    Entry& entry = at->second;
    entry.used = true;
    const Tensor& tensor = *entry.tensor;
    if (!weights::is_float(tensor.dtype)) {
      misshapen_.push_back(entry.name + " is " + std::string(weights::dtype_name(tensor.dtype)) +
                           ", expected a float type");
      return {};
    }
    if (tensor.shape == info.shape) return tensor;
    if (info.role == Role::kLogitScale && tensor.numel() == 1) {
      Tensor scalar = tensor;
      scalar.shape = info.shape;
      return scalar;
    }
    if (auto resized = resize(tensor, info); !resized.data.empty()) return resized;
    misshapen_.push_back(entry.name + " is " + weights::format_shape(tensor.shape) + ", expected " +
                         weights::format_shape(info.shape));
    return {};
  }

  std::vector<std::string> misfits() const {
    std::vector<std::string> texts = misshapen_;
    for (const std::string& tensor : missing_) texts.push_back(tensor + " is missing");
    return texts;
  }

  /// Throws if anything was missing, left over or misshapen.
  void finish(const std::string& source) {
    for (const auto& [plain, entry] : entries_) {
      if (!entry.used && !is_ignorable(plain)) unexpected_.push_back(entry.name);
    }
    if (missing_.empty() && unexpected_.empty() && misshapen_.empty()) return;
    fail(source, ": its tensors do not fit the model ", config_.name, "; wrong --model?",
         group("missing", missing_), group("unexpected", unexpected_),
         group("wrong shape", misshapen_));
  }

 private:
  struct Entry {
    std::string name;  // as in the file
    const Tensor* tensor = nullptr;
    bool used = false;
  };

  static std::string group(const char* title, const std::vector<std::string>& names) {
    if (names.empty()) return "";
    std::string text = "\n  " + std::string(title) + " (" + std::to_string(names.size()) + "):";
    for (const std::string& name : names) text += "\n    " + name;
    return text;
  }

  /// A positional embedding for this config's size; empty if it is none or cannot be resized.
  Tensor resize(const Tensor& tensor, const ParamInfo& info) const {
    const weights::Shape& from = tensor.shape;
    if (from.size() != 2 || info.shape.size() != 2 || from[1] != info.shape[1] || from[0] < 1) {
      return {};
    }
    const int64_t width = from[1];
    if (info.name == "positional_embedding") {
      return weights::make_tensor(info.shape, resize_text_positions(weights::to_f32(tensor),
                                                                    from[0], info.shape[0], width));
    }
    const auto* vit = std::get_if<VitConfig>(&config_.vision);
    if (vit == nullptr || info.name != "visual.positional_embedding") return {};
    const auto old =
        static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(from[0] - 1))));
    if (old < 1 || old * old + 1 != from[0]) return {};
    return weights::make_tensor(
        info.shape,
        resize_grid_positions(weights::to_f32(tensor), old, config_.image_height / vit->patch,
                              config_.image_width / vit->patch, width));
  }

  const ClipConfig& config_;
  std::map<std::string, Entry, std::less<>> entries_;
  std::vector<std::string> missing_, unexpected_, misshapen_;
};

constexpr std::string_view kTrunk = "visual.trunk.";
constexpr std::string_view kClassifier = "head.fc.";  // timm's name

/// Whether timm would load its classifier as the projection.
bool keeps_classifier(const ClipConfig& config, const weights::TensorMap& tensors) {
  if (!std::get<ConvNextConfig>(config.vision).trunk_head) return false;
  const auto found = tensors.find(std::string(kClassifier) + "weight");
  return found != tensors.end() && !found->second.shape.empty() &&
         found->second.shape[0] == config.embed_dim;
}

}  // namespace

bool is_ignorable(std::string_view name) {
  constexpr std::array<std::string_view, 5> kNames = {"attn_mask", "input_resolution",
                                                      "context_length", "vocab_size",
                                                      "transformer.embeddings.position_ids"};
  return name.ends_with("num_batches_tracked") ||
         std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

ClipParams<Tensor> bind_tensors(const ClipConfig& config, const weights::TensorMap& tensors,
                                const std::string& source) {
  auto params = make_params<Tensor>(config);
  Binder binder(config, tensors);
  visit(params, config, [&](Tensor& leaf, const ParamInfo& info) {
    const bool supplied = info.name == "logit_bias" && !binder.has(info.name);
    leaf = supplied ? weights::make_tensor({}, std::array{0.0f}) : binder.find(info);
  });
  binder.finish(source);
  return params;
}

ClipParams<Tensor> bind_fitting(const ClipConfig& config, const weights::TensorMap& tensors,
                                std::vector<std::string>& misfits) {
  auto params = make_params<Tensor>(config);
  Binder binder(config, tensors);
  visit(params, config, [&](Tensor& leaf, const ParamInfo& info) { leaf = binder.find(info); });
  misfits = binder.misfits();
  return params;
}

ClipParams<Tensor> bind_trunk(const ClipConfig& config, const weights::TensorMap& tensors,
                              const std::string& source) {
  const bool classifier = keeps_classifier(config, tensors);
  const auto wanted = [&](std::string_view name) {
    return classifier || !name.starts_with(kClassifier);
  };
  weights::TensorMap kept = tensors;
  std::erase_if(kept, [&](const auto& entry) { return !wanted(entry.first); });
  auto params = make_params<Tensor>(config);
  Binder binder(config, kept);
  visit(params, config, [&](Tensor& leaf, ParamInfo info) {
    if (!info.name.starts_with(kTrunk)) return;
    info.name.erase(0, kTrunk.size());
    if (wanted(info.name)) leaf = binder.find(info);
  });
  binder.finish(source);
  return params;
}

}  // namespace clipnext::model
