// Closed forms of the cost of each tower. MACs of a convolution: output positions * kernel area *
// channels in and out; of a transformer layer on t tokens of width w: t * (4 w^2 + 2 w mlp) for the
// linear layers and 2 t^2 w for attention.
#include "model/profile.h"

#include <functional>

#include "base/checked.h"
#include "model/params.h"

namespace clipnext::model {
namespace {

int64_t numel(const ParamInfo& info) { return checked_numel(info.shape, info.name.c_str()); }

// Parameters of the tensors that `pick` accepts.
int64_t count(const std::vector<ParamInfo>& params,
              const std::function<bool(const ParamInfo&)>& pick) {
  int64_t sum = 0;
  for (const ParamInfo& info : params) {
    if (info.role != Role::kStatistic && pick(info)) sum += numel(info);
  }
  return sum;
}

// Tensors of depth low to high (see ParamInfo).
int64_t count_depths(const std::vector<ParamInfo>& params, int64_t low, int64_t high) {
  return count(params, [=](const ParamInfo& p) { return p.depth >= low && p.depth <= high; });
}

struct Nothing {};

std::vector<ParamInfo> list_image_params(const ClipConfig& clip) {
  std::vector<ParamInfo> params;
  auto tree = make_params<Nothing>(clip);
  visit_image(tree, clip, [&](Nothing&, ParamInfo info) { params.push_back(std::move(info)); });
  return params;
}

std::vector<ParamInfo> list_text_params(const ClipConfig& clip) {
  std::vector<ParamInfo> params;
  auto tree = make_params<Nothing>(clip);
  visit_text(tree, clip, [&](Nothing&, ParamInfo info) { params.push_back(std::move(info)); });
  return params;
}

int64_t count_block(int64_t width, bool conv_mlp) {
  int64_t sum = 0;
  ConvNextBlock<Nothing> block;
  visit(block, width, conv_mlp, "", 0,
        [&](Nothing&, const ParamInfo& info) { sum += numel(info); });
  return sum;
}

constexpr int64_t kNormMacs = 5;       // fvcore: per element of a layer norm
constexpr int64_t kBatchNormMacs = 2;  // and of a batch norm

void finish(PartProfile& part, int64_t norm_macs, int64_t pooled = 0) {
  part.fvcore_macs = part.macs + norm_macs * part.norm_elements + pooled;
}

void add(const PartProfile& part, PartProfile& sum) {
  sum.blocks += part.blocks;
  sum.parameters += part.parameters;
  sum.macs += part.macs;
  sum.activations += part.activations;
  sum.norm_elements += part.norm_elements;
  sum.fvcore_macs += part.fvcore_macs;
}

void finish(TowerProfile& tower, const std::string& name, int64_t embed_dim) {
  tower.sum = {.name = name, .channels = embed_dim, .height = 1, .width = 1};
  for (const PartProfile& part : tower.parts) add(part, tower.sum);
}

// ---- ConvNeXt ----

PartProfile convnext_stem(const ConvNextConfig& c, int64_t h, int64_t w) {
  PartProfile stem{.name = "stem", .channels = c.dims[0]};
  if (c.stem == StemType::kPatch) {
    stem.height = h / 4;
    stem.width = w / 4;
    stem.macs = stem.height * stem.width * c.dims[0] * 48;
    stem.activations = stem.height * stem.width * c.dims[0];
  } else {  // 3x3, stride 2, padding 1, twice: sides are halved and rounded up
    const int64_t middle = ((h + 1) / 2) * ((w + 1) / 2) * c.stem_width;
    stem.height = ((h + 1) / 2 + 1) / 2;
    stem.width = ((w + 1) / 2 + 1) / 2;
    const int64_t out = stem.height * stem.width * c.dims[0];
    stem.macs = middle * 27 + out * 9 * c.stem_width;
    stem.activations = middle + out;
  }
  stem.norm_elements = stem.height * stem.width * c.dims[0];
  finish(stem, kNormMacs);
  return stem;
}

PartProfile convnext_downsample(const ConvNextConfig& c, size_t i, const PartProfile& before) {
  PartProfile down{.name = "downsample " + std::to_string(i),
                   .channels = c.dims[i],
                   .height = before.height / 2,
                   .width = before.width / 2};
  down.activations = down.height * down.width * c.dims[i];
  down.macs = down.activations * 4 * c.dims[i - 1];
  down.norm_elements = before.height * before.width * c.dims[i - 1];
  finish(down, kNormMacs);
  return down;
}

PartProfile convnext_stage(const ConvNextConfig& c, size_t i, const PartProfile& before) {
  PartProfile stage = {.name = "stage " + std::to_string(i),
                       .blocks = c.depths[i],
                       .channels = c.dims[i],
                       .height = before.height,
                       .width = before.width};
  const int64_t elements = stage.height * stage.width * c.dims[i];
  stage.macs = c.depths[i] * elements * (49 + 8 * c.dims[i]);
  stage.activations = c.depths[i] * elements * 6;  // depthwise 1, fc1 4, fc2 1
  stage.norm_elements = c.depths[i] * elements;
  finish(stage, kNormMacs);
  return stage;
}

PartProfile convnext_head(const ConvNextConfig& c, int64_t embed_dim, const PartProfile& before) {
  PartProfile head{.name = "head", .channels = embed_dim, .height = 1, .width = 1};
  const int64_t d = c.dims[3];
  const int64_t map = before.height * before.width * d;
  head.norm_elements = c.head_norm_first ? map : d;
  const auto linear = [&](int64_t in, int64_t out) {
    head.macs += in * out;
    head.activations += out;
    return out;
  };
  const int64_t features = c.pre_logits > 0 ? linear(d, c.pre_logits) : d;
  if (c.head == HeadType::kLinear) linear(features, embed_dim);
  if (c.head == HeadType::kMlp) linear(linear(features, 2 * embed_dim), embed_dim);
  finish(head, kNormMacs, map);
  return head;
}

TowerProfile profile_tower(const ConvNextConfig& c, const ClipConfig& clip) {
  const auto params = list_image_params(clip);
  TowerProfile tower;
  tower.parts.push_back(convnext_stem(c, clip.image_height, clip.image_width));
  tower.parts.back().parameters = count_depths(params, -1, -1);
  int64_t depth = 0;
  for (size_t i = 0; i < 4; ++i) {
    const int64_t all = count_depths(params, depth, depth + c.depths[i] - 1);
    const int64_t in_blocks = c.depths[i] * count_block(c.dims[i], c.conv_mlp);
    if (i > 0) {
      tower.parts.push_back(convnext_downsample(c, i, tower.parts.back()));
      tower.parts.back().parameters = all - in_blocks;
    }
    tower.parts.push_back(convnext_stage(c, i, tower.parts.back()));
    tower.parts.back().parameters = in_blocks;
    depth += c.depths[i];
  }
  tower.parts.push_back(convnext_head(c, clip.embed_dim, tower.parts.back()));
  tower.parts.back().parameters = count_depths(params, depth, depth + 1);
  return tower;
}

// ---- transformers ----

// `layers` layers on t tokens, and the norm behind them.
PartProfile transformer(int64_t layers, int64_t t, int64_t w, int64_t heads, int64_t mlp) {
  PartProfile blocks{.name = "blocks", .blocks = layers, .channels = w, .height = 1, .width = t};
  blocks.macs = layers * (t * (4 * w * w + 2 * w * mlp) + 2 * t * t * w);
  // QKV 3, attention's output 1, its projection 1, MLP out 1; fc; the square of scores per head.
  blocks.activations = layers * (t * (6 * w + mlp) + heads * t * t);
  blocks.norm_elements = (2 * layers + 1) * t * w;
  finish(blocks, kNormMacs);
  return blocks;
}

PartProfile projection(int64_t w, int64_t embed_dim) {
  PartProfile part{.name = "projection", .channels = embed_dim, .height = 1, .width = 1};
  part.macs = w * embed_dim;
  part.activations = embed_dim;
  finish(part, kNormMacs);
  return part;
}

// Parts around the blocks: what comes before them has depth -1, the projection the largest.
void count_transformer(const std::vector<ParamInfo>& params, int64_t layers, TowerProfile& tower) {
  tower.parts[0].parameters = count_depths(params, -1, -1);
  tower.parts[1].parameters = count_depths(params, 0, layers - 1);
  tower.parts[2].parameters = count_depths(params, layers, layers);
}

TowerProfile profile_tower(const VitConfig& c, const ClipConfig& clip) {
  const int64_t h = clip.image_height / c.patch;
  const int64_t w = clip.image_width / c.patch;
  const int64_t t = h * w + 1;
  PartProfile patches{.name = "patches", .channels = c.width, .height = h, .width = w};
  patches.activations = h * w * c.width;
  patches.macs = patches.activations * 3 * c.patch * c.patch;
  patches.norm_elements = t * c.width;
  finish(patches, kNormMacs);

  TowerProfile tower;
  tower.parts = {patches, transformer(c.layers, t, c.width, c.heads, c.mlp_width),
                 projection(c.width, clip.embed_dim)};
  count_transformer(list_image_params(clip), c.layers, tower);
  return tower;
}

TowerProfile profile_text(const ClipConfig& clip) {
  const TextConfig& c = clip.text;
  const int64_t t = c.context_length;
  PartProfile embedding{.name = "embedding", .channels = c.width, .height = 1, .width = t};
  TowerProfile tower;
  tower.parts = {embedding, transformer(c.layers, t, c.width, c.heads, c.mlp_width),
                 projection(c.width, clip.embed_dim)};
  count_transformer(list_text_params(clip), c.layers, tower);
  return tower;
}

// ---- ModifiedResNet ----

// A convolution and its batch norm at an output of `positions`.
void add_conv(PartProfile& part, int64_t positions, int64_t in, int64_t out, int64_t kernel) {
  part.macs += positions * in * out * kernel * kernel;
  part.activations += positions * out;
  part.norm_elements += positions * out;
}

PartProfile resnet_stem(const ResNetConfig& c, int64_t h, int64_t w) {
  PartProfile stem{.name = "stem", .channels = c.width};
  const int64_t half_h = (h + 1) / 2, half_w = (w + 1) / 2;  // 3x3, stride 2, padding 1
  add_conv(stem, half_h * half_w, 3, c.width / 2, 3);
  add_conv(stem, half_h * half_w, c.width / 2, c.width / 2, 3);
  add_conv(stem, half_h * half_w, c.width / 2, c.width, 3);
  stem.height = half_h / 2;
  stem.width = half_w / 2;
  finish(stem, kBatchNormMacs);
  return stem;
}

// The stride of a layer is an average pool: behind the 3x3 convolution of its first block, and
// before the 1x1 of its shortcut.
PartProfile resnet_layer(const ResNetConfig& c, size_t k, const PartProfile& before) {
  const int64_t planes = c.width << k;
  const int64_t stride = k == 0 ? 1 : 2;
  PartProfile layer{.name = "layer " + std::to_string(k + 1),
                    .blocks = c.layers[k],
                    .channels = 4 * planes,
                    .height = before.height / stride,
                    .width = before.width / stride};
  const int64_t after = layer.height * layer.width;
  for (int64_t j = 0; j < c.layers[k]; ++j) {
    const int64_t positions = j == 0 ? before.height * before.width : after;
    const int64_t in = j == 0 ? before.channels : 4 * planes;
    add_conv(layer, positions, in, planes, 1);
    add_conv(layer, positions, planes, planes, 3);
    add_conv(layer, after, planes, 4 * planes, 1);
    if (j == 0) add_conv(layer, after, in, 4 * planes, 1);
  }
  finish(layer, kBatchNormMacs);
  return layer;
}

// All tokens are projected, though only the first is used: as the reference counts.
PartProfile attention_pool(const ResNetConfig& c, int64_t embed_dim, const PartProfile& before) {
  PartProfile pool{.name = "attention pool", .channels = embed_dim, .height = 1, .width = 1};
  const int64_t d = 32 * c.width;
  const int64_t t = before.height * before.width + 1;
  pool.macs = t * d * (3 * d + embed_dim) + 2 * t * t * d;
  pool.activations = t * (4 * d + embed_dim) + c.heads * t * t;
  finish(pool, kBatchNormMacs);
  return pool;
}

TowerProfile profile_tower(const ResNetConfig& c, const ClipConfig& clip) {
  const auto params = list_image_params(clip);
  TowerProfile tower;
  tower.parts.push_back(resnet_stem(c, clip.image_height, clip.image_width));
  tower.parts.back().parameters = count_depths(params, -1, -1);
  int64_t depth = 0;
  for (size_t k = 0; k < 4; ++k) {
    tower.parts.push_back(resnet_layer(c, k, tower.parts.back()));
    tower.parts.back().parameters = count_depths(params, depth, depth + c.layers[k] - 1);
    depth += c.layers[k];
  }
  tower.parts.push_back(attention_pool(c, clip.embed_dim, tower.parts.back()));
  tower.parts.back().parameters = count_depths(params, depth, depth);
  return tower;
}

}  // namespace

Profile profile(const ClipConfig& config) {
  Profile result;
  result.name = config.name;
  result.image_height = config.image_height;
  result.image_width = config.image_width;
  result.context_length = config.text.context_length;
  result.image =
      std::visit([&](const auto& vision) { return profile_tower(vision, config); }, config.vision);
  result.text = profile_text(config);
  finish(result.image, "image", config.embed_dim);
  finish(result.text, "text", config.embed_dim);

  result.total.name = "total";
  result.total.channels = config.embed_dim;
  result.total.height = result.total.width = 1;
  add(result.image.sum, result.total);
  add(result.text.sum, result.total);
  result.total.parameters +=
      count(list_params(config), [](const ParamInfo& p) { return p.role == Role::kLogitScale; });
  return result;
}

}  // namespace clipnext::model
