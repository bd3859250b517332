#include "run/dry_run.h"

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <variant>

#include "base/checked.h"
#include "base/error.h"
#include "model/params.h"
#include "run/training_config.h"

namespace clipnext::run {
namespace {

constexpr int64_t kFloat = 4;
// Of a picture and its caption as stored, for the shuffle buffers: LAION's at 384 px or so.
constexpr int64_t kSampleBytes = 60'000;
// spec training.md 7.6: what a block keeps for the backward pass, per element of its output,
// without and with gradient checkpointing, under bf16 autocast.
constexpr int64_t kKeptBytes = 27;
constexpr int64_t kCheckpointedBytes = 4;
constexpr int64_t kTile = int64_t{1} << 24;  // elements of a tile of logits

int64_t mul(int64_t a, int64_t b) { return checked_mul(a, b, "bytes of a run"); }

// Elements that the blocks of both towers put out for one pair.
int64_t block_elements(const model::ClipConfig& config) {
  int64_t total = config.text.layers * config.text.context_length * config.text.width;
  if (const auto* convnext = std::get_if<model::ConvNextConfig>(&config.vision)) {
    int64_t stride = 4;
    for (size_t stage = 0; stage < 4; ++stage, stride *= 2) {
      total += convnext->depths.at(stage) * convnext->dims.at(stage) *
               (config.image_height / stride) * (config.image_width / stride);
    }
  } else if (const auto* vit = std::get_if<model::VitConfig>(&config.vision)) {
    const int64_t tokens =
        (config.image_height / vit->patch) * (config.image_width / vit->patch) + 1;
    total += vit->layers * tokens * vit->width;
  } else if (const auto* resnet = std::get_if<model::ResNetConfig>(&config.vision)) {
    int64_t stride = 4;
    for (size_t stage = 0; stage < 4; ++stage, stride *= 2) {
      total += resnet->layers.at(stage) * (resnet->width << stage) * 4 *
               (config.image_height / stride) * (config.image_width / stride);
    }
  }
  return total;
}

struct ModelSize {
  int64_t parameters = 0, tensors = 0;
  int64_t features = 0;  // width
};

ModelSize size_of(const model::ClipConfig& config) {
  ModelSize size{.features = config.embed_dim};
  for (const model::ParamInfo& info : model::list_params(config)) {
    if (info.role == model::Role::kStatistic) continue;
    size.parameters += checked_numel(info.shape, "parameters");
    ++size.tensors;
  }
  return size;
}

/// The model that is distilled from, if there is one.
ModelSize teacher_size(const TrainOptions& options) {
  return options.distill_model ? size_of(teacher_config(options)) : ModelSize{};
}

RankMemory memory_of(const TrainOptions& options, const model::ClipConfig& config,
                     const DryRun& run, const ModelSize& teacher, int64_t world) {
  RankMemory memory;
  memory.gradients = mul(run.parameters, kFloat);
  memory.weights = memory.gradients + mul(teacher.parameters, kFloat);
  memory.moments = mul(run.parameters, 2 * kFloat);
  const int64_t rows = mul(options.batch_size, options.accum_freq);
  const int64_t own = mul(mul(rows, config.embed_dim + teacher.features), 2 * kFloat);
  const int64_t tile = std::min(mul(rows, mul(rows, world)), kTile) * kFloat;
  // All ranks' features and one's own gradients, or the own ones and one rank's under way.
  memory.loss = (options.loss_memory == "exchange" ? 3 * own : mul(own, world + 1)) + tile;
  memory.activations = mul(mul(block_elements(config), options.batch_size),
                           options.grad_checkpointing ? kCheckpointedBytes : kKeptBytes);
  memory.shuffle =
      mul(mul(options.shuffle_buffer, std::max<int64_t>(options.workers, 1)), kSampleBytes);
  return memory;
}

RankTraffic traffic_of(const TrainOptions& options, const model::ClipConfig& config,
                       const DryRun& run, const ModelSize& teacher, int64_t world) {
  if (world == 1) return {};
  const int64_t rows = mul(options.batch_size, options.accum_freq);
  const int64_t width = config.embed_dim + teacher.features;
  const int64_t others = mul(mul(mul(rows, width), 2 * kFloat), world - 1);
  // Exchanged, they come once for the loss and once for its gradient.
  RankTraffic traffic{.features = options.loss_memory == "exchange" ? 2 * others : others};
  traffic.weight_gradients = mul(2 * run.memory.gradients / world, world - 1);
  return traffic;
}

std::vector<LrPoint> lr_points(const Schedule& schedule) {
  std::vector<int64_t> steps = {0};
  if (schedule.warmup > 0 && schedule.course != LrCourse::kSkipped) {
    steps.push_back(schedule.warmup - 1);
  }
  for (int64_t quarter = 1; quarter < 4; ++quarter) {
    steps.push_back(schedule.total_steps / 4 * quarter);
  }
  if (schedule.course == LrCourse::kConstCooldown) {
    steps.push_back(schedule.total_steps - schedule.cooldown_steps);
  }
  steps.push_back(schedule.total_steps - 1);
  std::sort(steps.begin(), steps.end());
  steps.erase(std::unique(steps.begin(), steps.end()), steps.end());
  std::vector<LrPoint> points;
  for (const int64_t step : steps) {
    if (step >= 0 && step < schedule.total_steps) points.push_back({step, lr_at(schedule, step)});
  }
  return points;
}

// 1234567 to "1,234,567".
std::string grouped(int64_t value) {
  std::string digits = std::to_string(value);
  for (auto at = static_cast<int64_t>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<size_t>(at), ",");
  }
  return digits;
}

[[gnu::format(printf, 2, 3)]] void add_line(std::string& text, const char* pattern, ...) {
  std::array<char, 400> line{};
  va_list arguments;
  va_start(arguments, pattern);
  std::vsnprintf(line.data(), line.size(), pattern, arguments);
  va_end(arguments);
  (text += line.data()) += '\n';
}

std::string bytes_text(int64_t bytes) {
  std::array<char, 48> text{};
  const auto value = static_cast<double>(bytes);
  if (value >= 1e9) {
    std::snprintf(text.data(), text.size(), "%.2f GB", value / 1e9);
  } else {
    std::snprintf(text.data(), text.size(), "%.1f MB", value / 1e6);
  }
  return text.data();
}

}  // namespace

DryRun dry_run(const TrainOptions& options, const model::ClipConfig& config,
               const DryRunInput& input) {
  DryRun run;
  const data::EpochShares shares{.batch_size = options.batch_size,
                                 .world = input.world,
                                 .workers = std::max<int64_t>(options.workers, 1)};
  run.epoch = input.streamed ? data::shard_epoch(input.num_samples, shares)
                             : data::table_epoch(input.num_samples, shares);
  run.steps_per_epoch = run.epoch.batches / options.accum_freq;
  run.schedule = make_schedule(options, run.steps_per_epoch);
  run.total_steps = run.schedule.total_steps;
  run.global_batch = mul(mul(options.batch_size, options.accum_freq), input.world);
  run.total_samples = mul(run.total_steps, run.global_batch);
  run.lr = lr_points(run.schedule);
  const ModelSize student = size_of(config), teacher = teacher_size(options);
  run.parameters = student.parameters;
  run.tensors = student.tensors;
  const int64_t readers = mul(input.world, std::max<int64_t>(options.workers, 1));
  if (input.shards > 0) {
    require(options.dataset_resampled || input.shards >= readers, input.shards, " shards for ",
            readers, " workers (", input.world, " processes of ",
            std::max<int64_t>(options.workers, 1),
            "): each needs one of its own; fewer --workers, or --dataset-resampled");
    run.shards_per_worker = input.shards / readers;
  }
  run.memory = memory_of(options, config, run, teacher, input.world);
  if (!input.streamed) run.memory.shuffle = 0;
  run.traffic = traffic_of(options, config, run, teacher, input.world);
  return run;
}

std::string dry_run_text(const DryRun& run) {
  std::string text;
  add_line(text, "batches an epoch        %s, of %s samples a step",
           grouped(run.epoch.batches).c_str(), grouped(run.global_batch).c_str());
  add_line(text, "samples an epoch        %s", grouped(run.epoch.samples).c_str());
  add_line(text, "optimizer steps         %s (%s an epoch), %s samples",
           grouped(run.total_steps).c_str(), grouped(run.steps_per_epoch).c_str(),
           grouped(run.total_samples).c_str());
  for (const LrPoint& point : run.lr) {
    add_line(text, "learning rate           %.6g at step %s", point.lr,
             grouped(point.step).c_str());
  }
  if (run.shards_per_worker > 0) {
    add_line(text, "shards of each worker   %s", grouped(run.shards_per_worker).c_str());
  }
  add_line(text, "parameters              %s in %s tensors", grouped(run.parameters).c_str(),
           grouped(run.tensors).c_str());
  const RankMemory& m = run.memory;
  add_line(text,
           "memory of each process  %s: weights %s, gradients %s, moments %s, loss %s, "
           "activations about %s",
           bytes_text(m.weights + m.gradients + m.moments + m.loss + m.activations).c_str(),
           bytes_text(m.weights).c_str(), bytes_text(m.gradients).c_str(),
           bytes_text(m.moments).c_str(), bytes_text(m.loss).c_str(),
           bytes_text(m.activations).c_str());
  if (m.shuffle > 0) {
    add_line(text, "  on the host besides   about %s of samples being shuffled",
             bytes_text(m.shuffle).c_str());
  }
  const RankTraffic& t = run.traffic;
  add_line(text, "received in each step   %s: features %s, gradients %s",
           bytes_text(t.features + t.weight_gradients).c_str(), bytes_text(t.features).c_str(),
           bytes_text(t.weight_gradients).c_str());
  return text;
}

OrderedJson dry_run_json(const DryRun& run) {
  OrderedJson lr = OrderedJson::array();
  for (const LrPoint& point : run.lr) lr.push_back({{"step", point.step}, {"lr", point.lr}});
  return {
      {"batches_per_epoch", run.epoch.batches},
      {"samples_per_epoch", run.epoch.samples},
      {"steps_per_epoch", run.steps_per_epoch},
      {"steps", run.total_steps},
      {"samples", run.total_samples},
      {"global_batch", run.global_batch},
      {"shards_per_worker", run.shards_per_worker},
      {"parameters", run.parameters},
      {"tensors", run.tensors},
      {"lr", lr},
      {"memory_bytes",
       {{"weights", run.memory.weights},
        {"gradients", run.memory.gradients},
        {"moments", run.memory.moments},
        {"loss", run.memory.loss},
        {"activations", run.memory.activations},
        {"shuffle", run.memory.shuffle}}},
      {"received_bytes_per_step",
       {{"features", run.traffic.features}, {"weight_gradients", run.traffic.weight_gradients}}}};
}

}  // namespace clipnext::run
