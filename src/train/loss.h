// The losses over all ranks' pairs, tile by tile, so that no matrix of logits is ever whole in
// memory.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <optional>

#include "train/group.h"

namespace clipnext::train {

/// Where the other ranks' features are while a loss is computed.
enum class FeatureMemory : uint8_t {
  kGather,    // all in each rank: 2 N D floats
  kExchange,  // one rank's at a time, sent twice
};

/// How much of the full gradient reaches the towers (spec: training.md 4.2).
enum class FeatureGradient : uint8_t {
  kFull,   // --gather-with-grad
  kShare,  // without it and without --local-loss: 1 / world of it, that of the logit scale whole
};

struct LossOptions {
  FeatureMemory memory = FeatureMemory::kGather;
  FeatureGradient gradient = FeatureGradient::kFull;
  /// Logits are rounded to it, and products of the backward pass take it; nothing: that of the
  /// features (float32).
  std::optional<at::ScalarType> logits_type = std::nullopt;
  int64_t tile = 4096;  // columns of logits at a time
};

/// open_clip's ClipLoss (Radford et al., arXiv:2103.00020). image, text: this rank's features
/// [b, d], unit length, float32; every rank has as many. scale: exp(logit_scale), bias: added to
/// logits, if any; both scalars. Returns this rank's share, whose mean over ranks is the loss over
/// all N = world * b pairs:
///   1/2 [mean_i CE(scale I_r T^t, i) + mean_i CE(scale T_r I^t, i)]
/// Its gradient, averaged over ranks as gradients of parameters are, is that of the whole loss.
/// Instead of sending gradients back to where features came from, each rank computes all that its
/// own features get, for which the row sums of the others' softmaxes are enough.
/// Memory beside the features: one tile [b, tile].
at::Tensor contrastive_loss(const at::Tensor& image, const at::Tensor& text,
                            const at::Tensor& scale, const std::optional<at::Tensor>& bias,
                            Group& group, const LossOptions& options);

/// What a student is to be like: a teacher's features of the same pairs [b, t], unit length,
/// float32, and exp of its logit scale; all without gradients.
struct TeacherFeatures {
  at::Tensor image, text, scale;
};

/// This rank's shares.
struct DistilledLoss {
  at::Tensor total;  // the contrastive loss and `distill`; it alone has a gradient
  at::Tensor distill;
};

/// open_clip's DistillClipLoss: contrastive_loss and, of image and of text rows, half the mean of
///   -sum over columns of softmax(teacher's logits) log-softmax(student's logits).
/// Arguments and gradient as above.
DistilledLoss distilled_loss(const at::Tensor& image, const at::Tensor& text,
                             const at::Tensor& scale, const TeacherFeatures& teacher, Group& group,
                             const LossOptions& options);

/// open_clip's SigLipLoss (Zhai et al., arXiv:2303.15343): the sum over pairs of this rank's images
/// with all texts of -log sigmoid(+-(scale i.t + bias)), over b. Arguments and gradient as above.
at::Tensor sigmoid_loss(const at::Tensor& image, const at::Tensor& text, const at::Tensor& scale,
                        const at::Tensor& bias, Group& group, const LossOptions& options);

}  // namespace clipnext::train
