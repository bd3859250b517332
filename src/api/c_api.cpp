// The C interface over the C++ one: arguments checked, exceptions turned into a status.
#include <clipnext/clipnext.h>

#include <algorithm>
#include <array>
#include <clipnext/clipnext.hpp>
#include <cstring>
#include <exception>
#include <utility>

struct clipnext_model {
  clipnext::Clip clip;
};

namespace {

// Of fixed size, so that keeping an error cannot fail; a longer message is cut.
thread_local std::array<char, 2048> last_error{};

void keep_error(const char* what) noexcept {
  const size_t size = std::min(std::strlen(what), last_error.size() - 1);
  std::copy_n(what, size, last_error.data());
  last_error[size] = '\0';
}

int refuse(const char* what) noexcept {
  keep_error(what);
  return CLIPNEXT_BAD_ARGUMENT;
}

// Runs `body`; whatever it throws becomes the last error.
template <class F>
int guarded(const F& body) noexcept {
  try {
    body();
    return CLIPNEXT_OK;
  } catch (const std::exception& error) {
    keep_error(error.what());
  } catch (...) {
    keep_error("unknown error");
  }
  return CLIPNEXT_FAILED;
}

int embed(const clipnext_model* model, float* out, size_t out_size, const auto& load_image) {
  if (model == nullptr || out == nullptr) return refuse("a pointer is null");
  if (out_size != static_cast<size_t>(model->clip.dim())) {
    return refuse("the buffer must hold clipnext_dim() floats");
  }
  return guarded([&] {
    const std::vector<float> vector = model->clip.embed_image(load_image());
    std::copy(vector.begin(), vector.end(), out);
  });
}

// False if the array or one of its strings is null.
bool all_given(const char* const* texts, size_t count) {
  return texts != nullptr &&
         std::all_of(texts, texts + count, [](const char* text) { return text != nullptr; });
}

}  // namespace

extern "C" {

const char* clipnext_last_error(void) { return last_error.data(); }

const char* clipnext_version(void) { return clipnext::version(); }

int clipnext_load(const char* model_name, const char* pretrained, int threads,
                  clipnext_model** model) {
  if (model == nullptr) return refuse("a pointer is null");
  *model = nullptr;
  if (model_name == nullptr) return refuse("the model name is null");
  if (threads < 0) return refuse("the number of threads is negative");
  return guarded([&] {
    const clipnext::LoadOptions options{.pretrained = pretrained != nullptr ? pretrained : "",
                                        .threads = threads};
    *model = new clipnext_model{clipnext::Clip::load(model_name, options)};
  });
}

void clipnext_free(clipnext_model* model) { delete model; }

int64_t clipnext_dim(const clipnext_model* model) {
  return model != nullptr ? model->clip.dim() : 0;
}

float clipnext_logit_scale(const clipnext_model* model) {
  return model != nullptr ? model->clip.logit_scale() : 0.0f;
}

int clipnext_embed_image_file(const clipnext_model* model, const char* path, float* out,
                              size_t out_size) {
  if (path == nullptr) return refuse("the path is null");
  return embed(model, out, out_size, [&] { return clipnext::read_image(path); });
}

int clipnext_embed_image_bytes(const clipnext_model* model, const void* bytes, size_t size,
                               float* out, size_t out_size) {
  if (bytes == nullptr) return refuse("the bytes are null");
  return embed(model, out, out_size, [&] {
    return clipnext::decode_image({static_cast<const uint8_t*>(bytes), size});
  });
}

int clipnext_embed_image_rgb(const clipnext_model* model, const uint8_t* pixels, int width,
                             int height, float* out, size_t out_size) {
  if (pixels == nullptr) return refuse("the pixels are null");
  if (width < 1 || height < 1) return refuse("a side of the image is below 1");
  const size_t size = static_cast<size_t>(width) * static_cast<size_t>(height) * 3;
  return embed(model, out, out_size, [&] {
    return clipnext::Image::from_rgb(width, height, {pixels, size});
  });
}

int clipnext_embed_texts(const clipnext_model* model, const char* const* texts, size_t count,
                         float* out, size_t out_size) {
  if (model == nullptr || out == nullptr) return refuse("a pointer is null");
  if (!all_given(texts, count)) return refuse("a text is null");
  if (out_size != count * static_cast<size_t>(model->clip.dim())) {
    return refuse("the buffer must hold count * clipnext_dim() floats");
  }
  return guarded([&] {
    const std::vector<std::string> strings(texts, texts + count);
    const std::vector<float> vectors = model->clip.embed_texts(strings);
    std::copy(vectors.begin(), vectors.end(), out);
  });
}

int clipnext_classify_file(const clipnext_model* model, const char* path, const char* const* labels,
                           size_t count, const char* sentence, float* out, size_t out_size) {
  if (model == nullptr || path == nullptr || out == nullptr) return refuse("a pointer is null");
  if (count == 0 || !all_given(labels, count)) return refuse("a label is missing");
  if (out_size != count) return refuse("the buffer must hold one float for each label");
  return guarded([&] {
    const std::vector<std::string> names(labels, labels + count);
    const std::vector<clipnext::Guess> guesses = model->clip.classify(
        clipnext::read_image(path), names, sentence != nullptr ? sentence : "{}");
    for (const clipnext::Guess& guess : guesses) {
      out[guess.index] = static_cast<float>(guess.probability);
    }
  });
}

}  // extern "C"
