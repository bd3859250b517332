// Time of a training step's forward and backward pass on the CPU, float32, drop path 0.1:
// `train_bench MODEL SIDE BATCH [STEPS [THREADS]]` with the timm name of a ConvNeXt. The text tower
// is 12 layers of 512, captions have 8 to 20 tokens. One JSON object, of the fastest step. Its
// counterpart for open_clip: tools/time_open_clip_training.py.
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "train/clip.h"
#include "train/memory.h"

namespace {

using namespace clipnext;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

model::ClipConfig config_of(const std::string& timm_name, int side) {
  const Json json = {{"embed_dim", 512},
                     {"vision_cfg",
                      {{"timm_model_name", timm_name},
                       {"timm_model_pretrained", false},
                       {"timm_pool", ""},
                       {"timm_proj", "linear"},
                       {"timm_drop", 0.0},
                       {"timm_drop_path", 0.1},
                       {"image_size", side}}},
                     {"text_cfg",
                      {{"context_length", 77},
                       {"vocab_size", 49408},
                       {"width", 512},
                       {"heads", 8},
                       {"layers", 12}}}};
  return model::parse_model_config(json, timm_name, "train_bench");
}

model::TokenRows captions(int64_t batch) {
  model::TokenRows rows;
  for (int64_t i = 0; i < batch; ++i) {
    std::vector<int32_t> ids = {49406};
    const int64_t words = 6 + i * 5 % 13;
    for (int64_t j = 0; j < words; ++j)
      ids.push_back(static_cast<int32_t>((i * 977 + j * 131) % 49000));
    ids.push_back(49407);
    rows.add(ids);
  }
  return rows;
}

/// The loss of open_clip on one rank.
at::Tensor contrastive_loss(const train::Params& params, const at::Tensor& image,
                            const at::Tensor& text) {
  const at::Tensor logits =
      params.logit_scale.exp() * at::matmul(train::normalise(image), train::normalise(text).t());
  const at::Tensor labels = at::arange(image.size(0), at::kLong);
  return (at::cross_entropy_loss(logits, labels) + at::cross_entropy_loss(logits.t(), labels)) / 2;
}

/// Milliseconds of the fastest: what else runs on the machine only ever adds.
double fastest(const std::vector<double>& seconds) {
  return 1e3 * *std::min_element(seconds.begin(), seconds.end());
}

int run(int argc, char** argv) {
  require(argc >= 4, "usage: train_bench TIMM_NAME SIDE BATCH [STEPS [THREADS]]");
  train::keep_freed_memory();
  const int side = std::atoi(argv[2]);
  const int64_t batch = std::atoll(argv[3]);
  const int steps = argc > 4 ? std::atoi(argv[4]) : 5;
  if (argc > 5) at::set_num_threads(std::atoi(argv[5]));

  const auto config = config_of(argv[1], side);
  train::Params params = train::make_params(config);
  train::initialise(params, config, 0);
  std::vector<at::Tensor> leaves;
  train::for_each_param(params, config, [&](at::Tensor& leaf, const model::ParamInfo&) {
    if (leaf.requires_grad()) leaves.push_back(leaf);
  });
  const at::Tensor pixels =
      at::sin(at::arange(batch * side * side * 3, at::kFloat) * 0.37).view({batch, side, side, 3});
  const auto tokens = captions(batch);
  std::vector<double> image, text, backward, whole;
  for (int step = 0; step <= steps; ++step) {
    const train::Mode mode{.training = true, .random = train::pass_key(0, 0, step)};
    const double start = now();
    const at::Tensor x = train::encode_image(params, config, pixels, mode);
    const double after_image = now();
    const at::Tensor y = train::encode_text(params, config, tokens, mode);
    const double after_text = now();
    const auto gradients = torch::autograd::grad({contrastive_loss(params, x, y)}, leaves);
    const double end = now();
    if (step == 0) continue;  // warms up
    image.push_back(after_image - start);
    text.push_back(after_text - after_image);
    backward.push_back(end - after_text);
    whole.push_back(end - start);
  }
  const Json result = {{"model", argv[1]},
                       {"side", side},
                       {"batch", batch},
                       {"threads", at::get_num_threads()},
                       {"image_ms", fastest(image)},
                       {"text_ms", fastest(text)},
                       {"backward_ms", fastest(backward)},
                       {"step_ms", fastest(whole)}};
  std::printf("%s\n", result.dump().c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "train_bench: %s\n", error.what());
    return 1;
  }
}
