#include "infer/resnet.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "image/preprocess.h"

namespace clipnext::infer {
namespace {

constexpr Window kStemWindow{3, 2, 1};
constexpr Window kWindow{3, 1, 1};
constexpr int64_t kGroupFloats = int64_t{8} << 20;  // of the largest map, to bound memory

/// y [n, h / s, w / s, c] = means of s x s squares of x [n, h, w, c].
void average_pool(Engine& engine, const float* x, int64_t n, int64_t h, int64_t w, int64_t c,
                  int64_t s, float* y) {
  const int64_t out_h = h / s;
  const int64_t out_w = w / s;
  const float share = 1.0f / static_cast<float>(s * s);
  engine.pool.parallel_for(n * out_h, [&](int64_t i) {
    const float* rows = x + (i / out_h * h + i % out_h * s) * w * c;
    float* out = y + i * out_w * c;
    for (int64_t column = 0; column < out_w; ++column, out += c) {
      std::fill_n(out, c, 0.0f);
      for (int64_t tap = 0; tap < s * s; ++tap) {
        const float* in = rows + (tap / s * w + column * s + tap % s) * c;
        for (int64_t j = 0; j < c; ++j) out[j] += in[j];
      }
      for (int64_t j = 0; j < c; ++j) out[j] *= share;
    }
  });
}

}  // namespace

ResNetTower::ResNetTower(const model::ClipConfig& config, model::ResNetParams<Weight> params)
    : config_(std::get<model::ResNetConfig>(config.vision)),
      height_(config.image_height),
      width_(config.image_width),
      embed_dim_(config.embed_dim),
      table_(image::normalization_table(config.preprocess)),
      params_(std::move(params)),
      positions_(weights::to_f32(params_.positional_embedding.table)) {}

void ResNetTower::embed(Engine& engine, const model::PixelBatch& batch, float* out,
                        const Trace& trace) {
  require(batch.h == height_ && batch.w == width_, "picture of ", batch.w, "x", batch.h,
          ": this ResNet takes ", width_, "x", height_, " only");
  const int64_t floats = (batch.h / 4 + 1) * (batch.w / 4 + 1) * config_.width * 4;
  const int64_t group = trace ? batch.n : std::max<int64_t>(1, kGroupFloats / floats);
  for (int64_t i = 0; i < batch.n; i += group) {
    const model::PixelBatch part{batch.pixels + i * batch.h * batch.w * 3,
                                 std::min(group, batch.n - i), batch.h, batch.w};
    embed_group(engine, part, out + i * embed_dim_, trace);
  }
}

void ResNetTower::embed_group(Engine& engine, const model::PixelBatch& batch, float* out,
                              const Trace& trace) {
  Map map = stem(engine, batch, trace);
  for (size_t k = 0; k < 4; ++k) {
    const std::string layer = trace ? "visual.layer" + std::to_string(k + 1) : std::string();
    for (size_t j = 0; j < params_.layers[k].size(); ++j) {
      const int64_t stride = j == 0 && k > 0 ? 2 : 1;
      map = block(engine, map, stride, params_.layers[k][j],
                  trace ? layer + "." + std::to_string(j) : std::string(), trace);
    }
    if (trace) trace(layer, x_.data(), map.shape());
  }
  attention_pool(engine, map, out, trace);
}

ResNetTower::Map ResNetTower::stem(Engine& engine, const model::PixelBatch& batch,
                                   const Trace& trace) {
  const auto relu = [](const Conv& conv) {
    return kernels::Epilogue{.bias = conv.bias.data(), .act = kernels::Act::kRelu};
  };
  Map map{batch.n, kStemWindow.outputs(batch.h), kStemWindow.outputs(batch.w),
          params_.stem[0].weight.n};
  convolve(engine, map.rows(), params_.stem[0].weight, relu(params_.stem[0]),
           x_.ensure(map.rows() * map.c), [&](int64_t begin, int64_t end, float* patches) {
             gather_pixels(batch, table_, kStemWindow, begin, end, patches);
           });
  if (trace) trace("visual.act1", x_.data(), map.shape());
  for (size_t i = 1; i < 3; ++i) {
    const Conv& conv = params_.stem[i];
    convolve(engine, map.rows(), conv.weight, relu(conv), y_.ensure(map.rows() * conv.weight.n),
             [&](int64_t begin, int64_t end, float* patches) {
               gather_map(x_.data(), map.h, map.w, map.c, kWindow, begin, end, patches);
             });
    std::swap(x_, y_);
    map.c = conv.weight.n;
    if (trace) trace("visual.act" + std::to_string(i + 1), x_.data(), map.shape());
  }
  const Map pooled{map.n, map.h / 2, map.w / 2, map.c};
  average_pool(engine, x_.data(), map.n, map.h, map.w, map.c, 2,
               y_.ensure(pooled.rows() * pooled.c));
  std::swap(x_, y_);
  if (trace) trace("visual.avgpool", x_.data(), pooled.shape());
  return pooled;
}

ResNetTower::Map ResNetTower::block(Engine& engine, const Map& in, int64_t stride,
                                    const model::Bottleneck<Weight>& p, const std::string& at,
                                    const Trace& trace) {
  constexpr auto kRelu = kernels::Act::kRelu;
  const int64_t planes = p.conv1.weight.n;
  const Map map{in.n, in.h / stride, in.w / stride, p.conv3.weight.n};

  float* a = y_.ensure(in.rows() * planes);
  linear(engine, x_.data(), in.c, in.rows(), p.conv1.weight,
         {.bias = p.conv1.bias.data(), .act = kRelu}, a, planes);
  if (trace) trace(at + ".act1", a, {in.n, in.h, in.w, planes});
  float* b = z_.ensure(in.rows() * planes);
  convolve(engine, in.rows(), p.conv2.weight, {.bias = p.conv2.bias.data(), .act = kRelu}, b,
           [&](int64_t begin, int64_t end, float* patches) {
             gather_map(a, in.h, in.w, planes, kWindow, begin, end, patches);
           });
  if (trace) trace(at + ".act2", b, {in.n, in.h, in.w, planes});
  if (stride > 1) {
    average_pool(engine, b, in.n, in.h, in.w, planes, stride, a);
    std::swap(a, b);
  }

  const float* residual = x_.data();
  if (p.downsample.weight.n > 0) {
    const float* source = x_.data();
    ScratchPool::Lease pooled(engine.scratch, stride > 1 ? map.rows() * in.c : 0);
    if (stride > 1) {
      average_pool(engine, source, in.n, in.h, in.w, in.c, stride, pooled.data());
      source = pooled.data();
    }
    float* y = shortcut_.ensure(map.rows() * map.c);
    linear(engine, source, in.c, map.rows(), p.downsample.weight,
           {.bias = p.downsample.bias.data()}, y, map.c);
    std::swap(x_, shortcut_);
    residual = x_.data();
  }
  linear(
      engine, b, planes, map.rows(), p.conv3.weight,
      {.bias = p.conv3.bias.data(), .residual = residual, .ld_residual = map.c, .relu_after = true},
      x_.data(), map.c);
  if (trace) trace(at, x_.data(), map.shape());
  return map;
}

/// Attention of the mean (with its position) over itself and all pixels; only its output counts.
void ResNetTower::attention_pool(Engine& engine, const Map& map, float* out, const Trace& trace) {
  const int64_t c = map.c;
  const int64_t pixels = map.h * map.w;
  const int64_t tokens = pixels + 1;
  const int64_t n = map.n;
  float* x = y_.ensure(n * tokens * c);
  engine.pool.parallel_for(n, [&](int64_t i) {
    const float* in = x_.data() + i * pixels * c;
    float* y = x + i * tokens * c;
    engine.kernels.mean_rows(in, pixels, c, y);
    std::copy_n(in, pixels * c, y + c);
    for (int64_t j = 0; j < tokens * c; ++j) y[j] += positions_[static_cast<size_t>(j)];
  });

  ScratchPool::Lease query(engine.scratch, 2 * n * c);
  float* q = query.data();    // [n, c]
  float* pooled = q + n * c;  // [n, c]
  float* k = z_.ensure(n * tokens * c);
  float* v = shortcut_.ensure(n * tokens * c);
  linear(engine, x, tokens * c, n, params_.q_weight, {.bias = params_.q_bias.data()}, q, c);
  linear(engine, x, c, n * tokens, params_.k_weight, {.bias = params_.k_bias.data()}, k, c);
  linear(engine, x, c, n * tokens, params_.v_weight, {.bias = params_.v_bias.data()}, v, c);
  const int64_t heads = config_.heads;
  const int64_t d = c / heads;
  engine.pool.parallel_for(n * heads, [&](int64_t i) {
    const int64_t column = i % heads * d;
    const int64_t first = i / heads * tokens * c + column;
    const int64_t at = i / heads * c + column;
    ScratchPool::Lease scratch(engine.scratch, engine.kernels.attention_scratch(tokens, d));
    engine.kernels.attention(q + at, k + first, v + first, c, 1, tokens, d, false, scratch.data(),
                             pooled + at, c);
  });
  linear(engine, pooled, c, n, params_.c_weight, {.bias = params_.c_bias.data()}, out, embed_dim_);
  if (trace) trace("visual", out, {n, embed_dim_});
}

}  // namespace clipnext::infer
