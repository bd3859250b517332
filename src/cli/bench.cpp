// clipnext bench: what this machine can do, and how much of it the kernels and towers reach.
#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "bench/ceiling.h"
#include "bench/machine.h"
#include "bench/ops.h"
#include "bench/tower.h"
#include "cli/bench_preprocess.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "infer/clip.h"
#include "model/builtin.h"
#include "model/synthetic.h"

namespace clipnext::cli {
namespace {

constexpr int64_t kBatches[] = {1, 8, 32};
constexpr int64_t kMaxBatch = 4096;

struct Options {
  CommonOptions common;
  ModelOptions model;
  int64_t batch = 0;
  std::string tower;
  std::string preprocess;
  double min_time = 1.0;
  bool each_line = false;
  std::filesystem::path out;

  bool one_case() const { return batch > 0 || !tower.empty(); }
};

// ---- the model ----

// A config name without weights is timed with synthetic ones: speed does not depend on values.
bool is_config_alone(const ModelOptions& o) {
  if (!o.pretrained.empty()) return false;
  if (std::filesystem::path(o.model).extension() == ".json") return true;
  const auto configs = model::builtin_configs();
  return std::any_of(configs.begin(), configs.end(),
                     [&](const model::BuiltinFile& file) { return file.name == o.model; });
}

void run_preprocess(const Options& o) {
  const model::ClipConfig config =
      is_config_alone(o.model) ? model::open_config(o.model.model) : open_model(o.model).config;
  bench_preprocess({.picture = o.preprocess,
                    .config = config.preprocess,
                    .min_time = o.min_time,
                    .json = o.common.json,
                    .each_line = o.each_line});
}

model::Model open_source(const Options& o) {
  if (!is_config_alone(o.model)) return open_model(o.model);
  ThreadPool pool(o.common.threads);
  model::Model model;
  model.config = model::open_config(o.model.model);
  model.checkpoint.tensors = model::synthetic_weights(model.config, pool);
  model.name = model.config.name + " (synthetic weights)";
  return model;
}

// ---- numbers ----

// Six digits: more would be noise.
OrderedJson number(double value) { return OrderedJson::parse(format("%.6g", value)); }

double share(double rate, double ceiling) { return ceiling > 0 ? rate / ceiling : 0; }

// JSON null where there is no ceiling to be a share of (the `ref` kernels, other devices).
OrderedJson share_json(double value) { return value > 0 ? number(value) : OrderedJson(); }

std::string share_text(double value) {
  return value > 0 ? format("%6.1f %%", 100 * value) : std::string(8, ' ');
}

const char* tower_name(bench::Tower tower) {
  return tower == bench::Tower::kImage ? "image" : "text";
}

struct TowerCase {
  bench::Tower tower;
  int64_t batch;
  int threads;
  double flops;    // of one item
  double ceiling;  // operations a second
};

OrderedJson to_json(const TowerCase& c, const bench::Timing& timing) {
  const double rate = c.flops / timing.minimum;
  return {{"tower", tower_name(c.tower)},
          {"batch", c.batch},
          {"threads", c.threads},
          {"seconds_per_item", number(timing.minimum)},
          {"seconds_per_item_median", number(timing.median)},
          {"repeats", timing.repeats},
          {"flops_per_item", c.flops},
          {"operations_per_second", number(rate)},
          {"ceiling_operations_per_second", number(c.ceiling)},
          {"share_of_ceiling", share_json(share(rate, c.ceiling))}};
}

std::string row(const TowerCase& c, const bench::Timing& timing) {
  const double rate = c.flops / timing.minimum;
  return format("%-5s  %5ld  %7d  %11.3f  %11.3f  %8.1f  ", tower_name(c.tower),
                static_cast<long>(c.batch), c.threads, 1e3 * timing.minimum, 1e3 * timing.median,
                rate * 1e-9) +
         share_text(share(rate, c.ceiling)) + "\n";
}

constexpr const char* kTowerHead =
    "tower  batch  threads  ms per item       median    Gop/s   ceiling\n";

// ---- one case ----

// Best of before and after, since other programs may have been in the way of one.
double measure_ceiling(ThreadPool& pool, const std::string& dtype, double min_time) {
  const double seconds = std::min(min_time, 0.3);
  return bench::ceiling_of(bench::measure_ceilings(kernels::kernels(), pool, seconds), dtype);
}

void run_one(const Options& o, const Backend& backend) {
  model::Model source = open_source(o);
  ThreadPool pool(o.common.threads);
  const ReadyModel ready = backend.load(source, pool, chosen_type(o.model, backend.has_kernels()));
  const std::string dtype = infer::compute_type_name(ready.type);
  const auto ceiling = [&] {
    return backend.has_kernels() ? measure_ceiling(pool, dtype, o.min_time) : 0;
  };
  source.checkpoint.tensors.clear();
  TowerCase c{.tower = o.tower == "text" ? bench::Tower::kText : bench::Tower::kImage,
              .batch = std::max<int64_t>(1, o.batch),
              .threads = pool.size(),
              .flops = 0,
              .ceiling = ceiling()};
  c.flops = bench::tower_flops(source.config, c.tower);
  bench::TowerRun run(*ready.clip, c.tower, c.batch);

  const auto measure = [&] {
    const bench::Timing timing = run.time(o.min_time);
    c.ceiling = std::max(c.ceiling, ceiling());
    OrderedJson json = {{"model", source.name}, {"dtype", dtype}, {"isa", ready.isa}};
    json.update(to_json(c, timing));
    if (!o.out.empty()) write_file(o.out, json.dump(1) + "\n");
    if (o.common.json || o.each_line) {
      print_json(json);
    } else {
      print(source.name + ", " + dtype + (backend.has_kernels() ? ", kernels " : ", ") + ready.isa +
            "\n\n" + kTowerHead + row(c, timing));
    }
    require(std::fflush(stdout) == 0, "standard output cannot be written");
    throw_if_interrupted();
  };
  if (!o.each_line) return measure();
  for (std::string line; std::getline(std::cin, line);) measure();
}

// ---- everything ----

class Suite {
 public:
  explicit Suite(const Options& o) : o_(o), type_(chosen_type(o.model)) {}

  void run() {
    const model::Model source = open_source(o_);
    report_machine();
    const std::vector<int> threads = thread_counts();
    ceilings(threads);
    dtype_ = infer::compute_type_name(infer::load_type(source, type_));
    json_["model"] = source.name;
    json_["dtype"] = dtype_;
    text("\n" + source.name + ", " + dtype_ + "\n");
    kernels(source.config);
    towers(source, threads);
    finish();
  }

 private:
  void text(const std::string& line) const {
    if (o_.common.json) return;
    print(line);
    std::fflush(stdout);
  }

  std::vector<int> thread_counts() const {
    const int all = usable_cpus();
    if (o_.common.threads > 0) return {o_.common.threads};
    return all > 1 ? std::vector<int>{1, all} : std::vector<int>{1};
  }

  void report_machine() {
    const bench::Machine machine = bench::this_machine();
    json_ = {{"version", CLIPNEXT_VERSION}, {"date", bench::utc_now()},
             {"cpu", machine.cpu},          {"features", machine.features},
             {"cpus", machine.cpus},        {"isa", kernels::kernels().isa}};
    text(format("%s, %d cpus, kernels %s\n\n", machine.cpu.c_str(), machine.cpus,
                kernels::kernels().isa));
  }

  void ceilings(const std::vector<int>& counts) {
    text("ceiling                                  threads     Gop/s\n");
    const double seconds = std::min(o_.min_time, 0.5);
    json_["ceilings"] = OrderedJson::array();
    for (const int threads : counts) {
      if (interrupted()) return;
      ThreadPool pool(threads);
      for (const bench::Ceiling& c : bench::measure_ceilings(kernels::kernels(), pool, seconds)) {
        text(format("%-4s  %-33s  %7d  %8.1f\n", c.dtype.c_str(), c.instruction.c_str(), c.threads,
                    c.operations_per_second * 1e-9));
        json_["ceilings"].push_back({{"dtype", c.dtype},
                                     {"instruction", c.instruction},
                                     {"threads", c.threads},
                                     {"operations_per_second", number(c.operations_per_second)}});
        ceilings_.push_back(c);
      }
      const double bandwidth = bench::measure_read_bandwidth(pool, seconds);
      text(format("%-39s  %7d  %8.1f GB/s\n", "memory read", threads, bandwidth * 1e-9));
      json_["read_bytes_per_second"].push_back(
          {{"threads", threads}, {"bytes_per_second", number(bandwidth)}});
      if (threads == 1) bandwidth_ = bandwidth;
    }
  }

  double ceiling(int threads, std::string_view dtype) const {
    std::vector<bench::Ceiling> of_threads;
    for (const bench::Ceiling& c : ceilings_) {
      if (c.threads == threads) of_threads.push_back(c);
    }
    return bench::ceiling_of(of_threads, dtype);
  }

  // Kernels run on one thread: their ceiling is needed even where only others were asked for.
  void kernels(const model::ClipConfig& config) {
    if (interrupted()) return;
    if (bandwidth_ <= 0) {
      ThreadPool one(1);
      const double seconds = std::min(o_.min_time, 0.3);
      for (bench::Ceiling& c :
           bench::measure_ceilings(clipnext::kernels::kernels(), one, seconds)) {
        ceilings_.push_back(std::move(c));
      }
      bandwidth_ = bench::measure_read_bandwidth(one, seconds);
    }
    text(
        "\nkernels, 1 thread                         shape  runs  ms per item     Gop/s   "
        "ceiling\n");
    json_["kernels"] = OrderedJson::array();
    kernels("image", bench::image_ops(config));
    kernels("text", bench::text_ops(config));
  }

  void kernels(const char* tower, const std::vector<bench::OpShape>& shapes) {
    Progress progress(std::string("kernels of the ") + tower + " tower",
                      static_cast<int64_t>(shapes.size()), "kernels", !o_.common.json);
    for (const bench::OpShape& s : shapes) {
      if (interrupted()) return;
      const bench::Timing timing =
          bench::time_op(clipnext::kernels::kernels(), s, dtype_, std::min(o_.min_time, 0.3));
      progress.add();
      const std::string_view dtype = bench::op_dtype(s.op, dtype_);
      const bool counts_bytes = bench::flops(s) <= 0;
      const double rate = (counts_bytes ? bench::bytes(s) : bench::flops(s)) / timing.minimum;
      const double of = share(rate, counts_bytes ? bandwidth_ : ceiling(1, dtype));
      const double per_item = timing.minimum * static_cast<double>(s.count);
      text(fit(std::string(tower) + " " + s.part, 26) + format("  %-15s", bench::op_name(s.op)) +
           fit(shape_text(s), 15, true) +
           format("  %4ld  %11.3f  %8.1f%s", static_cast<long>(s.count), 1e3 * per_item,
                  rate * 1e-9, counts_bytes ? "B" : " ") +
           share_text(of) + "\n");
      json_["kernels"].push_back(
          {{"tower", tower},
           {"part", s.part},
           {"op", bench::op_name(s.op)},
           {"dtype", dtype},
           {"shape", shape_text(s)},
           {"runs_per_item", s.count},
           {"seconds", number(timing.minimum)},
           {"seconds_median", number(timing.median)},
           {counts_bytes ? "bytes_per_second" : "operations_per_second", number(rate)},
           {"share_of_ceiling", share_json(of)}});
    }
  }

  static std::string shape_text(const bench::OpShape& s) {
    const std::string rows = std::to_string(s.m) + "x" + std::to_string(s.n);
    const bool three = s.op == bench::Op::kProduct || s.op == bench::Op::kDepthwise;
    return three ? rows + "x" + std::to_string(s.k) : rows;
  }

  void towers(const model::Model& source, const std::vector<int>& counts) {
    if (interrupted()) return;
    text(std::string("\n") + kTowerHead);
    json_["towers"] = OrderedJson::array();
    Progress progress("towers", static_cast<int64_t>(counts.size() * std::size(kBatches) * 2),
                      "cases", !o_.common.json);
    for (const int threads : counts) {
      if (interrupted()) return;
      ThreadPool pool(threads);
      const auto clip = infer::load_clip(source, pool, type_);
      for (const bench::Tower tower : {bench::Tower::kImage, bench::Tower::kText}) {
        for (const int64_t batch : kBatches) {
          if (interrupted()) return;
          const TowerCase c{.tower = tower,
                            .batch = batch,
                            .threads = threads,
                            .flops = bench::tower_flops(source.config, tower),
                            .ceiling = ceiling(threads, dtype_)};
          const bench::Timing timing = bench::TowerRun(*clip, tower, batch).time(o_.min_time);
          progress.add();
          text(row(c, timing));
          json_["towers"].push_back(to_json(c, timing));
        }
      }
    }
  }

  void finish() {
    if (interrupted()) json_["interrupted"] = true;
    if (!o_.out.empty()) write_file(o_.out, json_.dump(1) + "\n");
    if (o_.common.json) print_json(json_);
    throw_if_interrupted();
  }

  const Options& o_;
  std::optional<infer::ComputeType> type_;
  std::string dtype_;
  OrderedJson json_;
  std::vector<bench::Ceiling> ceilings_;
  double bandwidth_ = 0;  // one thread's
};

void run(const Options& o, Backend& backend) {
  if (!o.preprocess.empty()) return run_preprocess(o);
  backend.choose_device(o.model.device);
  if (o.each_line && !o.one_case()) {
    throw CLI::ValidationError("--each-line",
                               "times one case: give --batch, --tower or --preprocess");
  }
  if (o.one_case()) return run_one(o, backend);
  if (!backend.has_kernels()) {
    throw CLI::ValidationError("--device",
                               "one case at a time is timed there: give --batch or --tower");
  }
  Suite(o).run();
}

}  // namespace

void add_bench(CLI::App& app, Backend& backend) {
  auto o = std::make_shared<Options>();
  CLI::App* cmd = app.add_subcommand(
      "bench", "speed of kernels and towers, as a share of what the processor can do");
  add_model_options(*cmd, o->model);
  add_dtype_option(*cmd, o->model);
  add_device_option(*cmd, o->model.device);
  cmd->add_option("--batch", o->batch, "time one case only: this many items at once")
      ->check(CLI::Range(int64_t{1}, kMaxBatch));
  cmd->add_option("--tower", o->tower, "time one case only: the tower (image unless given)")
      ->check(CLI::IsMember({"image", "text"}));
  cmd->add_option("--preprocess", o->preprocess,
                  "time one case only: this picture, from the file to the model's pixels, on one "
                  "thread")
      ->excludes("--batch")
      ->excludes("--device")
      ->excludes("--tower")
      ->type_name("FILE");
  cmd->add_option("--min-time", o->min_time, "seconds to spend on a case, at least three runs")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  cmd->add_flag("--each-line", o->each_line,
                "time the case again for each line of standard input, one JSON object a line: so "
                "that programs can take turns");
  cmd->add_option("-o,--out", o->out, "also write the JSON to this file");
  add_common_options(*cmd, o->common);
  cmd->footer(
      "A config name without --pretrained is timed with synthetic weights. Texts have full "
      "length.\n"
      "Without --batch, --tower and --preprocess everything is timed: ceilings, each kernel at the "
      "model's "
      "shapes,\nboth towers at batch 1, 8 and 32 on one and on all threads.\n\nExamples:\n"
      "  clipnext bench\n"
      "  clipnext bench --model convnext_large_d_320 --out result.json\n"
      "  clipnext bench --model convnext_tiny --batch 8 --threads 2 --tower text --json\n"
      "  clipnext bench --model convnext_large_d_320 --preprocess photo.jpg\n"
      "  clipnext bench --model convnext_large_d_320 --device cuda --dtype bf16 --batch 128");
  cmd->callback([o, &backend] { run(*o, backend); });
}

}  // namespace clipnext::cli
