#include "infer/calibrate.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"
#include "infer/clip.h"
#include "infer/smooth.h"
#include "model/bind.h"

namespace clipnext::infer {
namespace {

constexpr ComputeType kTypes[] = {ComputeType::kFp32, ComputeType::kBf16, ComputeType::kInt8};
constexpr int64_t kChannelImages = 32;  // that channels are measured on
constexpr int64_t kChannelTexts = 128;
constexpr size_t kWorstImages = 8;  // that single layers are measured on
constexpr size_t kWorstTexts = 32;

/// Pictures or texts of the set, copied.
struct Items {
  std::vector<uint8_t> pixels;
  int64_t h = 0, w = 0;
  model::TokenRows texts;
};

/// One of the two towers with what it is tried on.
struct Tower {
  const char* name;
  bool images;
  std::vector<std::string> matrices;
  std::vector<float> reference;  // vectors of the whole set in fp32
};

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
std::vector<size_t> smallest(const std::vector<double>& values, size_t count) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return values[a] < values[b]; });
  order.resize(std::min(order.size(), count));
  return order;
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
        kernels_(kernels),
        dim_(static_cast<size_t>(config.embed_dim)) {
    check();
    images_ = {.name = "image", .images = true, .matrices = {}, .reference = {}};
    texts_ = {.name = "text", .images = false, .matrices = {}, .reference = {}};
    auto names = model::make_params<Weight>(config);
    const auto add_to = [](Tower& tower) {
      return [&tower](Weight&, const model::ParamInfo& info) {
        if (matrix_shape(info).n > 0) tower.matrices.push_back(info.name);
      };
    };
    model::visit_image(names, config, add_to(images_));
    model::visit_text(names, config, add_to(texts_));
  }

  Calibration run() {
    pack_all();
    Clip reference(config_, compose({}), pool_, kernels_);
    images_.reference = embed(reference, images_);
    texts_.reference = embed(reference, texts_);
    result_.types = choose_types(config_, ComputeType::kInt8, kernels_);
    try_smoothing(reference);
    result_.images = search(images_);
    result_.texts = search(texts_);
    result_.params = compose(result_.types);
    if (!set_.labels.empty()) {
      Clip narrow(config_, result_.params, pool_, kernels_);
      result_.accuracy = accuracy(predict(reference, images_.reference), narrow);
    }
    return std::move(result_);
  }

 private:
  /// A prediction and how far it is ahead of the second.
  struct Guess {
    int32_t label = 0;
    float margin = 0;
  };

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

  void say(const std::string& what) const {
    throw_if_interrupted();
    if (options_.progress) options_.progress(what);
  }

  // ---- models of mixed types ----

  /// Every parameter in every type, in visiting order.
  void pack_all() {
    for (const ComputeType type : kTypes) {
      LayerTypes types;
      for (const auto& info : model::list_params(config_)) types[info.name] = type;
      Params params = pack(config_, tensors_, types, kernels_, pool_);
      auto& weights = packed_[static_cast<size_t>(type)];
      weights.clear();
      model::visit(params, config_, [&](Weight& weight, const model::ParamInfo&) {
        weights.push_back(std::move(weight));
      });
    }
  }

  Params compose(const LayerTypes& types) const {
    auto params = model::make_params<Weight>(config_);
    size_t next = 0;
    model::visit(params, config_, [&](Weight& weight, const model::ParamInfo& info) {
      weight = packed_[static_cast<size_t>(layer_type(types, info.name))][next++];
    });
    return params;
  }

  std::vector<float> embed(Clip& clip, const Tower& tower) const {
    return tower.images ? embed(clip, set_.images) : embed(clip, set_.texts);
  }
  std::vector<float> embed(Clip& clip, const model::PixelBatch& images) const {
    std::vector<float> out(static_cast<size_t>(images.n) * dim_);
    clip.embed_images(images, out.data());
    return out;
  }
  std::vector<float> embed(Clip& clip, const model::TokenRows& texts) const {
    std::vector<float> out(static_cast<size_t>(texts.size()) * dim_);
    clip.embed_texts(texts, out.data());
    return out;
  }

  /// Of each item of the set.
  std::vector<double> cosines_with(const LayerTypes& types, const Tower& tower) const {
    Clip clip(config_, compose(types), pool_, kernels_);
    return cosines(embed(clip, tower), tower.reference, dim_);
  }

  // ---- smoothing ----

  void try_smoothing(Clip& reference) {
    say("measuring channels");
    model::PixelBatch some = set_.images;
    some.n = std::min(some.n, kChannelImages);
    model::TokenRows few;
    for (int64_t i = 0; i < std::min(set_.texts.size(), kChannelTexts); ++i) {
      few.add(set_.texts.row(i));
    }
    const double before = mean_cosine();
    const auto plain_tensors = tensors_;
    const auto plain = packed_;
    smooth(config_, measure_channels(reference, some, few), result_.types, tensors_);
    pack_all();
    if (mean_cosine() >= before) return;
    tensors_ = plain_tensors;
    packed_ = plain;
  }

  /// Of both towers as choose_types has them.
  double mean_cosine() const {
    return summary(cosines_with(result_.types, images_)).mean_cosine +
           summary(cosines_with(result_.types, texts_)).mean_cosine;
  }

  // ---- the search for types ----

  /// A copy of `types` in which these matrices of the tower have `type`.
  template <class Names>
  static LayerTypes with(LayerTypes types, const Names& names, ComputeType type) {
    for (const auto& name : names) types[name] = type;
    return types;
  }

  /// Widens the fewest of the tower's matrices, in the order of what each costs alone, that the
  /// contract needs.
  Fidelity search(const Tower& tower) {
    std::vector<double> all = cosines_with(result_.types, tower);
    Fidelity now = summary(all);
    report(tower, now, 0);
    if (now.min_cosine >= options_.min_cosine) return now;
    for (const ComputeType wide : {ComputeType::kBf16, ComputeType::kFp32}) {
      if (wide == ComputeType::kBf16 && !kernels_.fast_bf16) continue;
      LayerTypes types = result_.types;
      std::vector<std::string> narrow;
      for (const std::string& name : tower.matrices) {
        ComputeType& type = types[name];
        if (type == ComputeType::kInt8) narrow.push_back(name);
        if (type != ComputeType::kInt8) type = wide;
      }
      now = summary(cosines_with(with(types, narrow, wide), tower));
      if (now.min_cosine < options_.min_cosine) continue;
      widen(tower, types, narrow, wide, all, now);
      return now;
    }
    fail("not even the ", tower.name, " tower in fp32 keeps a cosine of ", options_.min_cosine);
  }

  void widen(const Tower& tower, const LayerTypes& types, const std::vector<std::string>& narrow,
             ComputeType wide, const std::vector<double>& cosines, Fidelity& now) {
    std::vector<Widened> order = damage(tower, types, narrow, wide, cosines);
    const auto first = [&](size_t count) {
      LayerTypes some = types;
      for (size_t i = 0; i < count; ++i) some[order[i].name] = wide;
      return some;
    };
    // `passes` widened are enough, `fails` are not.
    size_t fails = 0;
    size_t passes = order.size();
    for (size_t step = 1; passes - fails > 1;) {
      const size_t count =
          passes == order.size() ? std::min(fails + step, passes - 1) : (fails + passes) / 2;
      step *= 2;
      const Fidelity tried = summary(cosines_with(first(count), tower));
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
  }

  /// What each matrix costs: it alone in 8 bits, on the items that all of them together hurt most;
  /// the costliest first.
  std::vector<Widened> damage(const Tower& tower, const LayerTypes& types,
                              const std::vector<std::string>& narrow, ComputeType wide,
                              const std::vector<double>& cosines) {
    const auto worst = smallest(cosines, tower.images ? kWorstImages : kWorstTexts);
    const Items items = pick(worst);
    std::vector<float> reference;
    for (const size_t i : worst) {
      const float* vector = tower.reference.data() + i * dim_;
      reference.insert(reference.end(), vector, vector + dim_);
    }
    const LayerTypes base = with(types, narrow, wide);
    std::vector<Widened> order;
    for (const std::string& name : narrow) {
      say(std::string(tower.name) + " tower: " + name);
      Clip clip(config_, compose(with(base, std::vector{name}, ComputeType::kInt8)), pool_,
                kernels_);
      const auto vectors =
          tower.images
              ? embed(clip, model::PixelBatch{items.pixels.data(),
                                              static_cast<int64_t>(worst.size()), items.h, items.w})
              : embed(clip, items.texts);
      const double mean = summary(infer::cosines(vectors, reference, dim_)).mean_cosine;
      order.push_back({.name = name, .type = wide, .error = 1 - mean});
    }
    std::stable_sort(order.begin(), order.end(),
                     [](const Widened& a, const Widened& b) { return a.error > b.error; });
    return order;
  }

  /// Those pictures and texts of the set that exist.
  Items pick(const std::vector<size_t>& indices) const {
    Items items{.pixels = {}, .h = set_.images.h, .w = set_.images.w, .texts = {}};
    const int64_t picture = items.h * items.w * 3;
    for (const size_t index : indices) {
      const auto i = static_cast<int64_t>(index);
      if (i < set_.images.n) {
        const uint8_t* pixels = set_.images.pixels + i * picture;
        items.pixels.insert(items.pixels.end(), pixels, pixels + picture);
      }
      if (i < set_.texts.size()) items.texts.add(set_.texts.row(i));
    }
    return items;
  }

  void report(const Tower& tower, const Fidelity& fidelity, size_t widened) const {
    say(std::string(tower.name) + " tower, " + std::to_string(widened) +
        " matrices widened: smallest cosine " + std::to_string(fidelity.min_cosine));
  }

  // ---- accuracy ----

  std::vector<Guess> predict(Clip& clip, const std::vector<float>& images) const {
    const std::vector<float> rows = embed(clip, set_.classes);
    const size_t classes = rows.size() / dim_ / static_cast<size_t>(set_.templates);
    std::vector<float> means(classes * dim_);
    for (size_t i = 0; i < rows.size(); ++i) {
      means[i / dim_ / static_cast<size_t>(set_.templates) * dim_ + i % dim_] += rows[i];
    }
    kernels_.l2_normalize(means.data(), static_cast<int64_t>(classes), config_.embed_dim);
    std::vector<Guess> guesses;
    for (size_t at = 0; at < images.size(); at += dim_) {
      float best = -2;
      float second = -2;
      Guess guess;
      for (size_t j = 0; j < classes; ++j) {
        const float cosine =
            std::inner_product(means.begin() + static_cast<int64_t>(j * dim_),
                               means.begin() + static_cast<int64_t>((j + 1) * dim_),
                               images.begin() + static_cast<int64_t>(at), 0.0F);
        if (cosine > best) {
          second = std::exchange(best, cosine);
          guess.label = static_cast<int32_t>(j);
        } else {
          second = std::max(second, cosine);
        }
      }
      guess.margin = best - second;
      guesses.push_back(guess);
    }
    return guesses;
  }

  Accuracy accuracy(const std::vector<Guess>& fp32, Clip& narrow) const {
    const std::vector<Guess> int8 = predict(narrow, embed(narrow, set_.images));
    int64_t right32 = 0, right8 = 0, equal = 0;
    Accuracy accuracy;
    for (size_t i = 0; i < fp32.size(); ++i) {
      right32 += fp32[i].label == set_.labels[i] ? 1 : 0;
      right8 += int8[i].label == set_.labels[i] ? 1 : 0;
      if (fp32[i].margin <= kClearMargin) continue;
      ++accuracy.clear;
      equal += fp32[i].label == int8[i].label ? 1 : 0;
    }
    const auto n = static_cast<double>(fp32.size());
    accuracy.fp32 = static_cast<double>(right32) / n;
    accuracy.int8 = static_cast<double>(right8) / n;
    if (accuracy.clear > 0) {
      accuracy.agreement = static_cast<double>(equal) / static_cast<double>(accuracy.clear);
    }
    return accuracy;
  }

  const model::ClipConfig& config_;
  model::ClipParams<weights::Tensor> tensors_;
  const CalibrationSet& set_;
  const CalibrationOptions& options_;
  ThreadPool& pool_;
  const kernels::Kernels& kernels_;
  size_t dim_;
  Tower images_{}, texts_{};
  std::array<std::vector<Weight>, std::size(kTypes)> packed_;
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
