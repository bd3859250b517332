// What several commands share: their options, opening a model, reading images and texts, JSON out.
#pragma once

#include <CLI/App.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/thread_pool.h"
#include "cli/backend.h"
#include "pipeline/embed_images.h"
#include "text/tokenizer.h"

namespace clipnext::cli {

/// Every command's: --json and --threads.
struct CommonOptions {
  bool json = false;
  int threads = 0;
};
void add_common_options(CLI::App& command, CommonOptions& options);

/// --model and --pretrained, as model::open_model takes them, and how to compute.
struct ModelOptions {
  std::string model;
  std::string pretrained;
  std::string dtype = "auto";
  std::string device = "cpu";
};
void add_model_options(CLI::App& command, ModelOptions& options);
/// --dtype, of a command that computes with the model.
void add_dtype_option(CLI::App& command, ModelOptions& options);
/// The type it names, nothing for auto. With our kernels it says so on stderr where that is bf16
/// and this processor is no faster in it.
std::optional<infer::ComputeType> chosen_type(const ModelOptions& options, bool has_kernels = true);
/// --device, of a command whose vectors a backend computes.
CLI::Option* add_device_option(CLI::App& command, std::string& device);

/// model::open_model; a model that was not named on the command line is named on stderr.
model::Model open_model(const ModelOptions& options);

/// A model ready to run. Making one catches interrupts: from then on work is stopped between items.
struct LoadedModel {
  LoadedModel(const Backend& backend, const ModelOptions& options, int threads);

  model::Embedder& clip() const { return *ready.clip; }

  model::Model model;
  ThreadPool pool;
  ReadyModel ready;
  text::Tokenizer tokenizer;
};

/// Images to work on: files, folders, `-`.
struct ImageOptions {
  std::vector<std::string> paths;
  std::string convert = "last";
  bool fast_decode = false;
};
/// Adds IMAGES (also as --images), --convert and --fast-decode.
void add_image_options(CLI::App& command, ImageOptions& options);
/// --convert alone, for a command that takes one image.
void add_convert_option(CLI::App& command, std::string& convert);
pipeline::ConvertOrder convert_order(const std::string& convert);
/// --fast-decode alone.
void add_fast_decode_option(CLI::App& command, bool& fast_decode);
/// What embedding them takes.
pipeline::ImageOptions embed_options(const ImageOptions& options, const std::string& on_bad);

/// Folders opened (data::expand_paths), `-` read from standard input.
std::vector<pipeline::ImageSource> read_image_sources(const std::vector<std::string>& paths);

/// What each source is called in output.
std::vector<std::string> source_names(const std::vector<pipeline::ImageSource>& sources);

/// Texts to work on: a file of lines, a JSON array of strings.
struct TextOptions {
  std::string lines;
  std::string json;
};
void add_text_options(CLI::App& command, TextOptions& options);
/// The texts of whichever was given; empty if neither was. Lines are taken as they are, empty ones
/// too; `-` is standard input.
std::vector<std::string> read_texts(const TextOptions& options);
/// A file of lines, or standard input for `-`.
std::string read_file_or_stdin(const std::string& path);

/// --on-bad fail|skip.
void add_on_bad_option(CLI::App& command, std::string& on_bad);
pipeline::OnBad on_bad_policy(const std::string& on_bad);
/// Names and counts on stderr what was skipped; throws Error if nothing is left of `total`.
void report_bad(const std::vector<pipeline::BadItem>& bad, size_t total, const char* unit);
/// The same for JSON output: [{"source", "reason"}].
OrderedJson bad_json(const std::vector<pipeline::BadItem>& bad,
                     const std::vector<std::string>& names);

/// One line of JSON on stdout; bytes that are not UTF-8 (file names) become U+FFFD.
void print_json(const OrderedJson& value);
/// A float as the shortest decimal that reads back as it, so that JSON shows 0.1 and not
/// 0.10000000149011612.
double json_number(float value);
/// Text on stdout.
void print(const std::string& text);
/// One line on stderr, for people.
void note(const std::string& text);

/// printf into a string.
[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...);
/// `text` filled with spaces to `columns` code points, or cut to them with an ellipsis.
std::string fit(const std::string& text, size_t columns, bool right = false);
size_t code_points(const std::string& text);

}  // namespace clipnext::cli
