#include "infer/calibrate.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"
#include "infer/clip.h"
#include "infer/guesses.h"
#include "infer/packings.h"
#include "infer/smooth.h"
#include "model/bind.h"

namespace clipnext::infer {
namespace {

constexpr int64_t kChannelImages = 16;  // that channels are measured on
constexpr int64_t kChannelTexts = 128;
constexpr size_t kWorstImages = 8;  // that single layers are measured on
constexpr size_t kWorstTexts = 32;
// What is embedded at once, between looks at the interrupt.
constexpr int64_t kPixelsAtOnce = int64_t{1} << 19;
constexpr int64_t kTextsAtOnce = 1024;

/// Vectors [n, dim] against others.
std::vector<double> cosines(std::span<const float> x, std::span<const float> y, size_t dim) {
  std::vector<double> result;
  for (size_t at = 0; at < x.size(); at += dim) {
    double xy = 0, xx = 0, yy = 0;
    for (size_t i = at; i < at + dim; ++i) {
      xy += double{x[i]} * double{y[i]};
      xx += double{x[i]} * double{x[i]};
      yy += double{y[i]} * double{y[i]};
    }
    result.push_back(xy / std::sqrt(xx * yy));
  }
  return result;
}

Fidelity summary(const std::vector<double>& cosines) {
  return {.min_cosine = *std::min_element(cosines.begin(), cosines.end()),
          .mean_cosine = std::accumulate(cosines.begin(), cosines.end(), 0.0) /
                         static_cast<double>(cosines.size())};
}

/// Indices of the smallest values, at most `count`.
std::vector<int64_t> smallest(const std::vector<double>& values, size_t count) {
  std::vector<int64_t> order(values.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return values[static_cast<size_t>(a)] < values[static_cast<size_t>(b)];
  });
  order.resize(std::min(order.size(), count));
  return order;
}

model::TokenRows rows_of(const model::TokenRows& all, int64_t begin, int64_t end) {
  model::TokenRows some;
  for (int64_t i = begin; i < end; ++i) some.add(all.row(i));
  return some;
}

/// What one tower is tried on: pictures or texts.
struct Inputs {
  model::PixelBatch images{};
  model::TokenRows texts;

  int64_t count() const { return images.n + texts.size(); }
};

/// Copies of some inputs.
class Sample {
 public:
  Sample(const Inputs& all, const std::vector<int64_t>& indices) {
    const int64_t picture = all.images.h * all.images.w * 3;
    for (const int64_t i : indices) {
      if (all.images.n == 0) {
        inputs_.texts.add(all.texts.row(i));
      } else {
        const uint8_t* pixels = all.images.pixels + i * picture;
        pixels_.insert(pixels_.end(), pixels, pixels + picture);
      }
    }
    if (all.images.n == 0) return;
    inputs_.images = {pixels_.data(), static_cast<int64_t>(indices.size()), all.images.h,
                      all.images.w};
  }
  Sample(const Sample&) = delete;
  Sample& operator=(const Sample&) = delete;
  const Inputs& inputs() const { return inputs_; }

 private:
  std::vector<uint8_t> pixels_;
  Inputs inputs_;
};

struct Tower {
  std::string name;  // "image"
  Inputs inputs;
  std::vector<std::string> matrices;
  std::vector<float> reference;  // the inputs' vectors in fp32
  std::vector<double> narrow;    // their cosines in the types of choose_types
};

kernels::Kernels with_fewest_levels(kernels::Kernels kernels) {
  kernels.u8_levels = kernels::kFewestU8Levels;
  return kernels;
}

class Calibrator {
 public:
  Calibrator(const model::ClipConfig& config, const weights::TensorMap& tensors,
             const CalibrationSet& set, const CalibrationOptions& options, ThreadPool& pool,
             const std::string& source, const kernels::Kernels& kernels)
      : config_(config),
        tensors_(model::bind_tensors(config, tensors, source)),
        set_(set),
        options_(options),
        pool_(pool),
        kernels_(with_fewest_levels(kernels)),
        dim_(static_cast<size_t>(config.embed_dim)) {
    check();
    image_.name = "image";
    image_.inputs.images = set.images;
    text_.name = "text";
    text_.inputs.texts = set.texts;
    auto names = model::make_params<Weight>(config);
    const auto add_to = [](Tower& tower) {
      return [&tower](Weight&, const model::ParamInfo& info) {
        if (matrix_shape(info).n > 0) tower.matrices.push_back(info.name);
      };
    };
    model::visit_image(names, config, add_to(image_));
    model::visit_text(names, config, add_to(text_));
  }

  Calibration run() {
    const ChannelSizes channels = measure_reference();
    result_.types = choose_types(config_, ComputeType::kInt8);
    Packings packings = choose_scales(channels);
    result_.images = search(packings, image_);
    result_.texts = search(packings, text_);
    result_.params = packings.compose(result_.types);
    if (!set_.labels.empty()) measure_accuracy();
    return std::move(result_);
  }

 private:
  void check() const {
    require(set_.images.n > 0 && set_.texts.size() > 0,
            "calibration takes at least one picture and one text");
    require(options_.min_cosine <= 1, "no cosine is above 1, least of all ", options_.min_cosine);
    if (set_.labels.empty()) return;
    require(static_cast<int64_t>(set_.labels.size()) == set_.images.n,
            "calibration: ", set_.labels.size(), " labels for ", set_.images.n, " pictures");
    require(
        set_.templates > 0 && set_.classes.size() > 0 && set_.classes.size() % set_.templates == 0,
        "calibration: ", set_.classes.size(), " prompts are not ", set_.templates,
        " for each class");
  }

  void progress(const std::string& pass, int64_t done, int64_t total) const {
    throw_if_interrupted();
    if (options_.progress && !pass.empty()) options_.progress(pass, done, total);
  }

  /// `pass`: for progress; "" within another pass.
  std::vector<float> embed(Clip& clip, const Inputs& inputs, const std::string& pass) const {
    std::vector<float> out(static_cast<size_t>(inputs.count()) * dim_);
    const int64_t dim = config_.embed_dim;
    const model::PixelBatch& all = inputs.images;
    const int64_t group = std::max<int64_t>(1, kPixelsAtOnce / std::max<int64_t>(1, all.h * all.w));
    for (int64_t i = 0; i < all.n; i += group) {
      progress(pass, i, inputs.count());
      const uint8_t* pixels = all.pixels + i * all.h * all.w * 3;
      clip.embed_images({pixels, std::min(group, all.n - i), all.h, all.w}, out.data() + i * dim);
    }
    const int64_t texts = inputs.texts.size();
    for (int64_t i = 0; i < texts; i += kTextsAtOnce) {
      progress(pass, i, inputs.count());
      clip.embed_texts(rows_of(inputs.texts, i, std::min(texts, i + kTextsAtOnce)),
                       out.data() + i * dim);
    }
    progress(pass, inputs.count(), inputs.count());
    return out;
  }

  /// The vectors and the answers of the fp32 model, and the channels of its activations. Its packed
  /// weights, the largest there are, are gone afterwards.
  ChannelSizes measure_reference() {
    Clip reference(config_, pack(config_, tensors_, {}, kernels_, pool_), pool_, kernels_);
    for (Tower* tower : {&image_, &text_}) {
      tower->reference = embed(reference, tower->inputs, tower->name + " tower in fp32");
    }
    if (!set_.labels.empty()) {
      const auto prompts = embed(reference, {.texts = set_.classes}, "classes in fp32");
      guesses_ = guess(kernels_, image_.reference, prompts, set_.templates, config_.embed_dim);
    }
    return measure_channels(reference);
  }

  ChannelSizes measure_channels(Clip& reference) const {
    const int64_t images = std::min(set_.images.n, kChannelImages);
    const int64_t texts = std::min(set_.texts.size(), kChannelTexts);
    ChannelSizes sizes;
    for (int64_t i = 0; i < images; ++i) {
      progress("channels", i, images + texts);
      model::PixelBatch one = set_.images;
      one.pixels += i * one.h * one.w * 3;
      one.n = 1;
      add_channels(reference, one, sizes);
    }
    for (int64_t i = 0; i < texts; ++i) {
      progress("channels", images + i, images + texts);
      add_channels(reference, set_.texts.row(i), sizes);
    }
    progress("channels", images + texts, images + texts);
    return sizes;
  }

  std::vector<double> cosines_with(Packings& packings, const LayerTypes& types, const Tower& tower,
                                   const std::string& pass) const {
    Clip clip(config_, packings.compose(types), pool_, kernels_);
    return cosines(embed(clip, tower.inputs, tower.name + " tower " + pass), tower.reference, dim_);
  }

  /// The parameters as they are, or smoothed: what is nearer to fp32 on average.
  Packings choose_scales(const ChannelSizes& channels) {
    Packings plain(config_, tensors_, kernels_, pool_);
    const double before = measure_narrow(plain, "in int8");
    const auto plain_cosines = std::pair(image_.narrow, text_.narrow);
    smooth(config_, channels, result_.types, tensors_);
    Packings smoothed(config_, std::move(tensors_), kernels_, pool_);
    result_.smoothed = measure_narrow(smoothed, "in int8, smoothed") >= before;
    if (result_.smoothed) return smoothed;
    std::tie(image_.narrow, text_.narrow) = plain_cosines;
    return plain;
  }

  /// Fills Tower::narrow; returns a measure of how near the two are to fp32.
  double measure_narrow(Packings& packings, const std::string& pass) {
    double sum = 0;
    for (Tower* tower : {&image_, &text_}) {
      tower->narrow = cosines_with(packings, result_.types, *tower, pass);
      sum += summary(tower->narrow).mean_cosine;
    }
    return sum;
  }

  // ---- the search for types ----

  /// A copy of `types` in which these matrices have `type`.
  static LayerTypes with(LayerTypes types, std::span<const std::string> names, ComputeType type) {
    for (const std::string& name : names) types[name] = type;
    return types;
  }

  /// Widens the fewest of the tower's matrices, in the order of what each costs alone, that the
  /// contract needs.
  Fidelity search(Packings& packings, const Tower& tower) {
    Fidelity now = summary(tower.narrow);
    report(tower, now, 0);
    if (now.min_cosine >= options_.min_cosine) return now;
    for (const ComputeType wide : {ComputeType::kBf16, ComputeType::kFp32}) {
      LayerTypes types = result_.types;
      std::vector<std::string> narrow;
      for (const std::string& name : tower.matrices) {
        ComputeType& type = types[name];
        if (type == ComputeType::kInt8) narrow.push_back(name);
        if (type != ComputeType::kInt8) type = wide;
      }
      const std::string pass = std::string("in ") + compute_type_name(wide);
      now = summary(cosines_with(packings, with(types, narrow, wide), tower, pass));
      if (now.min_cosine < options_.min_cosine) continue;
      return widen(packings, tower, types, damage(packings, tower, types, narrow, wide), now);
    }
    fail("not even the ", tower.name, " tower in fp32 keeps a cosine of ", options_.min_cosine);
  }

  /// The fewest first ones of `order` that are enough; all of them are, and give `now`.
  Fidelity widen(Packings& packings, const Tower& tower, const LayerTypes& types,
                 std::vector<Widened> order, Fidelity now) {
    const auto first = [&](size_t count) {
      LayerTypes some = types;
      for (size_t i = 0; i < count; ++i) some[order[i].name] = order[i].type;
      return some;
    };
    // `passes` widened are enough, `fails` are not.
    size_t fails = 0;
    size_t passes = order.size();
    for (size_t step = 1; passes - fails > 1;) {
      const size_t count =
          passes == order.size() ? std::min(fails + step, passes - 1) : (fails + passes) / 2;
      step *= 2;
      const Fidelity tried =
          summary(cosines_with(packings, first(count), tower, "with some matrices wider"));
      report(tower, tried, count);
      if (tried.min_cosine >= options_.min_cosine) {
        passes = count;
        now = tried;
      } else {
        fails = count;
      }
    }
    result_.types = first(passes);
    order.resize(passes);
    result_.widened.insert(result_.widened.end(), order.begin(), order.end());
    return now;
  }

  /// What each matrix costs: it alone in 8 bits, on the inputs that all of them together hurt most;
  /// the costliest first.
  std::vector<Widened> damage(Packings& packings, const Tower& tower, const LayerTypes& types,
                              const std::vector<std::string>& narrow, ComputeType wide) const {
    const auto worst =
        smallest(tower.narrow, tower.inputs.images.n > 0 ? kWorstImages : kWorstTexts);
    const Sample sample(tower.inputs, worst);
    std::vector<float> reference;
    for (const int64_t i : worst) {
      const float* vector = tower.reference.data() + i * config_.embed_dim;
      reference.insert(reference.end(), vector, vector + dim_);
    }
    const LayerTypes base = with(types, narrow, wide);
    const std::string pass = tower.name + " tower, each matrix alone in int8";
    std::vector<Widened> order;
    for (const std::string& name : narrow) {
      progress(pass, static_cast<int64_t>(order.size()), static_cast<int64_t>(narrow.size()));
      Clip clip(config_, packings.compose(with(base, {&name, 1}, ComputeType::kInt8)), pool_,
                kernels_);
      const auto vectors = embed(clip, sample.inputs(), "");
      const double mean = summary(cosines(vectors, reference, dim_)).mean_cosine;
      order.push_back({.name = name, .type = wide, .error = 1 - mean});
    }
    progress(pass, static_cast<int64_t>(order.size()), static_cast<int64_t>(narrow.size()));
    std::stable_sort(order.begin(), order.end(),
                     [](const Widened& a, const Widened& b) { return a.error > b.error; });
    return order;
  }

  void report(const Tower& tower, const Fidelity& fidelity, size_t widened) const {
    if (!options_.report) return;
    options_.report(tower.name + " tower, " + std::to_string(widened) +
                    " matrices widened: smallest cosine " + std::to_string(fidelity.min_cosine));
  }

  void measure_accuracy() {
    Clip clip(config_, result_.params, pool_, kernels_);
    const auto images = embed(clip, image_.inputs, "image tower, final");
    const auto prompts = embed(clip, {.texts = set_.classes}, "classes, final");
    const auto int8 = guess(kernels_, images, prompts, set_.templates, config_.embed_dim);
    Accuracy found{.fp32 = accuracy(guesses_, set_.labels), .int8 = accuracy(int8, set_.labels)};
    int64_t equal = 0;
    for (size_t i = 0; i < int8.size(); ++i) {
      if (double{guesses_[i].margin} <= kClearMargin) continue;
      ++found.clear;
      equal += guesses_[i].label == int8[i].label ? 1 : 0;
    }
    if (found.clear > 0) {
      found.agreement = static_cast<double>(equal) / static_cast<double>(found.clear);
    }
    result_.accuracy = found;
  }

  const model::ClipConfig& config_;
  model::ClipParams<weights::Tensor> tensors_;
  const CalibrationSet& set_;
  const CalibrationOptions& options_;
  ThreadPool& pool_;
  const kernels::Kernels kernels_;
  size_t dim_;
  Tower image_, text_;
  std::vector<Guess> guesses_;  // of the fp32 model
  Calibration result_;
};

}  // namespace

Calibration calibrate(const model::ClipConfig& config, const weights::TensorMap& tensors,
                      const CalibrationSet& set, const CalibrationOptions& options,
                      ThreadPool& pool, const std::string& source,
                      const kernels::Kernels& kernels) {
  return Calibrator(config, tensors, set, options, pool, source, kernels).run();
}

}  // namespace clipnext::infer
