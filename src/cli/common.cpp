#include "cli/common.h"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <CLI/Validators.hpp>
#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/python_json.h"
#include "base/text_lines.h"
#include "data/folder.h"
#include "kernels/kernels.h"
#include "pipeline/embed_texts.h"

namespace clipnext::cli {
namespace {

constexpr int kMaxThreads = 1024;

}  // namespace

void add_common_options(CLI::App& command, CommonOptions& options) {
  command.add_flag("--json", options.json, "print JSON (docs/cli.md lists the fields)");
  command.add_option("--threads", options.threads, "threads to compute with, 0 = all cores")
      ->check(CLI::Range(0, kMaxThreads))
      ->capture_default_str();
}

void add_model_options(CLI::App& command, ModelOptions& options) {
  command.add_option("--model", options.model,
                     "config name (with --pretrained), model folder, checkpoint or "
                     "hf-hub:ORG/NAME[@REVISION]; default: "
                     "$CLIPNEXT_MODEL, else the demo model");
  command.add_option("--pretrained", options.pretrained,
                     "checkpoint file, when --model is a config name");
}

void add_dtype_option(CLI::App& command, ModelOptions& options) {
  command
      .add_option("--dtype", options.dtype,
                  "type to compute in: `auto` is fp32, or that of a packed file; bf16 and int8 are "
                  "faster and less exact")
      ->check(CLI::IsMember({"auto", "fp32", "bf16", "int8"}))
      ->capture_default_str();
}

std::optional<infer::ComputeType> chosen_type(const ModelOptions& options, bool has_kernels) {
  const auto type = infer::parse_compute_type(options.dtype);
  if (has_kernels && type == infer::ComputeType::kBf16 && !kernels::kernels().fast_bf16) {
    note("--dtype bf16: this processor computes no faster in it than in fp32");
  }
  return type;
}

CLI::Option* add_device_option(CLI::App& command, std::string& device) {
  const auto check = [](const std::string& name) -> std::string {
    constexpr std::string_view kIndexed = "cuda:";
    const bool indexed = name.starts_with(kIndexed) && name.size() > kIndexed.size() &&
                         name.size() <= kIndexed.size() + 2 &&
                         name.find_first_not_of("0123456789", kIndexed.size()) == std::string::npos;
    if (name == "cpu" || name == "cuda" || indexed) return {};
    return "\"" + name + "\": there are cpu, cuda and cuda:N";
  };
  return command
      .add_option("--device", device,
                  "where vectors are computed: `cpu`, by the program's own kernels; `cuda` or "
                  "`cuda:N`, a GPU, by libtorch (./dev build --train)")
      ->check(check)
      ->type_name("DEVICE")
      ->capture_default_str();
}

model::Model open_model(const ModelOptions& options) {
  model::Model model = model::open_model(options.model, options.pretrained);
  if (options.model.empty()) note("model: " + model.name);
  return model;
}

LoadedModel::LoadedModel(const Backend& backend, const ModelOptions& options, int threads)
    : model(open_model(options)),
      pool(threads),
      ready(backend.load(model, pool, chosen_type(options, backend.has_kernels()))),
      tokenizer(pipeline::make_tokenizer(model)) {}

void add_image_options(CLI::App& command, ImageOptions& options) {
  command
      .add_option("--images,images", options.paths,
                  "image files, folders (with their sub-folders, in natural order), - for "
                  "standard input")
      ->type_name("PATHS");
  add_convert_option(command, options.convert);
  add_fast_decode_option(command, options.fast_decode);
}

void add_convert_option(CLI::App& command, std::string& convert) {
  command
      .add_option("--convert", convert,
                  "when a picture becomes RGB: `last`, after resizing in its own mode, as "
                  "open_clip's transform on an opened file; `first`, as its data sets")
      ->check(CLI::IsMember({"first", "last"}))
      ->capture_default_str();
}

pipeline::ConvertOrder convert_order(const std::string& convert) {
  return convert == "first" ? pipeline::ConvertOrder::kFirst : pipeline::ConvertOrder::kLast;
}

void add_fast_decode_option(CLI::App& command, bool& fast_decode) {
  command.add_flag("--fast-decode", fast_decode,
                   "decode JPEGs much larger than the model's pictures at 1/2, 1/4 or 1/8 of their "
                   "size: faster, not the exact pixels; no effect on other pictures");
}

pipeline::ImageOptions embed_options(const ImageOptions& options, const std::string& on_bad) {
  return {.convert = convert_order(options.convert),
          .on_bad = on_bad_policy(on_bad),
          .fast_decode = options.fast_decode};
}

std::vector<pipeline::ImageSource> read_image_sources(const std::vector<std::string>& paths) {
  if (paths.empty()) throw CLI::RequiredError("at least one image");
  std::vector<pipeline::ImageSource> sources;
  for (const std::string& path : paths) {
    if (path == "-") {
      sources.push_back({.name = "-", .bytes = std::make_shared<const std::string>(read_stdin())});
      continue;
    }
    for (const std::filesystem::path& file : data::expand_paths({path})) {
      sources.push_back({.name = file.string(), .bytes = nullptr});
    }
  }
  return sources;
}

std::vector<std::string> source_names(const std::vector<pipeline::ImageSource>& sources) {
  std::vector<std::string> names;
  names.reserve(sources.size());
  for (const pipeline::ImageSource& source : sources) names.push_back(source.name);
  return names;
}

void add_text_options(CLI::App& command, TextOptions& options) {
  auto* lines = command.add_option("--texts", options.lines,
                                   "file with one text a line, - for "
                                   "standard input");
  command
      .add_option("--texts-json", options.json,
                  "file with a JSON array of strings, - for "
                  "standard input")
      ->excludes(lines);
}

std::string read_file_or_stdin(const std::string& path) {
  return path == "-" ? read_stdin() : read_file(path);
}

std::vector<std::string> read_texts(const TextOptions& options) {
  if (!options.lines.empty()) return split_lines(read_file_or_stdin(options.lines));
  std::vector<std::string> texts;
  if (options.json.empty()) return texts;
  const std::string source = options.json == "-" ? "standard input" : options.json;
  const Json json = parse_json(read_file_or_stdin(options.json), source);
  require(json.is_array(), source, ": expected a JSON array of strings");
  for (const Json& item : json) {
    require(item.is_string(), source, ": item ", texts.size() + 1, " of the array is no string");
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

void add_on_bad_option(CLI::App& command, std::string& on_bad) {
  command
      .add_option("--on-bad", on_bad,
                  "an item that cannot be read: end there, or name it and "
                  "go on")
      ->check(CLI::IsMember({"fail", "skip"}))
      ->capture_default_str();
}

pipeline::OnBad on_bad_policy(const std::string& on_bad) {
  return on_bad == "skip" ? pipeline::OnBad::kSkip : pipeline::OnBad::kFail;
}

void report_bad(const std::vector<pipeline::BadItem>& bad, size_t total, const char* unit) {
  if (bad.empty()) return;
  for (const pipeline::BadItem& item : bad) note("skipped " + item.reason);
  note("skipped " + std::to_string(bad.size()) + " of " + std::to_string(total) + " " + unit);
  require(bad.size() < total, "none of the ", total, " ", unit, " could be read");
}

OrderedJson bad_json(const std::vector<pipeline::BadItem>& bad,
                     const std::vector<std::string>& names) {
  OrderedJson list = OrderedJson::array();
  for (const pipeline::BadItem& item : bad) {
    list.push_back({{"source", names[static_cast<size_t>(item.index)]}, {"reason", item.reason}});
  }
  return list;
}

void print_json(const OrderedJson& value) {
  print(value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n");
}

double json_number(float value) { return shortest_decimal(value); }

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void note(const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); }

std::string format(const char* pattern, ...) {
  va_list arguments;
  va_start(arguments, pattern);
  va_list again;
  va_copy(again, arguments);
  const int size = std::vsnprintf(nullptr, 0, pattern, arguments);
  va_end(arguments);
  std::string text(static_cast<size_t>(std::max(size, 0)), '\0');
  std::vsnprintf(text.data(), text.size() + 1, pattern, again);
  va_end(again);
  return text;
}

size_t code_points(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

std::string fit(const std::string& text, size_t columns, bool right) {
  const size_t length = code_points(text);
  if (length <= columns) {
    const std::string space(columns - length, ' ');
    return right ? space + text : text + space;
  }
  size_t end = 0;
  for (size_t taken = 0; end < text.size(); ++end) {
    const bool starts = (static_cast<unsigned char>(text[end]) & 0xC0U) != 0x80U;
    if (starts && taken++ == columns - 1) break;
  }
  return text.substr(0, end) + "…";
}

}  // namespace clipnext::cli
