#include "cli/convert_packed.h"

#include <CLI/Validators.hpp>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "cli/calibration_images.h"
#include "cli/packed_report.h"
#include "eval/zero_shot.h"
#include "infer/packed_file.h"
#include "model/bind.h"
#include "pipeline/embed_texts.h"

namespace clipnext::cli {
namespace {

namespace fs = std::filesystem;
using infer::ComputeType;

struct Packed {
  infer::Params params;
  infer::PackedInfo info;
};

void refuse_inputs(const fs::path& out, const model::Model& model, const PackOptions& options) {
  refuse_to_overwrite(out, model.weights_file);
  refuse_to_overwrite(out, options.pretrained);
  for (const std::string& image : options.images) refuse_to_overwrite(out, image);
}

void check_labels(const PackOptions& options) {
  if (options.templates.empty() || options.classes || is_labelled_set(options.images)) return;
  throw CLI::ValidationError("--template",
                             "goes with labelled pictures: --calibrate-classes, or a folder of "
                             "shards with classnames.txt");
}

model::TokenRows tokenize(const text::Tokenizer& tokenizer, const model::ClipConfig& config,
                          std::span<const std::string> texts) {
  return pipeline::tokenize_texts(tokenizer, config.text.context_length, texts).rows;
}

/// What int8 is measured on, with the memory that `set` looks into.
struct Measured {
  CalibrationImages images;
  infer::CalibrationSet set;
};

Measured read_measured(const model::Model& model, const text::Tokenizer& tokenizer,
                       const PackOptions& o, ThreadPool& pool) {
  const image::PreprocessConfig& config = model.config.preprocess;
  Measured m;
  m.images = read_calibration_images(o.images, o.classes, o.most, config, pool);
  m.set.images = {
      .pixels = m.images.pixels.data(), .n = m.images.count, .h = config.height, .w = config.width};
  const auto prompts = infer::calibration_prompts();
  m.set.texts =
      tokenize(tokenizer, model.config, std::vector<std::string>(prompts.begin(), prompts.end()));
  if (m.images.labels.empty()) return m;
  std::vector<std::string> templates = o.templates.empty() ? m.images.templates : o.templates;
  if (templates.empty()) templates.emplace_back("a photo of a {}");
  m.set.labels = m.images.labels;
  m.set.classes =
      tokenize(tokenizer, model.config,
               eval::fill_templates(m.images.class_names, eval::name_fields(templates)));
  m.set.templates = static_cast<int64_t>(templates.size());
  return m;
}

/// One progress line for each pass of the calibration.
class Passes {
 public:
  void show(const std::string& pass, int64_t done, int64_t total) {
    if (pass != pass_) {
      finish();
      progress_.emplace(pass, total, "done");
      pass_ = pass;
      done_ = 0;
    }
    progress_->add(done - done_);
    done_ = done;
    if (done == total) finish();
  }

  void finish() {
    progress_.reset();
    pass_.clear();
  }

 private:
  std::optional<Progress> progress_;
  std::string pass_;
  int64_t done_ = 0;
};

Packed calibrated(const model::Model& model, const text::Tokenizer& tokenizer, const PackOptions& o,
                  ThreadPool& pool) {
  const Measured m = read_measured(model, tokenizer, o, pool);
  Passes passes;
  infer::Calibration c =
      infer::calibrate(model.config, model.checkpoint.tensors, m.set,
                       {.min_cosine = o.min_cosine,
                        .progress = [&](const auto& pass, int64_t done,
                                        int64_t total) { passes.show(pass, done, total); },
                        .report =
                            [&](const std::string& line) {
                              passes.finish();
                              note(line);
                            }},
                       pool, model.name);
  passes.finish();
  Packed packed{.params = std::move(c.params), .info = {}};
  packed.info.calibration = {.asked_cosine = o.min_cosine,
                             .image_count = m.set.images.n,
                             .text_count = m.set.texts.size(),
                             .smoothed = c.smoothed,
                             .images = c.images,
                             .texts = c.texts,
                             .accuracy = c.accuracy,
                             .widened = std::move(c.widened)};
  return packed;
}

Packed make_packed(const model::Model& model, const text::Tokenizer& tokenizer, ComputeType type,
                   const PackOptions& o, ThreadPool& pool) {
  Packed packed;
  if (!o.images.empty()) {
    packed = calibrated(model, tokenizer, o, pool);
  } else {
    if (type == ComputeType::kInt8) {
      note(
          "--dtype int8 without --calibrate: how near its vectors come to those in fp32 is not "
          "measured, and no matrix stays wider for it");
    }
    const auto& kernels = kernels::kernels();
    packed.params = infer::pack(
        model.config, model::bind_tensors(model.config, model.checkpoint.tensors, model.name),
        infer::choose_types(model.config, type), kernels, pool);
  }
  packed.info.model = model.name;
  packed.info.type = type;
  packed.info.source_hash = infer::hash_weights(model.checkpoint.tensors, pool);
  return packed;
}

}  // namespace

void add_pack_options(CLI::App& command, PackOptions& options) {
  command.add_flag("--packed", options.packed,
                   "lay the model out for computing: the file holds its configuration, opens with "
                   "--model OUT, and runs as it lies, without work at start");
  command.add_option("--pretrained", options.pretrained,
                     "checkpoint file, when IN is a config name (with --packed)");
  auto* calibrate =
      command
          .add_option(
              "--calibrate", options.images,
              "pictures like those to come, to measure int8 on: files, folders, or a folder "
              "of labelled shards (classnames.txt); matrices that cost too much stay wider")
          ->type_name("PATHS");
  command
      .add_option("--min-cosine", options.min_cosine,
                  "the contract: no vector of the set further from its fp32 one than this")
      ->check(CLI::Range(0.5, 1.0))
      ->capture_default_str()
      ->needs(calibrate);
  command
      .add_flag("--calibrate-classes", options.classes,
                "the sub-folders of the --calibrate folder are classes, named by their labels: "
                "measure accuracy too")
      ->needs(calibrate);
  command
      .add_option("--calibrate-most", options.most,
                  "take so many of the pictures, evenly spread; 0 = all")
      ->check(CLI::Range(int64_t{0}, int64_t{1'000'000}))
      ->capture_default_str()
      ->needs(calibrate);
  command
      .add_option("--template", options.templates,
                  "sentence around a label, {} standing for it; default: those of the set, else "
                  "\"a photo of a {}\"")
      ->type_name("TEXT")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->needs(calibrate);
}

bool asks_for_packed(const PackOptions& options, const std::string& dtype) {
  if (!options.images.empty() && dtype != "int8") {
    throw CLI::ValidationError("--calibrate", "goes with --dtype int8");
  }
  const bool packed = options.packed || dtype == "int8";  // which no other format has
  if (!packed && !options.pretrained.empty()) {
    throw CLI::ValidationError("--pretrained", "goes with --packed; give the file itself as IN");
  }
  return packed;
}

void convert_packed(const std::string& in, const fs::path& out, const std::string& dtype,
                    const PackOptions& options, const CommonOptions& common) {
  if (out.extension() != ".safetensors") {
    throw CLI::ValidationError("OUT", out.string() +
                                          " must end in .safetensors: packed files (--packed, "
                                          "--dtype int8) are");
  }
  if (dtype != "" && dtype != "fp32" && dtype != "bf16" && dtype != "int8") {
    throw CLI::ValidationError(
        "--dtype", dtype + " is no type of a packed file; there are fp32, bf16 and int8");
  }
  if (in.empty()) throw CLI::ValidationError("IN", "an empty name is no model");
  check_labels(options);
  const ComputeType type = infer::parse_compute_type(dtype.empty() ? "fp32" : dtype).value();
  const model::Model model = model::open_model(in, options.pretrained);
  for (const std::string& warning : model.warnings) note("warning: " + warning);
  refuse_inputs(out, model, options);
  { const FileWriter writable(out); }  // what cannot be written shows before the work
  if (const auto packed = infer::read_packed_info(model.checkpoint, model.name)) {
    fail(in, ": is a packed file already; convert the weights it was made from (", packed->model,
         ")");
  }
  ThreadPool pool(common.threads);
  const text::Tokenizer tokenizer = pipeline::make_tokenizer(model);
  Packed packed = make_packed(model, tokenizer, type, options, pool);
  throw_if_interrupted();
  const auto tensors = static_cast<int64_t>(model::list_params(model.config).size());
  Progress progress("write", tensors, "tensors");
  infer::write_packed(out, model, packed.params, packed.info, tokenizer.own_merges(),
                      [&] { progress.add(); });
  progress.finish();

  const auto counts = count_types(model.config, packed.params);
  if (common.json) {
    OrderedJson json = {{"in", in},
                        {"out", out.string()},
                        {"from", weights::format_name(model.checkpoint.format)},
                        {"to", "packed"}};
    json.update(to_json(packed.info));
    json["matrices"] = counts;
    json["bytes"] = fs::file_size(out);
    print_json(json);
    return;
  }
  print(format("%s: packed in %s, matrices %s, %.1f MB\n", out.c_str(),
               infer::compute_type_name(type), format_counts(counts).c_str(),
               static_cast<double>(fs::file_size(out)) / 1e6));
  if (packed.info.calibration) print(calibration_lines(*packed.info.calibration));
}

void refuse_to_overwrite(const fs::path& out, const fs::path& input) {
  std::error_code ignored;
  if (fs::equivalent(out, input, ignored)) {
    throw CLI::ValidationError(
        "OUT", out.string() + " would be written, but is an input: choose another name");
  }
}

}  // namespace clipnext::cli
