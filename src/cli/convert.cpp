// clipnext convert: a checkpoint in another format or type.
#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <atomic>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <optional>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/convert_packed.h"
#include "weights/checkpoint.h"

namespace clipnext::cli {
namespace {

namespace fs = std::filesystem;
using weights::DType;
using weights::Format;

struct Options {
  CommonOptions common;
  std::string in;
  fs::path out;
  std::string dtype;
  PackOptions pack;
};

struct Result {
  weights::TensorMap tensors;
  int64_t changed = 0;  // values that the new type does not hold exactly
  int64_t widened = 0;  // bf16 tensors stored as fp32 because the format has no bf16
};

Format output_format(const fs::path& out) {
  const std::string extension = out.extension().string();
  if (extension == ".safetensors") return Format::kSafetensors;
  if (extension == ".pt" || extension == ".pth" || extension == ".bin") return Format::kTorchZip;
  if (extension == ".npz") return Format::kNpz;
  if (extension == ".npy") return Format::kNpy;
  throw CLI::ValidationError("OUT", (out.empty() ? "it" : out.string()) +
                                        " must end in .safetensors, .pt, .pth, .bin, .npz or .npy");
}

DType requested_dtype(const std::string& name) {
  try {
    const DType dtype = weights::parse_dtype(name);
    if (weights::is_float(dtype)) return dtype;
  } catch (const Error& error) {
    throw CLI::ValidationError("--dtype", error.what());
  }
  throw CLI::ValidationError("--dtype", name + " is no floating-point type");
}

// Values that do not come back from `converted`, which must not turn a finite one infinite.
int64_t count_changed(const std::string& name, const weights::Tensor& original,
                      const weights::Tensor& converted) {
  const weights::Tensor back = weights::convert(converted, original.dtype);
  const auto size = static_cast<size_t>(weights::dtype_size(original.dtype));
  if (std::memcmp(back.data.data(), original.data.data(), original.data.size()) == 0) return 0;
  const weights::Tensor before_f64 = weights::convert(original, DType::kF64);
  const weights::Tensor after_f64 = weights::convert(converted, DType::kF64);
  const auto* before = reinterpret_cast<const double*>(before_f64.data.data());
  const auto* after = reinterpret_cast<const double*>(after_f64.data.data());
  int64_t changed = 0;
  for (size_t i = 0; i < static_cast<size_t>(original.numel()); ++i) {
    require(!std::isfinite(before[i]) || std::isfinite(after[i]), name, ": ", before[i],
            " is beyond the range of ", weights::dtype_name(converted.dtype));
    if (std::isnan(before[i]) && std::isnan(after[i])) continue;
    changed += std::memcmp(back.data.data() + i * size, original.data.data() + i * size, size) != 0;
  }
  return changed;
}

Result convert(const weights::TensorMap& tensors, std::optional<DType> dtype, Format format,
               ThreadPool& pool) {
  const bool numpy = format == Format::kNpy || format == Format::kNpz;
  std::vector<std::pair<const std::string*, const weights::Tensor*>> items;
  for (const auto& [name, tensor] : tensors) items.emplace_back(&name, &tensor);
  std::vector<weights::Tensor> converted(items.size());
  std::atomic<int64_t> changed{0};
  std::atomic<int64_t> widened{0};
  Progress progress("convert", static_cast<int64_t>(items.size()), "tensors");
  pool.parallel_for(static_cast<int64_t>(items.size()), [&](int64_t index) {
    throw_if_interrupted();
    const auto i = static_cast<size_t>(index);
    const weights::Tensor& tensor = *items[i].second;
    DType target = dtype && weights::is_float(tensor.dtype) ? *dtype : tensor.dtype;
    if (numpy && target == DType::kBF16) {  // numpy has no bf16; fp32 holds each of its values
      target = DType::kF32;
      ++widened;
    }
    converted[i] = weights::convert(tensor, target);
    if (target != tensor.dtype) changed += count_changed(*items[i].first, tensor, converted[i]);
    progress.add();
  });
  Result result{.tensors = {}, .changed = changed, .widened = widened};
  for (size_t i = 0; i < items.size(); ++i) {
    result.tensors.emplace(*items[i].first, std::move(converted[i]));
  }
  return result;
}

void write(const fs::path& out, Format format, const weights::TensorMap& tensors,
           const std::map<std::string, std::string>& metadata) {
  if (format == Format::kSafetensors) {
    weights::write_safetensors(out, tensors, metadata);
  } else if (format == Format::kTorchZip) {
    weights::write_torch_zip(out, tensors);
  } else if (format == Format::kNpz) {
    weights::write_npz(out, tensors);
  } else {
    weights::write_npy(out, tensors.begin()->second);
  }
}

weights::Checkpoint open_input(const Options& o) {
  if (!fs::is_directory(o.in)) {
    refuse_to_overwrite(o.out, o.in);
    return weights::open_checkpoint(o.in);
  }
  model::Model model = model::open_model(o.in);
  refuse_to_overwrite(o.out, model.weights_file);
  return std::move(model.checkpoint);
}

void run(const Options& o) {
  if (asks_for_packed(o.pack, o.dtype)) {
    convert_packed(o.in, o.out, o.dtype, o.pack, o.common);
    return;
  }
  const Format format = output_format(o.out);
  std::optional<DType> dtype;
  if (!o.dtype.empty()) dtype = requested_dtype(o.dtype);
  const weights::Checkpoint checkpoint = open_input(o);
  require(!model::is_packed(checkpoint), o.in,
          ": is a packed file, whose tensors are laid out for this program's kernels; convert the "
          "weights it was made from");
  require(!checkpoint.tensors.empty(), o.in, ": no tensors in this file");
  require(format != Format::kNpy || checkpoint.tensors.size() == 1, o.out.string(),
          ": a .npy file holds one tensor, ", o.in, " has ", checkpoint.tensors.size(),
          "; write a .npz");
  ThreadPool pool(o.common.threads);
  const Result result = convert(checkpoint.tensors, dtype, format, pool);
  throw_if_interrupted();
  write(o.out, format, result.tensors, checkpoint.metadata);

  if (result.widened > 0) {
    note(std::to_string(result.widened) + " bf16 tensors stored as fp32, which holds their values");
  }
  const bool kept = format == Format::kSafetensors || checkpoint.metadata.empty();
  if (!kept) note("metadata (epoch, name, ...) is not kept by this format");
  if (o.common.json) {
    print_json({{"in", o.in},
                {"out", o.out.string()},
                {"from", weights::format_name(checkpoint.format)},
                {"to", weights::format_name(format)},
                {"tensor_count", result.tensors.size()},
                {"lossless", result.changed == 0},
                {"changed_values", result.changed}});
  } else {
    print(cli::format("%s: %zu tensors, %s\n", o.out.c_str(), result.tensors.size(),
                      result.changed == 0
                          ? "every value kept"
                          : (std::to_string(result.changed) + " values rounded").c_str()));
  }
}

}  // namespace

void add_convert(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* cmd = app.add_subcommand(
      "convert", "a checkpoint in another format or type; a model packed for computing");
  cmd->add_option("in", o->in,
                  "checkpoint of any format, or model folder; with --packed all that --model takes")
      ->required();
  cmd->add_option("-o,--out,out", o->out,
                  "X.safetensors; X.pt, X.pth or X.bin (torch zip, a bare state dict); X.npz; "
                  "X.npy for a single tensor")
      ->required();
  cmd->add_option("--dtype", o->dtype,
                  "fp32, fp16, bf16 or fp64 for the floating-point tensors; default: as they are. "
                  "Packed: fp32 (default), bf16 or int8, to compute in; int8 is always packed");
  add_pack_options(*cmd, o->pack);
  add_common_options(*cmd, o->common);
  cmd->footer(
      "Values stay exactly as they are unless --dtype asks for a smaller type; how many were\n"
      "rounded is reported, and one beyond the type's range is an error.\n\nExamples:\n"
      "  clipnext convert epoch_40.pt model.safetensors\n"
      "  clipnext convert model.safetensors half.safetensors --dtype fp16 --json\n"
      "  clipnext convert model/ -o packed.safetensors --packed --dtype bf16\n"
      "  clipnext convert model/ -o int8.safetensors --dtype int8 --calibrate photos/\n"
      "  clipnext classify cat.jpg --labels \"cat,dog\" --model int8.safetensors");
  cmd->callback([o] { run(*o); });
}

}  // namespace clipnext::cli
