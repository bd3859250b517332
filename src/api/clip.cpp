// The C++ interface over infer and eval.
#include "infer/clip.h"

#include <clipnext/clipnext.hpp>
#include <cstring>
#include <utility>

#include "api/image_data.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/thread_pool.h"
#include "eval/zero_shot.h"
#include "image/decode.h"
#include "image/preprocess.h"
#include "model/source.h"
#include "pipeline/embed_texts.h"
#include "text/tokenizer.h"

namespace clipnext {

Image Image::from_rgb(int width, int height, std::span<const uint8_t> pixels) {
  require(width >= 1 && height >= 1, "image: ", width, "x", height, " pixels");
  const int64_t size = checked_mul(checked_mul(width, height, "image size"), 3, "image size");
  require(static_cast<int64_t>(pixels.size()) == size, "image: ", width, "x", height,
          " RGB pixels are ", size, " bytes, not ", pixels.size());
  return Image(std::make_shared<const Data>(Data{{.mode = image::Mode::kRgb,
                                                  .width = width,
                                                  .height = height,
                                                  .data = {pixels.begin(), pixels.end()},
                                                  .palette = {}}}));
}

int Image::width() const { return data_->pixels.width; }
int Image::height() const { return data_->pixels.height; }

Image read_image(const std::string& path) {
  return Image(std::make_shared<const Image::Data>(Image::Data{image::decode_file(path)}));
}

Image decode_image(std::span<const uint8_t> bytes, const std::string& name) {
  return Image(std::make_shared<const Image::Data>(Image::Data{image::decode(bytes, name)}));
}

namespace {

std::optional<infer::ComputeType> compute_type(Dtype dtype) {
  switch (dtype) {
    case Dtype::kFp32:
      return infer::ComputeType::kFp32;
    case Dtype::kBf16:
      return infer::ComputeType::kBf16;
    case Dtype::kInt8:
      return infer::ComputeType::kInt8;
    case Dtype::kAuto:
      break;
  }
  return std::nullopt;
}

}  // namespace

struct Clip::State {
  State(const std::string& model_name, const LoadOptions& options)
      : model(model::open_model(model_name, options.pretrained)),
        pool(options.threads),
        clip(infer::load_clip(model, pool, compute_type(options.dtype))),
        tokenizer(pipeline::make_tokenizer(model)) {}

  model::Model model;
  ThreadPool pool;
  std::unique_ptr<infer::Clip> clip;
  text::Tokenizer tokenizer;
};

Clip::Clip(std::unique_ptr<State> state) : state_(std::move(state)) {}
Clip::~Clip() = default;
Clip::Clip(Clip&&) noexcept = default;
Clip& Clip::operator=(Clip&&) noexcept = default;

Clip Clip::load(const std::string& model, const LoadOptions& options) {
  return Clip(std::make_unique<State>(model, options));
}

int64_t Clip::dim() const { return state_->model.config.embed_dim; }
float Clip::logit_scale() const { return state_->clip->logit_scale(); }
const std::string& Clip::name() const { return state_->model.name; }

std::vector<float> Clip::embed_image(const Image& image) const { return embed_images({&image, 1}); }

std::vector<float> Clip::embed_images(std::span<const Image> images) const {
  const image::PreprocessConfig& config = state_->model.config.preprocess;
  const auto image_bytes = static_cast<size_t>(
      checked_mul(checked_mul(config.height, config.width, "image size"), 3, "image size"));
  std::vector<uint8_t> pixels(images.size() * image_bytes);
  state_->pool.parallel_for(static_cast<int64_t>(images.size()), [&](int64_t i) {
    const auto at = static_cast<size_t>(i);
    const image::Image seen = image::preprocess(images[at].data().pixels, config);
    std::memcpy(pixels.data() + at * image_bytes, seen.data.data(), image_bytes);
  });
  std::vector<float> vectors(images.size() * static_cast<size_t>(dim()));
  if (images.empty()) return vectors;
  state_->clip->embed_images({.pixels = pixels.data(),
                              .n = static_cast<int64_t>(images.size()),
                              .h = config.height,
                              .w = config.width},
                             vectors.data());
  return vectors;
}

std::vector<float> Clip::embed_text(std::string_view text) const {
  const std::string one(text);
  return embed_texts({&one, 1});
}

std::vector<float> Clip::embed_texts(std::span<const std::string> texts) const {
  return pipeline::embed_texts(*state_->clip, state_->tokenizer, texts).vectors;
}

std::vector<Guess> Clip::classify(const Image& image, const std::vector<std::string>& labels,
                                  const std::string& sentence) const {
  const eval::Classifier classifier = eval::make_classifier(
      *state_->clip, state_->tokenizer, labels, eval::name_fields({&sentence, 1}));
  const std::vector<float> vector = embed_image(image);
  std::vector<Guess> guesses;
  for (const eval::Prediction& p :
       classifier.predict(vector, static_cast<int64_t>(labels.size()))) {
    guesses.push_back({.index = static_cast<size_t>(p.label),
                       .label = labels[static_cast<size_t>(p.label)],
                       .probability = p.probability,
                       .similarity = p.similarity});
  }
  return guesses;
}

const char* version() { return CLIPNEXT_VERSION; }

}  // namespace clipnext
