// clipnext as a library: CLIP models on the CPU. A whole program:
//
//   #include <clipnext/clipnext.hpp>
//   #include <cstdio>
//
//   int main(int, char** argv) {  // MODEL PICTURE
//     const auto clip = clipnext::Clip::load(argv[1]);  // throws clipnext::Error
//     const auto picture = clipnext::read_image(argv[2]);
//     const std::vector<float> v = clip.embed_image(picture);  // [clip.dim()], unit length
//     std::printf("%zu values, the first %.3f\n", v.size(), v[0]);
//     for (const auto& guess : clip.classify(picture, {"a taxi", "a cactus"}))
//       std::printf("%5.1f %%  %s\n", 100 * guess.probability, guess.label.c_str());
//   }
//
// Build it with find_package(clipnext) and target_link_libraries(... clipnext::clipnext).
#pragma once

#include <clipnext/error.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace clipnext {

/// A decoded picture, as it lay in its file. Copies share the pixels.
class CLIPNEXT_API Image {
 public:
  /// From rows of RGB bytes, [height, width, 3] without padding, which are copied. Throws Error if
  /// a side is below 1 or the size is not height * width * 3.
  static Image from_rgb(int width, int height, std::span<const uint8_t> pixels);

  int width() const;
  int height() const;

  struct Data;
  explicit Image(std::shared_ptr<const Data> data) : data_(std::move(data)) {}
  const Data& data() const { return *data_; }

 private:
  std::shared_ptr<const Data> data_;
};

/// Decodes a JPEG, PNG, WebP, GIF, TIFF or BMP. Throws Error that names the file.
CLIPNEXT_API Image read_image(const std::string& path);
/// The same from the bytes of a file; `name` stands in messages.
CLIPNEXT_API Image decode_image(std::span<const uint8_t> bytes, const std::string& name = "image");

/// What products are computed in. kAuto: fp32, or what a packed file was packed for. kBf16 and
/// kInt8 are faster and less exact: vectors keep a cosine of about 0.9999 and 0.995 to those of
/// fp32.
enum class Dtype : uint8_t { kAuto, kFp32, kBf16, kInt8 };

struct LoadOptions {
  std::string pretrained;      // checkpoint file, where `model` is a config name
  int threads = 0;             // 0: all that this process may use
  Dtype dtype = Dtype::kAuto;  // not to be mixed among vectors that are compared
};

struct Guess {
  size_t index = 0;  // in the labels given
  std::string label;
  double probability = 0;  // softmax over all labels, with the model's own scale
  float similarity = 0;    // cosine
};

/// A CLIP model ready to compute. Every function may be called from several threads at once: calls
/// run one after another, each on all threads. An embedding depends on its input alone, bit for bit
/// on one kind of processor.
class CLIPNEXT_API Clip {
 public:
  /// model: a folder with open_clip_config.json, a checkpoint with its config beside it, or a
  /// config name with `pretrained`; empty: the environment variable CLIPNEXT_MODEL. Throws Error.
  static Clip load(const std::string& model, const LoadOptions& options = {});
  ~Clip();
  Clip(Clip&&) noexcept;
  Clip& operator=(Clip&&) noexcept;

  /// Length of a vector.
  int64_t dim() const;
  /// Factor on cosines before a softmax.
  float logit_scale() const;
  const std::string& name() const;

  /// Unit vectors [dim]; several: [n, dim], row by row. Throws Error.
  std::vector<float> embed_image(const Image& image) const;
  std::vector<float> embed_images(std::span<const Image> images) const;
  std::vector<float> embed_text(std::string_view text) const;
  std::vector<float> embed_texts(std::span<const std::string> texts) const;

  /// Every label, best first. `sentence` is put around each, {} standing for it ("a photo of a
  /// {}"). To name many pictures, embed the labels once and compare vectors.
  std::vector<Guess> classify(const Image& image, const std::vector<std::string>& labels,
                              const std::string& sentence = "{}") const;

 private:
  struct State;
  explicit Clip(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

/// "0.1.0".
CLIPNEXT_API const char* version();

}  // namespace clipnext
