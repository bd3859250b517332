#include "bench/op_shapes.h"

#include <variant>

namespace clipnext::bench {
namespace {

using kernels::Act;

/// Collects shapes of one tower.
class Shapes {
 public:
  void product(std::string part, int64_t m, int64_t n, int64_t k, int64_t count = 1,
               Act act = Act::kNone, bool residual = false) {
    list_.push_back({.op = Op::kProduct,
                     .part = std::move(part),
                     .count = count,
                     .m = m,
                     .n = n,
                     .k = k,
                     .act = act,
                     .residual = residual});
  }
  void rows(Op op, std::string part, int64_t m, int64_t n, int64_t count = 1) {
    list_.push_back({.op = op, .part = std::move(part), .count = count, .m = m, .n = n});
  }
  void depthwise(std::string part, int64_t h, int64_t w, int64_t c, int64_t count) {
    list_.push_back(
        {.op = Op::kDepthwise, .part = std::move(part), .count = count, .m = h, .n = w, .k = c});
  }
  void attention(std::string part, int64_t t, int64_t d, int64_t count, bool causal) {
    list_.push_back({.op = Op::kAttention,
                     .part = std::move(part),
                     .count = count,
                     .m = t,
                     .n = d,
                     .causal = causal});
  }
  std::vector<OpShape> take() { return std::move(list_); }

 private:
  std::vector<OpShape> list_;
};

int64_t halved(int64_t side) { return (side + 1) / 2; }  // 3x3, stride 2, padding 1

// ---- ConvNeXt ----

void add_stem(const model::ConvNextConfig& c, int64_t h, int64_t w, Shapes& shapes) {
  if (c.stem == model::StemType::kPatch) {
    shapes.product("stem", h / 4 * (w / 4), c.dims[0], 48);
    return;
  }
  shapes.product("stem 0", halved(h) * halved(w), c.stem_width, 27);
  shapes.product("stem 1", halved(halved(h)) * halved(halved(w)), c.dims[0], 9 * c.stem_width);
}

void add_head(const model::ConvNextConfig& c, int64_t embed_dim, int64_t positions,
              Shapes& shapes) {
  int64_t d = c.dims[3];
  shapes.rows(Op::kMeanRows, "head mean", positions, d);
  const auto linear = [&](const char* part, int64_t n, Act act) {
    shapes.product(part, 1, n, d, 1, act);
    d = n;
  };
  if (c.pre_logits > 0) linear("head pre_logits", c.pre_logits, Act::kGelu);
  if (c.head == model::HeadType::kMlp) linear("head fc1", 2 * embed_dim, Act::kGelu);
  if (c.head != model::HeadType::kNone) linear("head", embed_dim, Act::kNone);
}

void add_tower(const model::ConvNextConfig& c, const model::ClipConfig& clip, Shapes& shapes) {
  const bool patch = c.stem == model::StemType::kPatch;
  int64_t h = patch ? clip.image_height / 4 : halved(halved(clip.image_height));
  int64_t w = patch ? clip.image_width / 4 : halved(halved(clip.image_width));
  add_stem(c, clip.image_height, clip.image_width, shapes);
  for (size_t i = 0; i < 4; ++i) {
    const std::string stage = "stage " + std::to_string(i);
    const int64_t d = c.dims[i];
    if (i > 0) {
      h /= 2;
      w /= 2;
      shapes.product("downsample " + std::to_string(i), h * w, d, 4 * c.dims[i - 1]);
    }
    shapes.depthwise(stage, h, w, d, c.depths[i]);
    shapes.rows(Op::kLayerNorm, stage, h * w, d, c.depths[i]);
    shapes.product(stage + " fc1", h * w, 4 * d, d, c.depths[i], Act::kGelu);
    shapes.product(stage + " fc2", h * w, d, 4 * d, c.depths[i], Act::kNone, true);
  }
  add_head(c, clip.embed_dim, h * w, shapes);
}

// ---- transformers ----

struct Transformer {
  int64_t layers, tokens, width, heads, mlp_width;
  model::Activation activation;
  bool causal;
};

void add_transformer(const Transformer& t, Shapes& shapes) {
  const Act act = t.activation == model::Activation::kQuickGelu ? Act::kQuickGelu : Act::kGelu;
  shapes.rows(Op::kLayerNorm, "blocks", t.tokens, t.width, 2 * t.layers);
  shapes.product("qkv", t.tokens, 3 * t.width, t.width, t.layers);
  shapes.attention("blocks", t.tokens, t.width / t.heads, t.layers * t.heads, t.causal);
  shapes.product("attention out", t.tokens, t.width, t.width, t.layers, Act::kNone, true);
  shapes.product("fc1", t.tokens, t.mlp_width, t.width, t.layers, act);
  shapes.product("fc2", t.tokens, t.width, t.mlp_width, t.layers, Act::kNone, true);
}

void add_tower(const model::VitConfig& c, const model::ClipConfig& clip, Shapes& shapes) {
  const int64_t positions = clip.image_height / c.patch * (clip.image_width / c.patch);
  shapes.product("patches", positions, c.width, 3 * c.patch * c.patch);
  add_transformer({c.layers, positions + 1, c.width, c.heads, c.mlp_width, c.activation, false},
                  shapes);
  shapes.product("projection", 1, clip.embed_dim, c.width);
}

// ---- ModifiedResNet ----

void add_layer(int64_t planes, int64_t blocks, int64_t in, int64_t before, int64_t after,
               const std::string& part, Shapes& shapes) {
  const int64_t out = 4 * planes;
  shapes.product(part + " first 1x1", before, planes, in, 1, Act::kRelu);
  shapes.product(part + " first 3x3", before, planes, 9 * planes, 1, Act::kRelu);
  shapes.product(part + " shortcut", after, out, in);
  if (blocks > 1) {
    shapes.product(part + " 1x1", after, planes, out, blocks - 1, Act::kRelu);
    shapes.product(part + " 3x3", after, planes, 9 * planes, blocks - 1, Act::kRelu);
  }
  shapes.product(part + " last 1x1", after, out, planes, blocks, Act::kNone, true);
}

void add_tower(const model::ResNetConfig& c, const model::ClipConfig& clip, Shapes& shapes) {
  int64_t h = halved(clip.image_height);
  int64_t w = halved(clip.image_width);
  shapes.product("stem 1", h * w, c.width / 2, 27, 1, Act::kRelu);
  shapes.product("stem 2", h * w, c.width / 2, 9 * c.width / 2, 1, Act::kRelu);
  shapes.product("stem 3", h * w, c.width, 9 * c.width / 2, 1, Act::kRelu);
  h /= 2;
  w /= 2;
  int64_t in = c.width;
  for (size_t i = 0; i < 4; ++i) {
    const int64_t before = h * w;
    if (i > 0) {
      h /= 2;
      w /= 2;
    }
    add_layer(c.width << i, c.layers[i], in, before, h * w, "layer " + std::to_string(i + 1),
              shapes);
    in = 4 * c.width << i;
  }
  const int64_t tokens = h * w + 1;
  shapes.product("pool qkv", tokens, 3 * in, in);
  shapes.attention("pool", tokens, in / c.heads, c.heads, false);
  shapes.product("pool out", tokens, clip.embed_dim, in);
}

}  // namespace

const char* op_name(Op op) {
  switch (op) {
    case Op::kProduct:
      return "gemm";
    case Op::kDepthwise:
      return "depthwise_conv7";
    case Op::kLayerNorm:
      return "layer_norm";
    case Op::kAttention:
      return "attention";
    case Op::kMeanRows:
      return "mean_rows";
  }
  return "";
}

double flops(const OpShape& s) {
  const auto m = static_cast<double>(s.m);
  const auto n = static_cast<double>(s.n);
  const auto k = static_cast<double>(s.k);
  switch (s.op) {
    case Op::kProduct:
      return 2 * m * n * k;
    case Op::kDepthwise:
      return 2 * 49 * m * n * k;
    case Op::kAttention:
      return 4 * m * m * n;
    case Op::kLayerNorm:
    case Op::kMeanRows:
      break;
  }
  return 0;
}

double bytes(const OpShape& s) {
  const double rows = 4.0 * static_cast<double>(s.m) * static_cast<double>(s.n);
  return s.op == Op::kLayerNorm ? 2 * rows : s.op == Op::kMeanRows ? rows : 0;
}

std::vector<OpShape> image_ops(const model::ClipConfig& config) {
  Shapes shapes;
  std::visit([&](const auto& vision) { add_tower(vision, config, shapes); }, config.vision);
  return shapes.take();
}

std::vector<OpShape> text_ops(const model::ClipConfig& config) {
  const model::TextConfig& c = config.text;
  Shapes shapes;
  add_transformer({c.layers, c.context_length, c.width, c.heads, c.mlp_width, c.activation, true},
                  shapes);
  shapes.product("projection", 1, config.embed_dim, c.width);
  return shapes.take();
}

}  // namespace clipnext::bench
