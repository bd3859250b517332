// clipnext embed: images or texts to a file of unit vectors.
#include <CLI/App.hpp>
#include <algorithm>
#include <filesystem>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "pipeline/embed_texts.h"
#include "weights/checkpoint.h"

namespace clipnext::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  CommonOptions common;
  ModelOptions model;
  ImageOptions images;
  TextOptions texts;
  fs::path out;
  std::string on_bad = "fail";
};

// What was embedded, and what each item is called in the list beside the vectors.
struct Result {
  pipeline::Embedded embedded;
  std::vector<std::string> names;
  const char* unit;
};

Result embed_images(const Options& o, LoadedModel& m,
                    const std::vector<pipeline::ImageSource>& sources) {
  Progress progress("embed", static_cast<int64_t>(sources.size()), "images");
  return {.embedded =
              pipeline::embed_images(m.clip(), m.pool, sources, embed_options(o.images, o.on_bad),
                                     [&](int64_t n) { progress.add(n); }),
          .names = source_names(sources),
          .unit = "images"};
}

Result embed_texts(const Options& o, LoadedModel& m, std::vector<std::string> texts) {
  Progress progress("embed", static_cast<int64_t>(texts.size()), "texts");
  pipeline::Embedded embedded = pipeline::embed_texts(
      m.clip(), m.tokenizer, texts, on_bad_policy(o.on_bad), [&](int64_t n) { progress.add(n); });
  return {.embedded = std::move(embedded), .names = std::move(texts), .unit = "texts"};
}

// One line a source: a line break inside one (a text from JSON, a strange file name) is written as
// the two characters \n, so that line i belongs to vector i.
std::string one_line(const std::string& text) {
  std::string line;
  for (char c : text) {
    if (c == '\n') {
      line += "\\n";
    } else if (c == '\r') {
      line += "\\r";
    } else {
      line += c;
    }
  }
  return line;
}

// X.txt beside the vectors. Opened before the work, so that a folder that cannot be written shows
// at once.
class SourceList {
 public:
  explicit SourceList(const Options& o) : path_(o.out) {
    path_.replace_extension(".txt");
    std::error_code ignored;
    if (fs::exists(path_, ignored) && !fs::exists(o.out, ignored) &&
        !fs::equivalent(path_, o.texts.lines, ignored)) {
      throw CLI::ValidationError("--out", path_.string() +
                                              ", where the list of sources goes, exists and is not "
                                              "one (there is no " +
                                              o.out.string() + "): choose another name");
    }
    if (!o.texts.lines.empty() && fs::equivalent(path_, o.texts.lines, ignored)) {
      // captions.txt to captions.npy: the list is there already, and is the user's own file.
      if (o.on_bad == "skip") {
        throw CLI::ValidationError("--out", path_.string() +
                                                " is the file of texts; skipping some "
                                                "would change it: choose another name");
      }
      return;
    }
    writer_.emplace(path_);
  }

  const fs::path& path() const { return path_; }
  void add(const Result& result) {
    if (!writer_) return;
    for (int64_t i : result.embedded.good) {
      writer_->write(one_line(result.names[static_cast<size_t>(i)]) + "\n");
    }
  }
  void commit() {
    if (writer_) writer_->commit();
  }

 private:
  fs::path path_;
  std::optional<FileWriter> writer_;
};

void write_vectors(const fs::path& path, const Result& result, const model::Model& model) {
  const std::vector<float>& values = result.embedded.vectors;
  const weights::Tensor tensor{
      .dtype = weights::DType::kF32,
      .shape = {static_cast<int64_t>(result.embedded.good.size()), model.config.embed_dim},
      .data = std::as_bytes(std::span(values)),
      .owner = nullptr};
  if (path.extension() == ".npy") {
    weights::write_npy(path, tensor);
  } else {
    weights::write_safetensors(path, {{"embeddings", tensor}},
                               {{"model", model.name}, {"kind", result.unit}});
  }
}

void check(const Options& o) {
  const int inputs = (o.images.paths.empty() ? 0 : 1) + (o.texts.lines.empty() ? 0 : 1) +
                     (o.texts.json.empty() ? 0 : 1);
  if (inputs != 1) {
    throw CLI::ValidationError("give one of", "--images, --texts, --texts-json");
  }
  if (o.out.extension() != ".npy" && o.out.extension() != ".safetensors") {
    throw CLI::ValidationError("--out", o.out.string() + " must end in .npy or .safetensors");
  }
}

// Neither file may be one that is read: a mistyped name must not cost a picture.
void check_targets(const Options& o, const std::vector<pipeline::ImageSource>& sources) {
  fs::path list = o.out;
  list.replace_extension(".txt");
  const auto refuse = [](const fs::path& target, const fs::path& input) {
    std::error_code ignored;
    if (fs::equivalent(target, input, ignored)) {
      throw CLI::ValidationError(
          "--out", target.string() + " would be written, but is an input: choose another name");
    }
  };
  refuse(o.out, o.texts.lines);
  refuse(o.out, o.texts.json);
  refuse(list, o.texts.json);
  for (const pipeline::ImageSource& source : sources) {
    refuse(o.out, source.name);
    refuse(list, source.name);
  }
}

void run(const Options& o, Backend& backend) {
  backend.choose_device(o.model.device);
  check(o);
  const std::vector<std::string> texts = read_texts(o.texts);
  require(!texts.empty() || !o.images.paths.empty(), "there are no texts to embed");
  const std::vector<pipeline::ImageSource> sources = o.images.paths.empty()
                                                         ? std::vector<pipeline::ImageSource>{}
                                                         : read_image_sources(o.images.paths);
  check_targets(o, sources);
  SourceList list(o);
  LoadedModel m(backend, o.model, o.common.threads);
  const Result result =
      o.images.paths.empty() ? embed_texts(o, m, texts) : embed_images(o, m, sources);
  report_bad(result.embedded.bad, result.names.size(), result.unit);
  list.add(result);
  write_vectors(o.out, result, m.model);
  list.commit();

  const size_t count = result.embedded.good.size();
  if (o.common.json) {
    print_json({{"model", m.model.name},
                {"out", o.out.string()},
                {"sources", list.path().string()},
                {"kind", result.unit},
                {"count", count},
                {"dim", m.model.config.embed_dim},
                {"bad", bad_json(result.embedded.bad, result.names)}});
  } else {
    print(format("%s: %zu %s, %ld values each\n", o.out.c_str(), count, result.unit,
                 static_cast<long>(m.model.config.embed_dim)));
  }
}

}  // namespace

void add_embed(CLI::App& app, Backend& backend) {
  auto o = std::make_shared<Options>();
  CLI::App* cmd = app.add_subcommand("embed", "images or texts to a file of unit vectors");
  add_image_options(*cmd, o->images);
  add_text_options(*cmd, o->texts);
  cmd->add_option("-o,--out", o->out,
                  "X.npy or X.safetensors (tensor `embeddings`): float32 [n, dim]; X.txt beside it "
                  "lists the sources, one a line")
      ->required();
  add_on_bad_option(*cmd, o->on_bad);
  add_model_options(*cmd, o->model);
  add_dtype_option(*cmd, o->model);
  add_device_option(*cmd, o->model.device);
  add_common_options(*cmd, o->common);
  cmd->footer(
      "Files appear whole or not at all: an interrupt leaves nothing behind.\n\nExamples:\n"
      "  clipnext embed --images photos/ more.jpg --out photos.npy\n"
      "  clipnext embed --texts captions.txt --out text.safetensors\n"
      "  clipnext embed photos/ --on-bad skip --out photos.npy --json");
  cmd->callback([o, &backend] { run(*o, backend); });
}

}  // namespace clipnext::cli
