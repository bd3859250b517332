#include "eval/diagnose.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/error.h"

namespace clipnext::eval {
namespace {

const char* mode_name(image::ResizeMode mode) {
  switch (mode) {
    case image::ResizeMode::kShortest:
      return "shortest";
    case image::ResizeMode::kLongest:
      return "longest";
    case image::ResizeMode::kSquash:
      return "squash";
  }
  return "";
}

const char* filter_name(image::Filter filter) {
  switch (filter) {
    case image::Filter::kBilinear:
      return "bilinear";
    case image::Filter::kBicubic:
      return "bicubic";
    case image::Filter::kLanczos:
      return "lanczos";
  }
  return "";
}

struct Normalization {
  const char* name;
  std::array<float, 3> mean, std;
};
const image::PreprocessConfig kOpenAi;  // the defaults
const std::array kNormalizations = {
    Normalization{"OpenAI's", kOpenAi.mean, kOpenAi.std},
    Normalization{"ImageNet's", {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}},
    Normalization{"Inception's (0.5)", {0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}},
};

// An embedder that has pictures preprocessed in another way.
class OtherPreprocessing final : public model::Embedder {
 public:
  OtherPreprocessing(model::Embedder& inner, model::ClipConfig config)
      : inner_(inner), config_(std::move(config)) {}
  const model::ClipConfig& config() const override { return config_; }
  float logit_scale() const override { return inner_.logit_scale(); }
  float logit_bias() const override { return inner_.logit_bias(); }
  void embed_images(const model::PixelBatch& pixels, float* out, bool normalize) override {
    inner_.embed_images(pixels, out, normalize);
  }
  void embed_texts(const model::TokenRows& tokens, float* out, bool normalize) override {
    inner_.embed_texts(tokens, out, normalize);
  }

 private:
  model::Embedder& inner_;
  model::ClipConfig config_;
};

template <class T>
std::vector<T> every_so_manieth(const std::vector<T>& all, int64_t most) {
  std::vector<T> some;
  some.reserve(all.size());
  for (const int64_t i : spread(static_cast<int64_t>(all.size()), std::max<int64_t>(most, 1))) {
    some.push_back(all[static_cast<size_t>(i)]);
  }
  return some;
}

// As many of the prompts of each class as leave at most `most` in all.
datasets::Prompts thinned(const datasets::Prompts& prompts, int64_t classes, int64_t most) {
  const int64_t each = most / std::max<int64_t>(classes, 1);
  datasets::Prompts some{.templates = every_so_manieth(prompts.templates, each),
                         .by_class = prompts.by_class};
  for (auto& [name, list] : some.by_class) list = every_so_manieth(list, each);
  return some;
}

bool same_prompts(const datasets::Prompts& a, const datasets::Prompts& b) {
  return a.templates == b.templates && a.by_class == b.by_class;
}

model::Activation other(model::Activation activation) {
  return activation == model::Activation::kGelu ? model::Activation::kQuickGelu
                                                : model::Activation::kGelu;
}

// Measures variants against the set-up as it was.
class Trial {
 public:
  Trial(const MissedFigure& missed, const ThreadPool& pool)
      : missed_(missed),
        pool_(pool),
        base_(missed.make_embedder(missed.config)),
        images_(embed(*base_)),
        texts_(missed.embed_texts(*base_, missed.prompts)),
        score_(missed.score(images_, texts_)) {}

  void resize_modes(Diagnosis& out) {
    for (const auto mode :
         {image::ResizeMode::kShortest, image::ResizeMode::kLongest, image::ResizeMode::kSquash}) {
      model::ClipConfig config = missed_.config;
      const auto before = std::exchange(config.preprocess.resize_mode, mode);
      if (before == mode) continue;
      const std::string name = mode_name(mode);
      preprocessing(config, "resize mode " + name + " instead of " + mode_name(before),
                    "Set \"resize_mode\": \"" + name +
                        "\" in preprocess_cfg of the model's open_clip_config.json.",
                    out);
    }
  }

  void interpolations(Diagnosis& out) {
    for (const auto filter : {image::Filter::kBicubic, image::Filter::kBilinear}) {
      model::ClipConfig config = missed_.config;
      const auto before = std::exchange(config.preprocess.interpolation, filter);
      if (before == filter) continue;
      const std::string name = filter_name(filter);
      preprocessing(config, "interpolation " + name + " instead of " + filter_name(before),
                    "Set \"interpolation\": \"" + name +
                        "\" in preprocess_cfg of the model's open_clip_config.json.",
                    out);
    }
  }

  void normalizations(Diagnosis& out) {
    for (const Normalization& one : kNormalizations) {
      model::ClipConfig config = missed_.config;
      if (config.preprocess.mean == one.mean && config.preprocess.std == one.std) continue;
      config.preprocess.mean = one.mean;
      config.preprocess.std = one.std;
      attempt(std::string(one.name) + " mean and std", out, [&](const std::string& what) {
        const auto embedder = missed_.make_embedder(config);
        add(what,
            std::string("Set \"mean\" and \"std\" to ") + one.name +
                " in preprocess_cfg of the model's open_clip_config.json.",
            missed_.score(embed(*embedder), texts_) - score_, out);
      });
    }
  }

  void prompts(Diagnosis& out) {
    for (const NamedPrompts& one : missed_.other_prompts) {
      if (same_prompts(one.prompts, missed_.prompts)) continue;
      attempt("prompts: " + one.name, out, [&](const std::string& what) {
        const auto texts = missed_.embed_texts(
            *base_, thinned(one.prompts, missed_.classes, missed_.most_prompts));
        add(what, "Evaluate with " + one.name + " (--custom_template_file).",
            missed_.score(images_, texts) - score_, out);
      });
    }
  }

  void activation(Diagnosis& out) {
    model::ClipConfig config = missed_.config;
    config.text.activation = other(config.text.activation);
    auto* vit = std::get_if<model::VitConfig>(&config.vision);
    if (vit != nullptr) vit->activation = other(vit->activation);
    const bool quick = config.text.activation == model::Activation::kQuickGelu;
    attempt(quick ? "QuickGELU instead of GELU" : "GELU instead of QuickGELU", out,
            [&](const std::string& what) {
              const auto embedder = missed_.make_embedder(config);
              const auto some = thinned(missed_.prompts, missed_.classes, missed_.most_prompts);
              const double before = same_prompts(some, missed_.prompts)
                                        ? score_
                                        : missed_.score(images_, missed_.embed_texts(*base_, some));
              const double after = missed_.score(vit != nullptr ? embed(*embedder) : images_,
                                                 missed_.embed_texts(*embedder, some));
              add(what,
                  quick ? "The weights were trained with QuickGELU: take the config whose name "
                          "ends in -quickgelu (\"quick_gelu\": true)."
                        : "The weights were trained with exact GELU: take the config whose name "
                          "does not end in -quickgelu (\"quick_gelu\": false).",
                  after - before, out);
            });
  }

 private:
  std::vector<float> embed(model::Embedder& embedder) const {
    return pipeline::embed_images(embedder, pool_, missed_.images, {.convert = missed_.convert})
        .vectors;
  }

  template <class F>
  static void attempt(const std::string& what, Diagnosis& out, const F& measure) {
    try {
      measure(what);
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      out.untried.push_back(what + ": " + error.what());
    }
  }

  void preprocessing(const model::ClipConfig& config, const std::string& what,
                     const std::string& advice, Diagnosis& out) {
    attempt(what, out, [&](const std::string& name) {
      OtherPreprocessing embedder(*base_, config);
      add(name, advice, missed_.score(embed(embedder), texts_) - score_, out);
    });
  }

  // Keeps a variant that changes the score by `change` towards what was expected.
  void add(const std::string& what, const std::string& advice, double change,
           Diagnosis& out) const {
    const double figure = missed_.measured + change;
    const double gap = std::abs(figure - missed_.expected);
    if (!(gap < std::abs(missed_.measured - missed_.expected))) return;
    // On a part of the images a change of d is known to about sqrt(d / n).
    const auto n = static_cast<double>(missed_.images.size());
    const bool whole = static_cast<int64_t>(missed_.images.size()) >= missed_.images_in_all;
    const double noise = whole ? 0 : 2 * std::sqrt(std::max(std::abs(change), 1 / n) / n);
    out.suspects.push_back({.what = what,
                            .advice = advice,
                            .figure = figure,
                            .reaches = gap <= std::max(missed_.tolerance, noise) + 1e-9});
  }

  const MissedFigure& missed_;
  const ThreadPool& pool_;
  const std::unique_ptr<model::Embedder> base_;
  const std::vector<float> images_;
  const std::vector<float> texts_;
  const double score_;
};

}  // namespace

std::vector<int64_t> spread(int64_t n, int64_t most) {
  const int64_t count = std::min(n, most);
  std::vector<int64_t> chosen(static_cast<size_t>(std::max<int64_t>(count, 0)));
  for (int64_t i = 0; i < count; ++i) {
    chosen[static_cast<size_t>(i)] = static_cast<int64_t>(
        (static_cast<double>(i) + 0.5) * static_cast<double>(n) / static_cast<double>(count));
  }
  return chosen;
}

Diagnosis diagnose(const MissedFigure& missed, const ThreadPool& pool) {
  require(!missed.images.empty(), "nothing to find the cause of a missed figure with: no images");
  Diagnosis diagnosis;
  diagnosis.images = static_cast<int64_t>(missed.images.size());
  Trial trial(missed, pool);
  trial.prompts(diagnosis);
  trial.resize_modes(diagnosis);
  trial.interpolations(diagnosis);
  trial.normalizations(diagnosis);
  trial.activation(diagnosis);
  std::stable_sort(diagnosis.suspects.begin(), diagnosis.suspects.end(),
                   [&](const Suspect& a, const Suspect& b) {
                     return std::abs(a.figure - missed.expected) <
                            std::abs(b.figure - missed.expected);
                   });
  return diagnosis;
}

}  // namespace clipnext::eval
