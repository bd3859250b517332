// clipnext package: a model as a folder that open_clip loads, with its card.
#include "package/package.h"

#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "model/source.h"
#include "package/card.h"
#include "package/contents.h"
#include "package/markdown.h"
#include "run/python_literal.h"
#include "text/unicode.h"

namespace clipnext::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  CommonOptions common;
  std::string in;
  fs::path out;
  std::string model;
  std::string dtype = "keep";
  int64_t image_size = 0;
  bool use_ema = false, also_bin = false, force = false, dry_run = false;
  std::string name, license;
  package::UserTexts texts;
  std::vector<std::string> logs, evaluations;
};

// Before anything is opened: the hub's identifiers are short and plain, and what stands in the
// front matter must not end it.
void check(const Options& o) {
  if (o.in.empty()) throw CLI::ValidationError("IN", "an empty name is no model");
  if (o.out.empty()) throw CLI::ValidationError("--out", "an empty name is no folder");
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789.-+";
  const bool plain =
      o.license.size() <= 64 && o.license.find_first_not_of(kLetters) == std::string::npos;
  if (!plain) {
    throw CLI::ValidationError("--license", package::one_line(o.license) +
                                                " is no identifier as the hub has them: mit, "
                                                "apache-2.0, cc-by-4.0, other");
  }
}

std::optional<weights::DType> chosen_dtype(const std::string& name) {
  return name == "keep" ? std::nullopt : std::optional(weights::parse_dtype(name));
}

// TEXT, or the content of FILE for @FILE.
std::string given_text(const std::string& text, const char* option) {
  std::string content = text;
  if (text.starts_with('@')) content = read_file(text.substr(1), int64_t{1} << 20);
  while (content.ends_with('\n')) content.pop_back();
  try {
    text::to_utf32(content);
  } catch (const Error& error) {
    fail(option, " ", text.substr(0, 80), ": ", error.what());
  }
  return content;
}

model::Model open(const Options& o) {
  model::Model model = o.model.empty() ? model::open_model(o.in) : model::open_model(o.model, o.in);
  for (const std::string& warning : model.warnings) note("warning: " + warning);
  return model;
}

// soup.json beside the weights that a soup is made of; other checkpoints in its folder are none.
std::string soup_text(const model::Model& model) {
  const fs::path& weights = model.weights_file;
  if (!weights.filename().string().starts_with("open_clip_model.")) return "";
  const fs::path file = weights.parent_path() / package::kSoupFile;
  std::error_code ignored;
  return fs::exists(file, ignored) ? read_file(file, int64_t{16} << 20) : std::string();
}

// Of a training checkpoint what it says of itself.
std::map<std::string, std::string> training_metadata(const weights::Checkpoint& checkpoint) {
  std::map<std::string, std::string> found;
  for (const char* key : {"epoch", "name", "global_step", "samples_seen"}) {
    const auto at = checkpoint.metadata.find(key);
    if (at != checkpoint.metadata.end() && !at->second.empty()) found.insert(*at);
  }
  return found;
}

std::string default_name(const Options& o) {
  if (!o.name.empty()) return o.name;
  std::error_code ignored;
  fs::path full = fs::weakly_canonical(o.out, ignored);
  if (!full.has_filename()) full = full.parent_path();
  return full.filename().string();
}

// A run that saw pictures of another size or with other means belongs to another configuration.
void compare_with_runs(const package::CardFacts& facts) {
  const auto& preprocess = facts.config.preprocess;
  const auto warn = [](const package::TrainingRun& run, const std::string& what) {
    note("warning: run " + run.curves.name + " was trained with " + what +
         ", which the configuration of this model does not say");
  };
  for (const package::TrainingRun& run : facts.runs) {
    const std::string size = package::param(run, "force_image_size");
    const std::string own = std::to_string(facts.config.image_height);
    if (!size.empty() && size != own && size != "[" + own + "]" &&
        size != "[" + own + ", " + std::to_string(facts.config.image_width) + "]") {
      warn(run, "pictures of " + size + " px (--image-size)");
    }
    const std::string mean = package::param(run, "image_mean");
    const auto& m = preprocess.mean;
    const std::string own_mean = "[" + run::python_repr(json_number(m[0])) + ", " +
                                 run::python_repr(json_number(m[1])) + ", " +
                                 run::python_repr(json_number(m[2])) + "]";
    if (!mean.empty() && mean != own_mean) warn(run, "image mean " + mean);
  }
}

package::CardFacts gather_facts(const Options& o, const model::Model& model,
                                const std::string& soup) {
  package::CardFacts facts;
  facts.name = default_name(o);
  facts.license = o.license;
  facts.texts = {.description = given_text(o.texts.description, "--description"),
                 .data = given_text(o.texts.data, "--data-description"),
                 .acknowledgements = given_text(o.texts.acknowledgements, "--acknowledgements"),
                 .citation = given_text(o.texts.citation, "--citation")};
  facts.metadata = training_metadata(model.checkpoint);
  if (!soup.empty()) {
    const fs::path file = model.weights_file.parent_path() / package::kSoupFile;
    facts.soup = package::parse_soup(soup, file.string());
  }
  std::vector<std::string> notes;
  facts.runs = package::read_runs(o.logs, notes);
  if (!o.evaluations.empty()) {
    facts.evaluations = eval::read_report(o.evaluations);
    notes.insert(notes.end(), facts.evaluations.notes.begin(), facts.evaluations.notes.end());
  }
  for (const std::string& passed_over : notes) note("passed over: " + passed_over);
  return facts;
}

struct Outcome {
  const package::Contents& contents;
  const package::CardFacts& facts;
  const package::Card& card;
  bool card_kept;
  std::vector<std::pair<std::string, int64_t>> files;  // none of a dry run
};

OrderedJson to_json(const Options& o, const Outcome& outcome) {
  OrderedJson files = OrderedJson::array();
  for (const auto& [name, bytes] : outcome.files) {
    files.push_back({{"name", name}, {"bytes", bytes}});
  }
  OrderedJson json = {{"in", o.in},
                      {"out", o.out.string()},
                      {"name", outcome.facts.name},
                      {"dry_run", o.dry_run},
                      {"tensor_count", outcome.contents.tensors.size()},
                      {"dtypes", outcome.facts.dtypes},
                      {"changed_values", outcome.contents.changed},
                      {"files", files},
                      {"card", outcome.card_kept ? "kept" : "written"},
                      {"gaps", outcome.card.gaps}};
  if (o.dry_run) json["card_text"] = outcome.card.text;
  return json;
}

void report(const Options& o, const Outcome& outcome) {
  if (outcome.card_kept) {
    note(std::string(package::kCardFile) +
         ": was edited since it was written, and stays; --force writes it anew");
  }
  std::string gaps;
  for (const std::string& gap : outcome.card.gaps) gaps += (gaps.empty() ? "" : "; ") + gap;
  if (!gaps.empty()) note("the card lacks: " + gaps);
  if (o.common.json) {
    print_json(to_json(o, outcome));
    return;
  }
  if (o.dry_run) print(outcome.card.text);
  int64_t bytes = 0;
  for (const auto& [name, size] : outcome.files) bytes += size;
  const std::string values = outcome.contents.changed == 0
                                 ? "every value kept"
                                 : std::to_string(outcome.contents.changed) + " values rounded";
  const std::string line =
      format("%s: %zu tensors in %s, %s", o.out.c_str(), outcome.contents.tensors.size(),
             outcome.facts.dtypes.c_str(), values.c_str());
  if (o.dry_run) {
    note(line + "; nothing was written (--dry-run)");
  } else {
    print(line +
          format(", %zu files, %.1f MB\n", outcome.files.size(), static_cast<double>(bytes) / 1e6));
  }
}

void run(const Options& o) {
  check(o);
  const bool card_kept = package::keeps_card(o.out, o.force);
  model::Model model = open(o);
  const std::string soup = soup_text(model);
  package::CardFacts facts = gather_facts(o, model, soup);
  ThreadPool pool(o.common.threads);
  const package::Contents contents =
      package::collect(std::move(model),
                       {.dtype = chosen_dtype(o.dtype),
                        .image_size = o.image_size > 0 ? std::optional(o.image_size) : std::nullopt,
                        .use_ema = o.use_ema},
                       pool);
  facts.config = contents.config;
  facts.dtypes = package::dtype_names(contents.tensors);
  compare_with_runs(facts);

  package::Package out{
      .contents = contents, .card = {}, .files = package::charts(facts), .also_bin = o.also_bin};
  std::vector<std::string> pictures;
  for (const auto& [name, text] : out.files) pictures.push_back(name);
  if (!soup.empty()) out.files[package::kSoupFile] = soup;
  const package::Card card = package::model_card(facts, pictures);
  out.card = card.text;
  throw_if_interrupted();
  report(o, {.contents = contents,
             .facts = facts,
             .card = card,
             .card_kept = card_kept,
             .files = o.dry_run ? std::vector<std::pair<std::string, int64_t>>()
                                : package::write_package(o.out, out, o.force)});
}

void add_card_options(CLI::App& command, Options& o) {
  command.add_option("--name", o.name, "what the card calls the model; default: the folder's name");
  command.add_option("--license", o.license,
                     "of the weights, as the hub writes it: mit, apache-2.0, cc-by-4.0, other");
  command.add_option("--description", o.texts.description,
                     "Markdown before what the configuration says; this and the following: TEXT, "
                     "or @FILE for a file's content");
  command.add_option("--data-description", o.texts.data, "what it was trained on (Markdown)");
  command.add_option("--acknowledgements", o.texts.acknowledgements, "whom to thank (Markdown)");
  command.add_option("--citation", o.texts.citation, "how to cite this model (BibTeX)");
  command
      .add_option("--logs", o.logs,
                  "folders of the runs that made it (LOGS/NAME): options, figures, curve")
      ->type_name("FOLDERS");
  command
      .add_option("--eval", o.evaluations,
                  "results of `clipnext eval` or CLIP_benchmark, files or folders: tables, "
                  "and the zero-shot curve")
      ->type_name("FILES");
}

}  // namespace

void add_package(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* cmd = app.add_subcommand(
      "package", "a model as a folder for the hub: weights, configuration, tokenizer, card");
  cmd->add_option("in", o->in,
                  "checkpoint of any format (a training checkpoint too) with its config, or model "
                  "folder (a soup's too)")
      ->required();
  cmd->add_option("-o,--out", o->out, "the folder; it appears whole or not at all")->required();
  cmd->add_option("--model", o->model,
                  "config name or .json, for a checkpoint that lies without one");
  cmd->add_option("--dtype", o->dtype, "type of the floating-point tensors")
      ->check(CLI::IsMember({"keep", "fp16", "bf16", "fp32"}))
      ->capture_default_str();
  cmd->add_option("--image-size", o->image_size,
                  "picture size to write into the configuration, where it was trained at another")
      ->check(CLI::Range(int64_t{1}, int64_t{4096}));
  cmd->add_flag("--use-ema", o->use_ema,
                "of a training checkpoint take the weights averaged over steps");
  cmd->add_flag("--also-bin", o->also_bin, "open_clip_pytorch_model.bin beside the safetensors");
  add_card_options(*cmd, *o);
  cmd->add_flag("--force", o->force,
                "overwrite an edited README.md; write into a folder that is no package");
  cmd->add_flag("--dry-run", o->dry_run, "check everything, show the card, write nothing");
  add_common_options(*cmd, o->common);
  cmd->footer(
      "open_clip loads the folder as local-dir:FOLDER, and from the hub once uploaded. The card\n"
      "says what is known from the files given, and marks what is missing.\n\nExamples:\n"
      "  clipnext package logs/first/checkpoints/epoch_30.pt -o first --license mit --logs "
      "logs/first\n"
      "  clipnext package soup/ -o my-clip --logs logs/a logs/b logs/c --eval results/ \\\n"
      "    --data-description @data.md --license apache-2.0 --dtype fp16\n"
      "  clipnext package model.safetensors --model convnext_base_w -o folder --dry-run");
  cmd->callback([o] { run(*o); });
}

}  // namespace clipnext::cli
