// clipnext verify: intermediate results against a dump from PyTorch.
#include "infer/verify.h"

#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "infer/clip.h"
#include "infer/packed_file.h"
#include "infer/smooth.h"
#include "weights/checkpoint.h"

namespace clipnext::cli {
namespace {

struct Options {
  CommonOptions common;
  ModelOptions model;
  std::string against;
  std::optional<double> tolerance;
};

// JSON has no infinity: null.
OrderedJson number(double value) {
  return std::isfinite(value) ? OrderedJson(value) : OrderedJson();
}

OrderedJson to_json(const infer::VerifyReport& report) {
  OrderedJson layers = OrderedJson::array();
  for (const infer::LayerDifference& layer : report.layers) {
    layers.push_back({{"name", layer.name},
                      {"max_abs", number(layer.max_abs)},
                      {"relative", number(layer.relative)},
                      {"diverges", layer.diverges}});
  }
  return {{"agrees", !report.first},
          {"first_divergence",
           report.first ? OrderedJson(report.layers[*report.first].name) : OrderedJson()},
          {"layers", layers},
          {"not_compared", report.not_compared}};
}

void print_text(const infer::VerifyReport& report) {
  size_t width = 0;
  for (const infer::LayerDifference& layer : report.layers) {
    width = std::max(width, layer.name.size());
  }
  print(fit("layer", width) + "     max abs    relative\n");
  for (size_t i = 0; i < report.layers.size(); ++i) {
    const infer::LayerDifference& layer = report.layers[i];
    const char* mark = report.first == i ? "  <- first to diverge" : layer.diverges ? "  *" : "";
    print(fit(layer.name, width) +
          format("  %10.3g  %10.3g%s\n", layer.max_abs, layer.relative, mark));
  }
  for (const std::string& name : report.not_compared) print(name + "  (only in the dump)\n");
}

/// The results of norms whose channels calibration scaled (infer/smooth.h) are not PyTorch's.
void leave_out_scaled_norms(const model::Model& model, weights::TensorMap& dump) {
  const auto packed = infer::read_packed_info(model.checkpoint, model.name);
  if (!packed || !packed->calibration || !packed->calibration->smoothed) return;
  for (const std::string& norm : infer::norm_names(model.config)) dump.erase(norm);
  note("norms are not compared: " + model.name + " has their channels scaled for 8 bits");
}

void run(const Options& o) {
  weights::Checkpoint dump = weights::open_checkpoint(o.against);
  const model::Model model = open_model(o.model);
  ThreadPool pool(o.common.threads);
  const auto clip = infer::load_clip(model, pool, chosen_type(o.model));
  leave_out_scaled_norms(model, dump.tensors);
  const double tolerance = o.tolerance.value_or(infer::verify_tolerance(clip->type()));
  const infer::VerifyReport report = infer::verify(*clip, dump.tensors, o.against, tolerance);
  require(!report.layers.empty(), o.against, ": no layer of ", model.name, " is in this dump");
  if (o.common.json) {
    OrderedJson json = {{"model", model.name}, {"against", o.against}, {"tolerance", tolerance}};
    json.update(to_json(report));
    print_json(json);
  } else {
    print_text(report);
  }
  if (report.first) {
    const infer::LayerDifference& layer = report.layers[*report.first];
    fail(model.name, ": ", layer.name, " is the first layer to diverge from ", o.against, ": by ",
         layer.relative, " relative, ", layer.max_abs, " at most; the tolerance is ", tolerance);
  }
  if (!o.common.json) print(format("agrees: %zu layers\n", report.layers.size()));
}

}  // namespace

void add_verify(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* cmd = app.add_subcommand("verify", "intermediate results against a dump from PyTorch");
  cmd->add_option("--against", o->against,
                  "dump.npz from tools/dump_reference.py: a picture, a text, and each layer's "
                  "result")
      ->required();
  cmd->add_option("--tolerance", o->tolerance,
                  "largest relative difference of a layer that agrees; "
                  "default: 1e-5, in bf16 0.03, in int8 0.2")
      ->check(CLI::Range(1e-12, 1e12));
  add_model_options(*cmd, o->model);
  add_dtype_option(*cmd, o->model);
  add_common_options(*cmd, o->common);
  cmd->footer(
      "Fails (status 1) if a layer diverges, and names the first that does.\n\nExample:\n"
      "  clipnext verify --model models/emoji-convnext-atto --against dump.npz");
  cmd->callback([o] { run(*o); });
}

}  // namespace clipnext::cli
