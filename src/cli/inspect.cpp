// clipnext inspect: what a checkpoint holds.
#include <CLI/App.hpp>
#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/detect.h"
#include "cli/packed_report.h"
#include "weights/checkpoint.h"

namespace clipnext::cli {
namespace {

struct Options {
  CommonOptions common;
  std::string checkpoint;
  std::string filter;
};

// A config stored as metadata is longer than anyone reads in a table; --json shows it whole.
constexpr size_t kMaxMetadataColumns = 200;

struct Totals {
  int64_t tensors = 0, values = 0, bytes = 0;
  std::map<std::string, int64_t> dtypes;  // tensors of each
};

struct Report {
  weights::Checkpoint checkpoint;
  std::string config_beside;          // name of the config found with the file, "" without
  std::vector<std::string> matching;  // configs of ours with exactly these tensors
  std::optional<infer::PackedInfo> packed;
  std::map<std::string, int64_t> matrices;  // of a packed file: how many in each type
};

// The model a config beside the file describes; none is no error here, as any file may be
// inspected.
std::optional<model::Model> try_open_model(const std::string& path) {
  try {
    return model::open_model(path);
  } catch (const Error&) {
    return std::nullopt;
  }
}

Report inspect(const std::string& path) {
  Report report;
  if (std::filesystem::is_directory(path)) {
    model::Model model = model::open_model(path);
    report.config_beside = model.config.name;
    report.checkpoint = std::move(model.checkpoint);
  } else {
    report.checkpoint = weights::open_checkpoint(path);
    if (const auto model = try_open_model(path)) report.config_beside = model->config.name;
  }
  report.packed = infer::read_packed_info(report.checkpoint, path);
  if (report.packed) {
    const model::Model model = model::open_model(path);
    infer::Params params = infer::load_packed(model.config, model.checkpoint, path);
    report.matrices = count_types(model.config, params);
  } else {
    report.matching = matching_configs(report.checkpoint.tensors);
  }
  return report;
}

Totals total(const weights::TensorMap& tensors) {
  Totals t;
  for (const auto& [name, tensor] : tensors) {
    ++t.tensors;
    t.values += tensor.numel();
    t.bytes += static_cast<int64_t>(tensor.data.size());
    ++t.dtypes[std::string(weights::dtype_name(tensor.dtype))];
  }
  return t;
}

void print_report_json(const Options& o, const Report& r) {
  const Totals t = total(r.checkpoint.tensors);
  OrderedJson tensors = OrderedJson::array();
  for (const auto& [name, tensor] : r.checkpoint.tensors) {
    if (name.find(o.filter) == std::string::npos) continue;
    tensors.push_back(
        {{"name", name}, {"dtype", weights::dtype_name(tensor.dtype)}, {"shape", tensor.shape}});
  }
  OrderedJson packed;
  if (r.packed) {
    packed = to_json(*r.packed);
    packed["matrices"] = r.matrices;
  }
  print_json({{"checkpoint", o.checkpoint},
              {"packed", packed},
              {"format", weights::format_name(r.checkpoint.format)},
              {"config", r.config_beside.empty() ? OrderedJson() : OrderedJson(r.config_beside)},
              {"matching_configs", r.matching},
              {"metadata", r.checkpoint.metadata},
              {"tensor_count", t.tensors},
              {"value_count", t.values},
              {"bytes", t.bytes},
              {"dtypes", t.dtypes},
              {"tensors", tensors}});
}

void print_report(const Options& o, const Report& r) {
  const Totals t = total(r.checkpoint.tensors);
  size_t width = 0;
  for (const auto& [name, tensor] : r.checkpoint.tensors) width = std::max(width, name.size());
  for (const auto& [name, tensor] : r.checkpoint.tensors) {
    if (name.find(o.filter) == std::string::npos) continue;
    print(fit(name, width) + "  " + fit(std::string(weights::dtype_name(tensor.dtype)), 4) + "  " +
          weights::format_shape(tensor.shape) + "\n");
  }
  print(format("\nformat    %s\n", std::string(weights::format_name(r.checkpoint.format)).c_str()));
  std::string kinds;
  for (const auto& [dtype, count] : t.dtypes)
    kinds += format(" %ld %s", static_cast<long>(count), dtype.c_str());
  print(format("tensors   %ld (%s), %.2f M values, %.1f MB\n", static_cast<long>(t.tensors),
               kinds.empty() ? "none" : kinds.c_str() + 1, static_cast<double>(t.values) / 1e6,
               static_cast<double>(t.bytes) / 1e6));
  if (!r.config_beside.empty()) print("config    " + r.config_beside + " (found with it)\n");
  if (r.packed) {
    print(format("packed    in %s, matrices %s, from %s\n",
                 infer::compute_type_name(r.packed->type), format_counts(r.matrices).c_str(),
                 r.packed->model.c_str()));
    if (r.packed->calibration) print(calibration_lines(*r.packed->calibration));
  } else {
    std::string names;
    for (const std::string& name : r.matching) names += " " + name;
    print("matches  " + (names.empty() ? " no configuration inside the program" : names) + "\n");
  }
  for (const auto& [key, value] : r.checkpoint.metadata) {
    if (r.packed && key == model::kPackedMetadata) continue;  // shown above
    print("metadata  " + key + " = " +
          fit(value, std::min<size_t>(code_points(value), kMaxMetadataColumns)) + "\n");
  }
}

void run(const Options& o) {
  const Report report = inspect(o.checkpoint);
  if (o.common.json) {
    print_report_json(o, report);
  } else {
    print_report(o, report);
  }
}

}  // namespace

void add_inspect(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* cmd = app.add_subcommand("inspect", "tensors, types, config and step of a checkpoint");
  cmd->add_option("checkpoint", o->checkpoint, "checkpoint of any format, or model folder")
      ->required();
  cmd->add_option("--filter", o->filter, "only tensors whose name contains this");
  add_common_options(*cmd, o->common);
  cmd->footer(
      "Examples:\n"
      "  clipnext inspect epoch_40.pt\n"
      "  clipnext inspect open_clip_model.safetensors --filter visual.trunk.stem --json");
  cmd->callback([o] { run(*o); });
}

}  // namespace clipnext::cli
