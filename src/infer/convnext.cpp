#include "infer/convnext.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "image/preprocess.h"

namespace clipnext::infer {
namespace {

constexpr Window kPatch4{4, 4, 0};
constexpr Window kPatch2{2, 2, 0};
constexpr Window kOverlap{3, 2, 1};
constexpr int64_t kSmallestSide = 32;
// Pictures go through in groups whose largest map is about this big, so that memory is bounded.
constexpr int64_t kGroupFloats = int64_t{8} << 20;

std::string number(size_t i) { return std::to_string(i); }

}  // namespace

ConvNextTower::ConvNextTower(const model::ClipConfig& config, model::ConvNextParams<Weight> params)
    : config_(std::get<model::ConvNextConfig>(config.vision)),
      embed_dim_(config.embed_dim),
      table_(image::normalization_table(config.preprocess)),
      params_(std::move(params)) {}

void ConvNextTower::embed(Engine& engine, const model::PixelBatch& batch, float* out,
                          const Trace& trace) {
  require(batch.h >= kSmallestSide && batch.w >= kSmallestSide, "picture of ", batch.w, "x",
          batch.h, ": a ConvNeXt needs at least ", kSmallestSide, "x", kSmallestSide);
  const int64_t floats = (batch.h / 4 + 1) * (batch.w / 4 + 1) * config_.dims[0];
  const int64_t group = trace ? batch.n : std::max<int64_t>(1, kGroupFloats / floats);
  for (int64_t i = 0; i < batch.n; i += group) {
    const model::PixelBatch part{batch.pixels + i * batch.h * batch.w * 3,
                                 std::min(group, batch.n - i), batch.h, batch.w};
    embed_group(engine, part, out + i * embed_dim_, trace);
  }
}

void ConvNextTower::embed_group(Engine& engine, const model::PixelBatch& batch, float* out,
                                const Trace& trace) {
  Map map = stem(engine, batch, trace);
  for (size_t i = 0; i < 4; ++i) {
    const std::string at = trace ? "visual.trunk.stages." + number(i) : "";
    const auto& stage = params_.stages[i];
    if (i > 0) map = downsample(engine, map, stage, at, trace);
    for (size_t j = 0; j < stage.blocks.size(); ++j) {
      block(engine, map, stage.blocks[j], trace ? at + ".blocks." + number(j) : "", trace);
    }
    if (trace) trace(at, x_.data(), map.shape());
  }
  head(engine, map, out, trace);
}

ConvNextTower::Map ConvNextTower::stem(Engine& engine, const model::PixelBatch& batch,
                                       const Trace& trace) {
  const bool patch = config_.stem == model::StemType::kPatch;
  const Window& window = patch ? kPatch4 : kOverlap;
  Map map{batch.n, window.outputs(batch.h), window.outputs(batch.w), params_.stem0_weight.n};
  const auto gather = [&](int64_t begin, int64_t end, float* patches) {
    gather_pixels(batch, table_, window, begin, end, patches);
  };
  convolve(engine, map.rows(), params_.stem0_weight, {.bias = params_.stem0_bias.data()},
           x_.ensure(map.rows() * map.c), gather);
  if (trace) trace("visual.trunk.stem.0", x_.data(), map.shape());

  if (!patch) {
    const Map in = map;
    map = {in.n, kOverlap.outputs(in.h), kOverlap.outputs(in.w), params_.stem1_weight.n};
    const auto gather_again = [&](int64_t begin, int64_t end, float* patches) {
      gather_map(x_.data(), in.h, in.w, in.c, kOverlap, begin, end, patches);
    };
    convolve(engine, map.rows(), params_.stem1_weight, {.bias = params_.stem1_bias.data()},
             y_.ensure(map.rows() * map.c), gather_again);
    std::swap(x_, y_);
    if (trace) trace("visual.trunk.stem.1", x_.data(), map.shape());
  }
  norm_rows(engine, params_.stem_norm, config_.eps, x_.data(), map.rows(), map.c, x_.data());
  if (trace) trace("visual.trunk.stem", x_.data(), map.shape());
  return map;
}

ConvNextTower::Map ConvNextTower::downsample(Engine& engine, const Map& in,
                                             const model::ConvNextStage<Weight>& stage,
                                             const std::string& at, const Trace& trace) {
  float* x = x_.data();
  norm_rows(engine, stage.downsample_norm, config_.eps, x, in.rows(), in.c, x);
  if (trace) trace(at + ".downsample.0", x, in.shape());
  const Map map{in.n, in.h / 2, in.w / 2, stage.downsample_weight.n};
  const auto gather = [&](int64_t begin, int64_t end, float* patches) {
    gather_map(x, in.h, in.w, in.c, kPatch2, begin, end, patches);
  };
  convolve(engine, map.rows(), stage.downsample_weight, {.bias = stage.downsample_bias.data()},
           y_.ensure(map.rows() * map.c), gather);
  std::swap(x_, y_);
  if (trace) trace(at + ".downsample", x_.data(), map.shape());
  return map;
}

void ConvNextTower::block(Engine& engine, const Map& map, const model::ConvNextBlock<Weight>& p,
                          const std::string& at, const Trace& trace) {
  float* x = x_.data();
  float* y = y_.ensure(map.rows() * map.c);
  const int64_t picture = map.h * map.w * map.c;
  const int64_t row = map.w * map.c;
  const NormSpec norm{p.norm.weight.data(), p.norm.bias.data(), config_.eps};
  const RowsLease normed(engine.scratch, p.fc1_weight.type, map.rows(), map.c);

  // Several tasks a thread; each reads three rows above and below its own, so not too thin.
  const int64_t wanted = (engine.pool.size() * int64_t{4} + map.n - 1) / map.n;
  const Pieces bands{map.h, std::clamp<int64_t>(map.h / 2, 1, wanted)};
  engine.pool.parallel_for(map.n * bands.parts, [&](int64_t i) {
    const int64_t n = i / bands.parts;
    const int64_t begin = bands.begin(i % bands.parts);
    const int64_t end = bands.end(i % bands.parts);
    engine.kernels.depthwise_conv7(x + n * picture, map.h, map.w, map.c, p.dw_weight.data(),
                                   p.dw_bias.data(), begin, end, y + n * picture);
    norm_rows(engine.kernels, norm, y + n * picture + begin * row, map.c, (end - begin) * map.w,
              map.c, normed.rows().from((n * map.h + begin) * map.w));  // while it is in cache
  });
  if (trace) {
    trace(at + ".conv_dw", y, map.shape());
    norm_rows(engine, p.norm, config_.eps, y, map.rows(), map.c, y);
    trace(at + ".norm", y, map.shape());
  }
  add_mlp(engine,
          {.fc1 = p.fc1_weight,
           .fc1_bias = p.fc1_bias,
           .act = kernels::Act::kGelu,
           .fc2 = p.fc2_weight,
           .fc2_bias = p.fc2_bias,
           .scale = p.gamma.data()},
          normed.rows(), map.rows(), x);
  if (trace) trace(at, x, map.shape());
}

void ConvNextTower::head(Engine& engine, const Map& map, float* out, const Trace& trace) {
  if (config_.head_norm_first) {
    norm_rows(engine, params_.norm_pre, config_.eps, x_.data(), map.rows(), map.c, x_.data());
    if (trace) trace("visual.trunk.norm_pre", x_.data(), map.shape());
  }
  const int64_t n = map.n;
  int64_t features = map.c;
  float* x = y_.ensure(n * features);  // [n, c]
  engine.pool.parallel_for(n, [&](int64_t i) {
    engine.kernels.mean_rows(x_.data() + i * map.h * map.w * map.c, map.h * map.w, map.c,
                             x + i * features);
  });
  if (!config_.head_norm_first) {
    norm_rows(engine, params_.head_norm, config_.eps, x, n, features, x);
  }

  const auto dense = [&](const Weight& w, const Weight& bias, kernels::Act act, float* y) {
    linear(engine, x, features, n, w, {.bias = bias.data(), .act = act}, y, w.n);
    x = y;
    features = w.n;
  };
  constexpr auto kGelu = kernels::Act::kGelu;
  ScratchPool::Lease hidden(engine.scratch, n * std::max(config_.pre_logits, 2 * embed_dim_));
  if (config_.pre_logits > 0) {
    dense(params_.pre_logits_weight, params_.pre_logits_bias, kGelu, hidden.data());
  }
  if (trace) trace("visual.trunk.head", x, {n, features});

  if (config_.head == model::HeadType::kLinear) {
    dense(params_.head_proj_weight, params_.head_proj_bias, kernels::Act::kNone, out);
  } else if (config_.head == model::HeadType::kMlp) {
    float* y = x == hidden.data() ? y_.ensure(n * 2 * embed_dim_) : hidden.data();
    dense(params_.head_fc1_weight, params_.head_fc1_bias, kGelu, y);
    dense(params_.head_fc2_weight, params_.head_fc2_bias, kernels::Act::kNone, out);
  } else {
    std::copy_n(x, n * features, out);
  }
  if (trace) trace("visual", out, {n, features});
}

}  // namespace clipnext::infer
