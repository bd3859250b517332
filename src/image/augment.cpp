#include "image/augment.h"

#include "base/error.h"
#include "image/color_jitter.h"
#include "image/convert.h"
#include "image/random_crop.h"
#include "image/random_erasing.h"
#include "image/resize_region.h"

namespace clipnext::image {

namespace {

void check_probability(double value, const char* name) {
  require(value >= 0 && value <= 1, "augmentation: ", name, " is ", value, "; expected 0 to 1");
}

void check_range(const std::array<double, 2>& range, double least, const char* name) {
  constexpr double kMost = 1e6;  // and so no infinity and no NaN
  require(range[0] >= least && range[0] <= range[1] && range[1] <= kMost, "augmentation: ", name,
          " is (", range[0], ", ", range[1], "); expected two numbers from ", least,
          " up, the smaller one first");
}

Image crop_and_resize(const Image& rgb, const PreprocessConfig& preprocess,
                      const AugmentConfig& config, RandomStream& random) {
  const std::array<double, 2> ratio = config.use_timm ? config.ratio : AugmentConfig{}.ratio;
  const Region part = draw_crop(rgb.width, rgb.height, config.scale, ratio, random);
  Filter filter = config.use_timm ? preprocess.interpolation : Filter::kBicubic;
  if (config.use_timm && config.filter == CropFilter::kRandom) {
    filter = random.below(2) == 0 ? Filter::kBilinear : Filter::kBicubic;
  }
  return resize_part(rgb, part, preprocess.width, preprocess.height, filter);
}

void change_colors(const AugmentConfig& config, RandomStream& random, Image& rgb) {
  const bool by_chance = !config.use_timm;
  if (config.color_jitter && (!by_chance || random.unit() < config.color_jitter_prob)) {
    apply(draw_color_jitter(*config.color_jitter, random), rgb);
  }
  if (by_chance && random.unit() < config.gray_scale_prob) to_grey(rgb);
}

}  // namespace

void check(const AugmentConfig& config) {
  check_range(config.scale, 1e-6, "scale");
  check_range(config.ratio, 1e-6, "ratio");
  check_probability(config.color_jitter_prob, "color_jitter_prob");
  check_probability(config.gray_scale_prob, "gray_scale_prob");
  check_probability(config.re_prob, "re_prob");
  require(config.re_count >= 1, "augmentation: re_count is ", config.re_count,
          "; expected at least 1");
  if (config.color_jitter) {
    for (const double limit : *config.color_jitter) {
      require(limit >= 0 && limit <= 1e6, "augmentation: color_jitter holds ", limit,
              "; expected numbers from 0 up");
    }
    const double hue = (*config.color_jitter)[ColorJitter::kHue];
    require(hue <= 0.5, "augmentation: the hue of color_jitter is ", hue, "; expected 0 to 0.5");
  }
  require(config.use_timm || config.color_jitter_prob == 0 || config.color_jitter.has_value(),
          "augmentation: color_jitter_prob is ", config.color_jitter_prob,
          ", but there is no color_jitter; give color_jitter=(brightness, contrast, saturation, "
          "hue)");
}

void augment(const Image& source, const PreprocessConfig& preprocess, const AugmentConfig& config,
             RandomStream& random, float* out) {
  require(source.width > 0 && source.height > 0, "augmentation: the picture is empty");
  Image pixels = source.mode == Mode::kRgb
                     ? crop_and_resize(source, preprocess, config, random)
                     : crop_and_resize(to_rgb(source), preprocess, config, random);
  change_colors(config, random, pixels);
  normalize(pixels, preprocess, out);
  if (!config.use_timm || config.re_prob == 0) return;
  for (const Region& box :
       draw_erasing(pixels.width, pixels.height, config.re_prob, config.re_count, random)) {
    erase(box, pixels.width, random, out);
  }
}

void normalize(const Image& pixels, const PreprocessConfig& config, float* out) {
  const auto table = normalization_table(config);
  const uint8_t* in = pixels.data.data();
  const uint8_t* const end = in + pixels.data.size();
  for (; in != end; in += 3, out += 3) {
    for (size_t c = 0; c < 3; ++c) out[c] = table[c][in[c]];
  }
}

}  // namespace clipnext::image
