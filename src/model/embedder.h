// The one seam between models and everything that uses them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/config.h"

namespace clipnext::model {

/// RGB8 pictures of one size as preprocessing leaves them; pixels [n, h, w, 3], not owned.
struct PixelBatch {
  const uint8_t* pixels = nullptr;
  int64_t n = 0;
  int64_t h = 0;
  int64_t w = 0;
};

/// Ragged token rows, each cut after its pooled position (the first maximum: end of text), since no
/// later position can reach the result through the causal mask.
class TokenRows {
 public:
  /// Appends a row; ids may go on after the end-of-text token (padding), which is cut. Throws Error
  /// if empty.
  void add(std::span<const int32_t> ids);

  int64_t size() const { return static_cast<int64_t>(offsets_.size()) - 1; }
  std::span<const int32_t> row(int64_t i) const;

 private:
  std::vector<int32_t> ids_;
  std::vector<int64_t> offsets_ = {0};
};

/// Turns pixels and tokens into vectors: infer::Clip, train::Clip, a test double, or a checker that
/// runs two of them and compares. Calls on one object from several threads run one after another.
class Embedder {
 public:
  virtual ~Embedder() = default;
  virtual const ClipConfig& config() const = 0;
  /// exp(logit_scale) of the weights: the factor on cosines before a softmax.
  virtual float logit_scale() const = 0;
  /// Added to scaled cosines (SigLIP-trained models); 0 for the others.
  virtual float logit_bias() const = 0;
  /// out [n, embed_dim] f32, unit length unless `normalize` is off. Normalisation of pixel values
  /// is the embedder's work. Throws Error if the tower cannot take that size or gives values that
  /// are not finite.
  virtual void embed_images(const PixelBatch& pixels, float* out, bool normalize = true) = 0;
  /// out [rows, embed_dim] as above. Throws Error if a row is longer than the context or an id is
  /// outside the vocabulary.
  virtual void embed_texts(const TokenRows& tokens, float* out, bool normalize = true) = 0;
  /// Stands for all that embed_images' bits depend on besides the pixels: weights, sizes,
  /// arithmetic. Two embedders that say the same give the same vectors. Empty where that is not
  /// known.
  virtual std::string image_identity() { return {}; }
  /// The same for embed_texts and its tokens.
  virtual std::string text_identity() { return {}; }
  /// How many times as much at once as a processor it computes best: a GPU is busy with more.
  virtual int64_t batch_factor() const { return 1; }
};

}  // namespace clipnext::model
