// The parameter tree: every tensor of a model, its name, shape and role, written once. A struct
// template over what a parameter *is*: ParamInfo to list, infer::Weight to compute, torch::Tensor
// to train. An optional parameter that the config leaves out is not visited.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "model/config.h"
#include "weights/tensor.h"

namespace clipnext::model {

/// What a parameter is for: decides init, weight decay, quantization and packing. kStatistic is a
/// buffer (batch norm's running mean and variance), not a parameter.
enum class Role : uint8_t {
  kConv,
  kLinear,
  kEmbedding,
  kNorm,
  kBias,
  kLayerScale,
  kLogitScale,
  kStatistic
};

/// name as in open_clip checkpoints (the plain-text layout: no `text.` prefix).
///
/// depth orders a tower's tensors into the groups of layer-wise learning rates (spec: training,
/// LLRD): -1 for what comes before the blocks (stem, embeddings), then the index of the block, a
/// stage's downsampling with its first block; ln_post and ln_final with the last block. Behind the
/// n blocks: of a ConvNeXt, n for the trunk's final norm and n + 1 for the projection; elsewhere n
/// for the projection (with all of attention pooling). The scale of a tensor is decay^(last -
/// depth) with `last` the largest depth of its tower. The logit scale and bias belong to no tower:
/// 0.
struct ParamInfo {
  std::string name;
  weights::Shape shape;
  Role role = Role::kLinear;
  int depth = 0;
};

/// Weight and bias of a LayerNorm.
template <class T>
struct Norm {
  T weight, bias;
};

template <class T, class F>
void visit(Norm<T>& p, int64_t c, const std::string& at, int depth, F&& f) {
  f(p.weight, ParamInfo{at + "weight", {c}, Role::kNorm, depth});
  f(p.bias, ParamInfo{at + "bias", {c}, Role::kBias, depth});
}

// ---- ConvNeXt (timm) ----

template <class T>
struct ConvNextBlock {
  T dw_weight, dw_bias;
  Norm<T> norm;
  T fc1_weight, fc1_bias, fc2_weight, fc2_bias, gamma;
};

template <class T, class F>
void visit(ConvNextBlock<T>& p, int64_t c, bool conv_mlp, const std::string& at, int depth, F&& f) {
  // conv_mlp stores the same matrices as 1x1 convolutions.
  const auto matrix = [&](int64_t rows, int64_t cols) {
    return conv_mlp ? weights::Shape{rows, cols, 1, 1} : weights::Shape{rows, cols};
  };
  f(p.gamma, ParamInfo{at + "gamma", {c}, Role::kLayerScale, depth});
  f(p.dw_weight, ParamInfo{at + "conv_dw.weight", {c, 1, 7, 7}, Role::kConv, depth});
  f(p.dw_bias, ParamInfo{at + "conv_dw.bias", {c}, Role::kBias, depth});
  visit(p.norm, c, at + "norm.", depth, f);
  f(p.fc1_weight, ParamInfo{at + "mlp.fc1.weight", matrix(4 * c, c), Role::kLinear, depth});
  f(p.fc1_bias, ParamInfo{at + "mlp.fc1.bias", {4 * c}, Role::kBias, depth});
  f(p.fc2_weight, ParamInfo{at + "mlp.fc2.weight", matrix(c, 4 * c), Role::kLinear, depth});
  f(p.fc2_bias, ParamInfo{at + "mlp.fc2.bias", {c}, Role::kBias, depth});
}

/// One stage; its downsampling (absent in stage 0) comes before its blocks.
template <class T>
struct ConvNextStage {
  Norm<T> downsample_norm;
  T downsample_weight, downsample_bias;
  std::vector<ConvNextBlock<T>> blocks;
};

template <class T>
struct ConvNextParams {
  T stem0_weight, stem0_bias;  // stem.0: the patch convolution, or the first of two
  T stem1_weight, stem1_bias;  // stem.1: second convolution of the overlapping stems
  Norm<T> stem_norm;           // stem.1, or stem.2 behind two convolutions
  std::array<ConvNextStage<T>, 4> stages;
  Norm<T> norm_pre;   // head_norm_first
  Norm<T> head_norm;  // otherwise
  T pre_logits_weight, pre_logits_bias;
  T head_fc1_weight, head_fc1_bias, head_fc2_weight;  // HeadType::kMlp
  T head_fc2_bias, head_proj_bias;                    // head_bias
  T head_proj_weight;                                 // HeadType::kLinear
};

template <class T>
void resize(ConvNextParams<T>& p, const ConvNextConfig& c) {
  for (size_t i = 0; i < 4; ++i) p.stages[i].blocks.resize(static_cast<size_t>(c.depths[i]));
}

template <class T, class F>
void visit(ConvNextParams<T>& p, const ConvNextConfig& c, int64_t embed_dim, F&& f) {
  const std::string trunk = "visual.trunk.";
  const bool patch = c.stem == StemType::kPatch;
  if (patch) {
    f(p.stem0_weight, ParamInfo{trunk + "stem.0.weight", {c.dims[0], 3, 4, 4}, Role::kConv, -1});
    f(p.stem0_bias, ParamInfo{trunk + "stem.0.bias", {c.dims[0]}, Role::kBias, -1});
  } else {
    f(p.stem0_weight, ParamInfo{trunk + "stem.0.weight", {c.stem_width, 3, 3, 3}, Role::kConv, -1});
    f(p.stem0_bias, ParamInfo{trunk + "stem.0.bias", {c.stem_width}, Role::kBias, -1});
    f(p.stem1_weight,
      ParamInfo{trunk + "stem.1.weight", {c.dims[0], c.stem_width, 3, 3}, Role::kConv, -1});
    f(p.stem1_bias, ParamInfo{trunk + "stem.1.bias", {c.dims[0]}, Role::kBias, -1});
  }
  visit(p.stem_norm, c.dims[0], trunk + (patch ? "stem.1." : "stem.2."), -1, f);

  int depth = 0;
  for (size_t i = 0; i < 4; ++i) {
    const std::string stage = trunk + "stages." + std::to_string(i) + ".";
    if (i > 0) {
      visit(p.stages[i].downsample_norm, c.dims[i - 1], stage + "downsample.0.", depth, f);
      f(p.stages[i].downsample_weight,
        ParamInfo{
            stage + "downsample.1.weight", {c.dims[i], c.dims[i - 1], 2, 2}, Role::kConv, depth});
      f(p.stages[i].downsample_bias,
        ParamInfo{stage + "downsample.1.bias", {c.dims[i]}, Role::kBias, depth});
    }
    for (size_t j = 0; j < p.stages[i].blocks.size(); ++j) {
      visit(p.stages[i].blocks[j], c.dims[i], c.conv_mlp,
            stage + "blocks." + std::to_string(j) + ".", depth++, f);
    }
  }

  const int64_t d = c.dims[3];
  if (c.head_norm_first) {
    visit(p.norm_pre, d, trunk + "norm_pre.", depth, f);
  } else {
    visit(p.head_norm, d, trunk + "head.norm.", depth, f);
  }
  int64_t features = d;
  if (c.pre_logits > 0) {
    f(p.pre_logits_weight,
      ParamInfo{trunk + "head.pre_logits.fc.weight", {c.pre_logits, d}, Role::kLinear, depth});
    f(p.pre_logits_bias,
      ParamInfo{trunk + "head.pre_logits.fc.bias", {c.pre_logits}, Role::kBias, depth});
    features = c.pre_logits;
  }
  const std::string head = "visual.head.";
  const int last = depth + 1;
  if (c.head == HeadType::kLinear) {
    const std::string proj = c.trunk_head ? trunk + "head.fc." : head + "proj.";
    f(p.head_proj_weight, ParamInfo{proj + "weight", {embed_dim, features}, Role::kLinear, last});
    if (c.head_bias) {
      f(p.head_proj_bias, ParamInfo{proj + "bias", {embed_dim}, Role::kBias, last});
    }
  } else if (c.head == HeadType::kMlp) {
    f(p.head_fc1_weight,
      ParamInfo{head + "mlp.fc1.weight", {2 * embed_dim, features}, Role::kLinear, last});
    f(p.head_fc1_bias, ParamInfo{head + "mlp.fc1.bias", {2 * embed_dim}, Role::kBias, last});
    f(p.head_fc2_weight,
      ParamInfo{head + "mlp.fc2.weight", {embed_dim, 2 * embed_dim}, Role::kLinear, last});
    if (c.head_bias) {
      f(p.head_fc2_bias, ParamInfo{head + "mlp.fc2.bias", {embed_dim}, Role::kBias, last});
    }
  }
}

// ---- transformer blocks (text tower and ViT) ----

template <class T>
struct TransformerBlock {
  Norm<T> ln_1;
  T in_proj_weight, in_proj_bias, out_proj_weight, out_proj_bias;
  T gamma_1;  // with layer scale: on the attention branch
  Norm<T> ln_2;
  T fc_weight, fc_bias, proj_weight, proj_bias;
  T gamma_2;  // with layer scale: on the MLP branch
};

template <class T, class F>
void visit(TransformerBlock<T>& p, int64_t w, int64_t mlp, bool layer_scale, const std::string& at,
           int depth, F&& f) {
  visit(p.ln_1, w, at + "ln_1.", depth, f);
  f(p.in_proj_weight, ParamInfo{at + "attn.in_proj_weight", {3 * w, w}, Role::kLinear, depth});
  f(p.in_proj_bias, ParamInfo{at + "attn.in_proj_bias", {3 * w}, Role::kBias, depth});
  f(p.out_proj_weight, ParamInfo{at + "attn.out_proj.weight", {w, w}, Role::kLinear, depth});
  f(p.out_proj_bias, ParamInfo{at + "attn.out_proj.bias", {w}, Role::kBias, depth});
  if (layer_scale) f(p.gamma_1, ParamInfo{at + "ls_1.gamma", {w}, Role::kLayerScale, depth});
  visit(p.ln_2, w, at + "ln_2.", depth, f);
  f(p.fc_weight, ParamInfo{at + "mlp.c_fc.weight", {mlp, w}, Role::kLinear, depth});
  f(p.fc_bias, ParamInfo{at + "mlp.c_fc.bias", {mlp}, Role::kBias, depth});
  f(p.proj_weight, ParamInfo{at + "mlp.c_proj.weight", {w, mlp}, Role::kLinear, depth});
  f(p.proj_bias, ParamInfo{at + "mlp.c_proj.bias", {w}, Role::kBias, depth});
  if (layer_scale) f(p.gamma_2, ParamInfo{at + "ls_2.gamma", {w}, Role::kLayerScale, depth});
}

template <class T, class F>
void visit(std::vector<TransformerBlock<T>>& blocks, int64_t w, int64_t mlp, bool layer_scale,
           const std::string& at, F&& f) {
  int depth = 0;
  for (auto& block : blocks) {
    visit(block, w, mlp, layer_scale, at + "transformer.resblocks." + std::to_string(depth) + ".",
          depth, f);
    ++depth;
  }
}

// ---- ViT (open_clip) ----

template <class T>
struct VitParams {
  T class_embedding, positional_embedding, conv1_weight;
  Norm<T> ln_pre;
  std::vector<TransformerBlock<T>> blocks;
  Norm<T> ln_post;
  T proj;  // [width, embed_dim], used untransposed
};

template <class T>
void resize(VitParams<T>& p, const VitConfig& c) {
  p.blocks.resize(static_cast<size_t>(c.layers));
}

/// tokens = grid_h * grid_w + 1.
template <class T, class F>
void visit(VitParams<T>& p, const VitConfig& c, int64_t tokens, int64_t embed_dim, F&& f) {
  const int end = static_cast<int>(c.layers);
  f(p.class_embedding, ParamInfo{"visual.class_embedding", {c.width}, Role::kEmbedding, -1});
  f(p.positional_embedding,
    ParamInfo{"visual.positional_embedding", {tokens, c.width}, Role::kEmbedding, -1});
  f(p.proj, ParamInfo{"visual.proj", {c.width, embed_dim}, Role::kLinear, end});
  f(p.conv1_weight,
    ParamInfo{"visual.conv1.weight", {c.width, 3, c.patch, c.patch}, Role::kConv, -1});
  visit(p.ln_pre, c.width, "visual.ln_pre.", -1, f);
  visit(p.blocks, c.width, c.mlp_width, c.layer_scale, "visual.", f);
  visit(p.ln_post, c.width, "visual.ln_post.", end - 1, f);
}

// ---- ModifiedResNet (OpenAI) ----

/// A convolution without bias and its batch norm.
template <class T>
struct ConvNorm {
  T weight, gain, bias, mean, var;
};

template <class T, class F>
void visit(ConvNorm<T>& p, weights::Shape shape, const std::string& conv, const std::string& bn,
           int depth, F&& f) {
  const int64_t c = shape[0];
  f(p.weight, ParamInfo{conv + ".weight", std::move(shape), Role::kConv, depth});
  f(p.gain, ParamInfo{bn + ".weight", {c}, Role::kNorm, depth});
  f(p.bias, ParamInfo{bn + ".bias", {c}, Role::kBias, depth});
  f(p.mean, ParamInfo{bn + ".running_mean", {c}, Role::kStatistic, depth});
  f(p.var, ParamInfo{bn + ".running_var", {c}, Role::kStatistic, depth});
}

template <class T>
struct Bottleneck {
  ConvNorm<T> conv1, conv2, conv3;
  ConvNorm<T> downsample;  // first block of a layer
};

template <class T>
struct ResNetParams {
  std::array<ConvNorm<T>, 3> stem;
  std::array<std::vector<Bottleneck<T>>, 4> layers;
  T positional_embedding;
  T q_weight, q_bias, k_weight, k_bias, v_weight, v_bias, c_weight, c_bias;
};

template <class T>
void resize(ResNetParams<T>& p, const ResNetConfig& c) {
  for (size_t i = 0; i < 4; ++i) p.layers[i].resize(static_cast<size_t>(c.layers[i]));
}

/// tokens = (h / 32) * (w / 32) + 1.
template <class T, class F>
void visit(ResNetParams<T>& p, const ResNetConfig& c, int64_t tokens, int64_t embed_dim, F&& f) {
  const int64_t w = c.width;
  visit(p.stem[0], {w / 2, 3, 3, 3}, "visual.conv1", "visual.bn1", -1, f);
  visit(p.stem[1], {w / 2, w / 2, 3, 3}, "visual.conv2", "visual.bn2", -1, f);
  visit(p.stem[2], {w, w / 2, 3, 3}, "visual.conv3", "visual.bn3", -1, f);

  int depth = 0;
  int64_t in = w;
  for (size_t k = 0; k < 4; ++k) {
    const int64_t planes = w << k;
    for (size_t j = 0; j < p.layers[k].size(); ++j) {
      Bottleneck<T>& block = p.layers[k][j];
      const std::string at = "visual.layer" + std::to_string(k + 1) + "." + std::to_string(j) + ".";
      visit(block.conv1, {planes, in, 1, 1}, at + "conv1", at + "bn1", depth, f);
      visit(block.conv2, {planes, planes, 3, 3}, at + "conv2", at + "bn2", depth, f);
      visit(block.conv3, {4 * planes, planes, 1, 1}, at + "conv3", at + "bn3", depth, f);
      if (j == 0) {
        visit(block.downsample, {4 * planes, in, 1, 1}, at + "downsample.0", at + "downsample.1",
              depth, f);
      }
      in = 4 * planes;
      ++depth;
    }
  }

  const int64_t d = 32 * w;
  const std::string pool = "visual.attnpool.";
  const auto linear = [&](T& weight, T& bias, const std::string& name, int64_t out) {
    f(weight, ParamInfo{pool + name + ".weight", {out, d}, Role::kLinear, depth});
    f(bias, ParamInfo{pool + name + ".bias", {out}, Role::kBias, depth});
  };
  f(p.positional_embedding,
    ParamInfo{pool + "positional_embedding", {tokens, d}, Role::kEmbedding, depth});
  linear(p.k_weight, p.k_bias, "k_proj", d);
  linear(p.q_weight, p.q_bias, "q_proj", d);
  linear(p.v_weight, p.v_bias, "v_proj", d);
  linear(p.c_weight, p.c_bias, "c_proj", embed_dim);
}

// ---- text tower ----

template <class T>
struct TextParams {
  T token_embedding, positional_embedding;
  std::vector<TransformerBlock<T>> blocks;
  Norm<T> ln_final;
  T projection;       // [width, embed_dim], used untransposed; [embed_dim, width] with a bias
  T projection_bias;  // projection_bias
};

template <class T>
void resize(TextParams<T>& p, const TextConfig& c) {
  p.blocks.resize(static_cast<size_t>(c.layers));
}

template <class T, class F>
void visit(TextParams<T>& p, const TextConfig& c, int64_t embed_dim, F&& f) {
  const int end = static_cast<int>(c.layers);
  f(p.positional_embedding,
    ParamInfo{"positional_embedding", {c.context_length, c.width}, Role::kEmbedding, -1});
  if (c.projection_bias) {
    f(p.projection, ParamInfo{"text_projection.weight", {embed_dim, c.width}, Role::kLinear, end});
    f(p.projection_bias, ParamInfo{"text_projection.bias", {embed_dim}, Role::kBias, end});
  } else {
    f(p.projection, ParamInfo{"text_projection", {c.width, embed_dim}, Role::kLinear, end});
  }
  visit(p.blocks, c.width, c.mlp_width, false, "", f);
  f(p.token_embedding,
    ParamInfo{"token_embedding.weight", {c.vocab_size, c.width}, Role::kEmbedding, -1});
  visit(p.ln_final, c.width, "ln_final.", end - 1, f);
}

// ---- both towers ----

template <class T>
struct ClipParams {
  std::variant<ConvNextParams<T>, VitParams<T>, ResNetParams<T>> vision;
  TextParams<T> text;
  T logit_scale, logit_bias;
};

/// The tree of a model, its vectors sized, its leaves default.
template <class T>
ClipParams<T> make_params(const ClipConfig& config) {
  ClipParams<T> p;
  std::visit(
      [&](const auto& vision) {
        using V = std::decay_t<decltype(vision)>;
        if constexpr (std::is_same_v<V, ConvNextConfig>) p.vision = ConvNextParams<T>{};
        if constexpr (std::is_same_v<V, VitConfig>) p.vision = VitParams<T>{};
        if constexpr (std::is_same_v<V, ResNetConfig>) p.vision = ResNetParams<T>{};
        std::visit(
            [&](auto& params) {
              if constexpr (requires { resize(params, vision); }) resize(params, vision);
            },
            p.vision);
      },
      config.vision);
  resize(p.text, config.text);
  return p;
}

/// Calls f(T&, ParamInfo) for every tensor of the image tower.
template <class T, class F>
void visit_image(ClipParams<T>& p, const ClipConfig& config, F&& f) {
  if (auto* convnext = std::get_if<ConvNextParams<T>>(&p.vision)) {
    visit(*convnext, std::get<ConvNextConfig>(config.vision), config.embed_dim, f);
  } else if (auto* vit = std::get_if<VitParams<T>>(&p.vision)) {
    const auto& c = std::get<VitConfig>(config.vision);
    const int64_t tokens = (config.image_height / c.patch) * (config.image_width / c.patch) + 1;
    visit(*vit, c, tokens, config.embed_dim, f);
  } else if (auto* resnet = std::get_if<ResNetParams<T>>(&p.vision)) {
    const int64_t tokens = (config.image_height / 32) * (config.image_width / 32) + 1;
    visit(*resnet, std::get<ResNetConfig>(config.vision), tokens, config.embed_dim, f);
  }
}

/// Of the text tower.
template <class T, class F>
void visit_text(ClipParams<T>& p, const ClipConfig& config, F&& f) {
  visit(p.text, config.text, config.embed_dim, f);
}

/// Of the whole model.
template <class T, class F>
void visit(ClipParams<T>& p, const ClipConfig& config, F&& f) {
  visit_image(p, config, f);
  visit_text(p, config, f);
  f(p.logit_scale, ParamInfo{"logit_scale", {}, Role::kLogitScale, 0});
  if (config.has_logit_bias) {
    f(p.logit_bias, ParamInfo{"logit_bias", {}, Role::kLogitScale, 0});
  }
}

/// Every tensor a checkpoint of this model must hold, in visiting order.
std::vector<ParamInfo> list_params(const ClipConfig& config);

}  // namespace clipnext::model
