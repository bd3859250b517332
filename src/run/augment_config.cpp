#include "run/augment_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "model/nearest.h"
#include "run/parse_options.h"

namespace clipnext::run {
namespace {

const std::vector<std::string> kKeys = {
    "scale",   "ratio",    "color_jitter", "color_jitter_prob", "gray_scale_prob",
    "re_prob", "re_count", "use_timm",     "interpolation"};

[[noreturn]] void complain(std::string_view key, const PythonValue& value,
                           std::string_view wanted) {
  throw UsageError("--aug-cfg " + std::string(key) + "=" + python_repr(value) + ": expected " +
                   std::string(wanted));
}

std::optional<double> number(const PythonValue& value) {
  if (const auto* real = std::get_if<double>(&value.value)) return *real;
  if (const auto* whole = std::get_if<int64_t>(&value.value)) return static_cast<double>(*whole);
  return std::nullopt;
}

std::optional<std::vector<double>> numbers(const PythonValue& value) {
  const auto* sequence = std::get_if<PythonSequence>(&value.value);
  if (sequence == nullptr) return std::nullopt;
  std::vector<double> out;
  for (const PythonValue& item : sequence->items) {
    const auto one = number(item);
    if (!one) return std::nullopt;
    out.push_back(*one);
  }
  return out;
}

std::array<double, 2> range(std::string_view key, const PythonValue& value) {
  const auto pair = numbers(value);
  if (!pair || pair->size() != 2 || !((*pair)[0] > 0) || !((*pair)[0] <= (*pair)[1]) ||
      !std::isfinite((*pair)[1])) {
    complain(key, value, "(LEAST, MOST), both above 0");
  }
  return {(*pair)[0], (*pair)[1]};
}

double probability(std::string_view key, const PythonValue& value) {
  const auto one = number(value);
  if (!one || !(*one >= 0) || !(*one <= 1)) complain(key, value, "a probability");
  return *one;
}

// One number for brightness, contrast and saturation, or three or four of them, the last the hue.
std::array<double, 4> jitter(const PythonValue& value) {
  std::array<double, 4> out{};
  if (const auto one = number(value)) {
    out = {*one, *one, *one, 0};
  } else {
    const auto list = numbers(value);
    if (!list || list->size() < 3 || list->size() > 4) {
      complain("color_jitter", value, "a number, or 3 or 4 of them");
    }
    std::copy(list->begin(), list->end(), out.begin());
  }
  for (const double part : out) {
    if (!(part >= 0) || !std::isfinite(part)) complain("color_jitter", value, "numbers from 0");
  }
  if (out[3] > 0.5) complain("color_jitter", value, "a hue of at most 0.5");
  return out;
}

// A value of None is a key that was not given.
const PythonValue* find(const KeyValues& values, std::string_view key) {
  for (const auto& [name, value] : values) {
    if (name == key && !std::holds_alternative<std::monostate>(value.value)) return &value;
  }
  return nullptr;
}

void check_keys(const KeyValues& values) {
  for (const auto& [key, value] : values) {
    if (std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end()) {
      throw UsageError("--aug-cfg has no key \"" + key + "\"" + model::did_you_mean(key, kKeys));
    }
  }
}

void read_colours(const KeyValues& values, image::AugmentConfig& config,
                  std::vector<std::string>& unused) {
  const PythonValue* colours = find(values, "color_jitter");
  const PythonValue* often = find(values, "color_jitter_prob");
  const PythonValue* gray = find(values, "gray_scale_prob");
  if (config.use_timm) {
    if (colours != nullptr) config.color_jitter = jitter(*colours);
    if (often != nullptr) unused.emplace_back("color_jitter_prob");
    if (gray != nullptr) unused.emplace_back("gray_scale_prob");
    return;
  }
  if (gray != nullptr) config.gray_scale_prob = probability("gray_scale_prob", *gray);
  const double probable = often == nullptr ? 0 : probability("color_jitter_prob", *often);
  if (probable > 0) {
    if (colours == nullptr || numbers(*colours).value_or(std::vector<double>{}).size() != 4) {
      throw UsageError(
          "--aug-cfg color_jitter_prob needs color_jitter with 4 numbers: brightness, contrast, "
          "saturation, hue");
    }
    config.color_jitter = jitter(*colours);
    config.color_jitter_prob = probable;
  } else if (colours != nullptr) {
    unused.emplace_back("color_jitter");
  }
}

void read_erasing(const KeyValues& values, image::AugmentConfig& config,
                  std::vector<std::string>& unused) {
  const PythonValue* often = find(values, "re_prob");
  const PythonValue* count = find(values, "re_count");
  if (!config.use_timm) {
    if (often != nullptr) unused.emplace_back("re_prob");
    if (count != nullptr) unused.emplace_back("re_count");
    return;
  }
  if (often != nullptr) config.re_prob = probability("re_prob", *often);
  if (count != nullptr) {
    const auto* whole = std::get_if<int64_t>(&count->value);
    if (whole == nullptr || *whole < 1 || *whole > 1000) complain("re_count", *count, "1 to 1000");
    config.re_count = static_cast<int>(*whole);
  }
}

void read_filter(const TrainOptions& options, image::AugmentConfig& config,
                 std::vector<std::string>& unused) {
  const PythonValue* filter = find(options.aug_cfg, "interpolation");
  if (filter != nullptr) {
    const auto* name = std::get_if<std::string>(&filter->value);
    if (name == nullptr || *name != "random") {
      complain("interpolation", *filter, "random; else say --image-interpolation");
    }
    if (!config.use_timm) unused.emplace_back("interpolation");
  }
  const bool random = filter != nullptr || options.image_interpolation == "random";
  if (config.use_timm && random) config.filter = image::CropFilter::kRandom;
}

}  // namespace

std::optional<image::AugmentConfig> augment_config(const TrainOptions& options,
                                                   std::vector<std::string>* warnings) {
  const KeyValues& values = options.aug_cfg;
  check_keys(values);
  image::AugmentConfig config;
  if (const PythonValue* timm = find(values, "use_timm")) {
    const auto* truth = std::get_if<bool>(&timm->value);
    const auto* whole = std::get_if<int64_t>(&timm->value);
    if (truth == nullptr && whole == nullptr) complain("use_timm", *timm, "True or False");
    config.use_timm = truth != nullptr ? *truth : *whole != 0;
  }
  std::vector<std::string> unused;
  if (const PythonValue* scale = find(values, "scale")) {
    config.scale = range("scale", *scale);
    if (config.scale[1] > 1) complain("scale", *scale, "shares of the picture's area, at most 1");
  }
  if (const PythonValue* ratio = find(values, "ratio")) {
    if (config.use_timm) {
      config.ratio = range("ratio", *ratio);
    } else {
      unused.emplace_back("ratio");
    }
  }
  read_colours(values, config, unused);
  read_erasing(values, config, unused);
  read_filter(options, config, unused);
  if (warnings != nullptr) {
    for (const std::string& key : unused) {
      warnings->push_back("--aug-cfg " + key + " has no effect " +
                          (config.use_timm         ? "with use_timm=True"
                           : key == "color_jitter" ? "without color_jitter_prob"
                                                   : "without use_timm=True"));
    }
    if (options.no_augment && !values.empty()) {
      warnings->emplace_back("--aug-cfg has no effect with --no-augment");
    }
  }
  if (options.no_augment) return std::nullopt;
  return config;
}

}  // namespace clipnext::run
