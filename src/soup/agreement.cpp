#include "soup/agreement.h"

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "model/nearest.h"

namespace clipnext::soup {
namespace {

namespace fs = std::filesystem;

bool matches(const std::vector<std::string>& globs, const std::string& name) {
  return std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) {
    return fnmatch(glob.c_str(), name.c_str(), 0) == 0;
  });
}

std::string show(const std::string& name, const weights::Tensor& tensor) {
  return name + " " + weights::format_shape(tensor.shape);
}

std::string group(const char* title, const std::vector<std::string>& lines) {
  constexpr size_t kShown = 20;
  if (lines.empty()) return "";
  std::string text = "\n  " + std::string(title) + " (" + std::to_string(lines.size()) + "):";
  for (size_t i = 0; i < std::min(lines.size(), kShown); ++i) text += "\n    " + lines[i];
  if (lines.size() > kShown) {
    text += "\n    and " + std::to_string(lines.size() - kShown) + " more";
  }
  return text;
}

// ---- configurations as facts ----

/// What a configuration says, in words, in a fixed order.
class Facts {
 public:
  template <class T>
  void add(const char* name, const T& value) {
    std::ostringstream text;
    text.precision(9);
    if constexpr (
        requires { value.begin(); } && !requires { value.c_str(); }) {
      for (const auto& item : value) text << (&item == &*value.begin() ? "" : " ") << item;
    } else if constexpr (std::is_enum_v<T>) {
      text << static_cast<int>(value);
    } else {
      text << value;
    }
    facts_.emplace_back(name, text.str());
  }
  const std::vector<std::pair<std::string, std::string>>& list() const { return facts_; }

 private:
  std::vector<std::pair<std::string, std::string>> facts_;
};

void add_vision(const model::ConvNextConfig& c, Facts& facts) {
  facts.add("image tower", c.timm_name);
  facts.add("depths", c.depths);
  facts.add("widths", c.dims);
  facts.add("stem", c.stem);
  facts.add("stem width", c.stem_width);
  facts.add("conv_mlp", c.conv_mlp);
  facts.add("head_norm_first", c.head_norm_first);
  facts.add("width before the head", c.pre_logits);
  facts.add("eps", c.eps);
  facts.add("head", c.head);
  facts.add("head bias", c.head_bias);
  facts.add("head of the trunk", c.trunk_head);
}

void add_vision(const model::VitConfig& c, Facts& facts) {
  facts.add("image tower", "ViT");
  facts.add("image layers", c.layers);
  facts.add("image width", c.width);
  facts.add("image heads", c.heads);
  facts.add("image MLP width", c.mlp_width);
  facts.add("patch", c.patch);
  facts.add("image activation", c.activation);
  facts.add("layer scale", c.layer_scale);
}

void add_vision(const model::ResNetConfig& c, Facts& facts) {
  facts.add("image tower", "ResNet");
  facts.add("layers", c.layers);
  facts.add("image width", c.width);
  facts.add("image heads", c.heads);
}

Facts facts_of(const model::ClipConfig& config) {
  Facts facts;
  facts.add("embed_dim", config.embed_dim);
  std::visit([&](const auto& vision) { add_vision(vision, facts); }, config.vision);
  const model::TextConfig& text = config.text;
  facts.add("context_length", text.context_length);
  facts.add("vocab_size", text.vocab_size);
  facts.add("text width", text.width);
  facts.add("text heads", text.heads);
  facts.add("text layers", text.layers);
  facts.add("text MLP width", text.mlp_width);
  facts.add("text activation", text.activation);
  facts.add("proj_bias", text.projection_bias);
  facts.add("cleaning of texts", text.clean);
  facts.add("logit_bias", config.has_logit_bias);
  facts.add("mean", config.preprocess.mean);
  facts.add("std", config.preprocess.std);
  facts.add("interpolation", config.preprocess.interpolation);
  facts.add("resize_mode", config.preprocess.resize_mode);
  facts.add("fill_color", config.preprocess.fill_color);
  return facts;
}

std::string size_text(const model::ClipConfig& config) {
  return std::to_string(config.image_height) + " x " + std::to_string(config.image_width);
}

// ---- vocabularies ----

// The files' contents; nothing for the vocabulary inside the program.
std::string vocabulary_difference(const Ingredient& first, const Ingredient& other) {
  if (first.tokenizer_folder.empty() && other.tokenizer_folder.empty()) return "";
  constexpr std::array<std::string_view, 3> kCounted = {"tokenizer.json", "vocab.json",
                                                        "merges.txt"};
  const auto content = [](const Ingredient& ingredient, std::string_view name) {
    const fs::path file = ingredient.tokenizer_folder / name;
    std::error_code ignored;
    const bool there = !ingredient.tokenizer_folder.empty() && fs::exists(file, ignored);
    return there ? read_file(file) : std::string();
  };
  for (const std::string_view name : kCounted) {
    const std::string a = content(first, name);
    const std::string b = content(other, name);
    if (a.empty() || b.empty() || a == b) continue;
    return std::string(name) + " is another than " + first.given + "'s";
  }
  return "";
}

std::string join(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += "\n    " + line;
  return text;
}

}  // namespace

bool Selection::averages(const std::string& name) const {
  return (only.empty() || matches(only, name)) && !matches(exclude, name);
}

void check_globs(const Selection& selection, const Ingredient& ingredient) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : ingredient.tensors) names.push_back(name);
  const auto check = [&](const char* option, const std::vector<std::string>& globs) {
    for (const std::string& glob : globs) {
      const bool found = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
        return fnmatch(glob.c_str(), name.c_str(), 0) == 0;
      });
      require(found, option, " ", glob, ": no tensor of ", ingredient.given, " has such a name",
              model::did_you_mean(glob, names));
    }
  };
  check("--only", selection.only);
  check("--exclude", selection.exclude);
}

bool is_left_out(std::string_view name) {
  constexpr std::array<std::string_view, 4> kNames = {"attn_mask", "input_resolution",
                                                      "context_length", "vocab_size"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

Difference compare(const Ingredient& first, const Ingredient& other, const Selection& selection) {
  Difference difference;
  for (const auto& [name, tensor] : first.tensors) {
    if (is_left_out(name) || !selection.averages(name)) continue;
    const auto found = other.tensors.find(name);
    if (found == other.tensors.end()) {
      difference.missing.push_back(show(name, tensor));
    } else if (found->second.shape != tensor.shape) {
      difference.shape.push_back(name + " is " + weights::format_shape(found->second.shape) +
                                 ", the first has " + weights::format_shape(tensor.shape));
    } else if (weights::is_float(found->second.dtype) != weights::is_float(tensor.dtype)) {
      difference.shape.push_back(
          name + " is " + std::string(weights::dtype_name(found->second.dtype)) +
          ", the first has " + std::string(weights::dtype_name(tensor.dtype)));
    }
  }
  for (const auto& [name, tensor] : other.tensors) {
    if (is_left_out(name) || !selection.averages(name) || first.tensors.contains(name)) continue;
    difference.extra.push_back(show(name, tensor));
  }
  return difference;
}

std::string describe(const Difference& difference) {
  return group("missing", difference.missing) + group("extra", difference.extra) +
         group("wrong shape", difference.shape);
}

std::vector<std::string> config_differences(const model::ClipConfig& a,
                                            const model::ClipConfig& b) {
  const Facts of_a = facts_of(a);
  const Facts of_b = facts_of(b);
  std::vector<std::string> differences;
  for (const auto& [name, value] : of_a.list()) {
    for (const auto& [other_name, other] : of_b.list()) {
      if (name == other_name && value != other) {
        differences.push_back(
            std::string(name).append(": ").append(value).append(", ").append(other));
      }
    }
  }
  return differences;
}

std::vector<std::string> disagreements(std::span<const Ingredient> ingredients,
                                       const Selection& selection,
                                       std::optional<int64_t> image_size) {
  std::vector<std::string> found;
  const Ingredient& first = ingredients[0];
  const Ingredient* with_config = nullptr;
  for (const Ingredient& other : ingredients) {
    const std::string against = " beside " + first.given + ":";
    if (const Difference d = compare(first, other, selection); !d.empty()) {
      found.push_back(other.given + ": its tensors differ" + against + describe(d));
    }
    if (const std::string text = vocabulary_difference(first, other); !text.empty()) {
      found.push_back(other.given + ": its vocabulary differs: " + text);
    }
    if (!other.config) continue;
    if (with_config == nullptr) with_config = &other;
    const auto facts = config_differences(*with_config->config, *other.config);
    if (!facts.empty()) {
      found.push_back(other.given + ": its configuration differs (" + with_config->given +
                      "'s first):" + join(facts));
    }
    const std::string size = size_text(*other.config);
    if (!image_size && size != size_text(*with_config->config)) {
      found.push_back(other.given + ": its image size is " + size + ", " + with_config->given +
                      "'s is " + size_text(*with_config->config) +
                      "; say which the result is for: --image-size N");
    }
  }
  return found;
}

void require_agreement(std::span<const Ingredient> ingredients, const Selection& selection,
                       std::optional<int64_t> image_size) {
  const auto found = disagreements(ingredients, selection, image_size);
  if (found.empty()) return;
  std::string text = "these cannot be averaged";
  for (const std::string& paragraph : found) text += "\n  " + paragraph;
  fail(text);
}

}  // namespace clipnext::soup
