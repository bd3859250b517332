// clipnext preprocess: a picture as the model sees it.
#include "image/preprocess.h"

#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "weights/checkpoint.h"

namespace clipnext::cli {
namespace {

struct Options {
  CommonOptions common;
  ModelOptions model;
  std::string image;
  std::filesystem::path out;
  int size = 0;
  std::string mode, interpolation, convert = "last";
  std::vector<float> mean, std;
  std::optional<int> fill;
  bool uint8 = false;
  bool fast_decode = false;
};

void replace(std::array<float, 3>& values, const std::vector<float>& given) {
  for (size_t i = 0; i < values.size() && !given.empty(); ++i) {
    values[i] = given.size() == 1 ? given[0] : given[i];
  }
}

void check(const Options& o) {
  if (o.out.extension() != ".npy") {
    throw CLI::ValidationError("--out", o.out.string() + " must end in .npy");
  }
  for (const auto* values : {&o.mean, &o.std}) {
    if (values->size() == 2) throw CLI::ValidationError("--mean, --std", "give one value or three");
  }
  const auto finite = [](float value) { return std::isfinite(value); };
  const auto positive = [](float value) { return std::isfinite(value) && value > 0; };
  if (!std::all_of(o.mean.begin(), o.mean.end(), finite)) {
    throw CLI::ValidationError("--mean", "values must be finite");
  }
  if (!std::all_of(o.std.begin(), o.std.end(), positive)) {
    throw CLI::ValidationError("--std", "values must be finite and above 0");
  }
  if (o.uint8 && !(o.mean.empty() && o.std.empty())) {
    throw CLI::ValidationError("--uint8", "bytes come before --mean and --std");
  }
}

// The model's transform, or open_clip's defaults where --size stands alone; options over both.
image::PreprocessConfig choose(const Options& o) {
  image::PreprocessConfig config;
  if (o.size == 0 || !o.model.model.empty()) config = open_model(o.model).config.preprocess;
  if (o.size > 0) config.width = config.height = o.size;
  if (o.mode == "shortest") config.resize_mode = image::ResizeMode::kShortest;
  if (o.mode == "squash") config.resize_mode = image::ResizeMode::kSquash;
  if (o.mode == "longest") config.resize_mode = image::ResizeMode::kLongest;
  if (o.interpolation == "bicubic") config.interpolation = image::Filter::kBicubic;
  if (o.interpolation == "bilinear") config.interpolation = image::Filter::kBilinear;
  if (o.interpolation == "lanczos") config.interpolation = image::Filter::kLanczos;
  if (o.fill) config.fill_color = *o.fill;
  replace(config.mean, o.mean);
  replace(config.std, o.std);
  return config;
}

weights::Tensor to_tensor(const image::Image& pixels, const image::PreprocessConfig& config,
                          bool uint8) {
  if (uint8) {
    return {.dtype = weights::DType::kU8,
            .shape = {config.height, config.width, 3},
            .data = std::as_bytes(std::span(pixels.data)),
            .owner = nullptr};
  }
  std::vector<float> values(pixels.data.size());
  image::to_tensor(pixels, config, values.data());
  return weights::make_tensor({3, config.height, config.width}, values);
}

void run(const Options& o) {
  check(o);
  const image::PreprocessConfig config = choose(o);
  const std::vector<pipeline::ImageSource> sources = read_image_sources({o.image});
  require(sources.size() == 1, o.image, ": preprocess takes one picture, this folder holds ",
          sources.size());
  const image::Image source =
      pipeline::load_image(sources[0], pipeline::decode_limits(config, o.fast_decode));
  const image::Image pixels = pipeline::preprocess(source, config, convert_order(o.convert));
  const weights::Tensor tensor = to_tensor(pixels, config, o.uint8);
  weights::write_npy(o.out, tensor);
  if (o.common.json) {
    print_json({{"image", sources[0].name},
                {"mode", image::mode_name(source.mode)},
                {"width", source.width},
                {"height", source.height},
                {"out", o.out.string()},
                {"shape", tensor.shape},
                {"dtype", weights::dtype_name(tensor.dtype)}});
  } else {
    print(format("%s: %s %dx%d to %s %s in %s\n", sources[0].name.c_str(),
                 image::mode_name(source.mode), source.width, source.height,
                 std::string(weights::dtype_name(tensor.dtype)).c_str(),
                 weights::format_shape(tensor.shape).c_str(), o.out.c_str()));
  }
}

}  // namespace

void add_preprocess(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* cmd = app.add_subcommand("preprocess", "a picture as the model sees it");
  cmd->add_option("image", o->image, "image file, - for standard input")->required();
  cmd->add_option("-o,--out", o->out,
                  "X.npy: float32 [3, h, w] scaled and normalised; with --uint8 the bytes before "
                  "that, [h, w, 3]")
      ->required();
  cmd->add_flag("--uint8", o->uint8, "write bytes");
  cmd->add_option("--size", o->size, "side of the square, in place of the model's")
      ->check(CLI::Range(1, 8192));
  cmd->add_option("--mode", o->mode,
                  "how it is fitted: shortest side then crop, squash, longest side then pad")
      ->check(CLI::IsMember({"shortest", "squash", "longest"}));
  cmd->add_option("--interpolation", o->interpolation, "resampling filter")
      ->check(CLI::IsMember({"bicubic", "bilinear", "lanczos"}));
  cmd->add_option("--fill", o->fill, "padding value of --mode longest")->check(CLI::Range(0, 255));
  cmd->add_option("--mean", o->mean, "of the normalisation: one value or three, R,G,B")
      ->delimiter(',')
      ->expected(1, 3);
  cmd->add_option("--std", o->std, "of the normalisation: one value or three, R,G,B")
      ->delimiter(',')
      ->expected(1, 3);
  add_convert_option(*cmd, o->convert);
  add_fast_decode_option(*cmd, o->fast_decode);
  add_model_options(*cmd, o->model);
  add_common_options(*cmd, o->common);
  cmd->footer(
      "With --size and no --model the rest is open_clip's defaults (bicubic, shortest, OpenAI's "
      "mean and std).\n\nExamples:\n"
      "  clipnext preprocess cat.jpg --out cat.npy\n"
      "  clipnext preprocess cat.jpg --size 224 --mode squash --interpolation bilinear --uint8 "
      "--out cat.npy");
  cmd->callback([o] { run(*o); });
}

}  // namespace clipnext::cli
