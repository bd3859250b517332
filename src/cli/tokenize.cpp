// clipnext tokenize: texts to token ids.
#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <cstdlib>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "pipeline/embed_texts.h"

namespace clipnext::cli {
namespace {

struct Options {
  CommonOptions common;
  ModelOptions model;
  TextOptions texts;
  std::vector<std::string> given;
  int64_t context = 0;
};

struct Setup {
  text::Tokenizer tokenizer;
  int64_t context_length;
};

// Texts need no model: without one it is CLIP's own tokenizer and context.
Setup choose(const Options& o) {
  const char* set = std::getenv("CLIPNEXT_MODEL");
  if (o.model.model.empty() && (set == nullptr || *set == 0)) {
    note("tokenizer: CLIP's, context 77");
    return {.tokenizer = text::Tokenizer(), .context_length = o.context > 0 ? o.context : 77};
  }
  const model::Model model = open_model(o.model);
  return {.tokenizer = pipeline::make_tokenizer(model),
          .context_length = o.context > 0 ? o.context : model.config.text.context_length};
}

std::string padded_json(const std::vector<int32_t>& ids, int64_t context_length) {
  std::string line = "[";
  for (int64_t i = 0; i < context_length; ++i) {
    if (i > 0) line += ", ";
    const auto at = static_cast<size_t>(i);
    line += std::to_string(at < ids.size() ? ids[at] : 0);
  }
  return line + "]\n";
}

std::string readable(const text::Tokenizer& tokenizer, const std::string& text,
                     const std::vector<int32_t>& ids) {
  std::string out = text + "\n ";
  for (const int32_t id : ids) {
    out += " " + std::to_string(id) + ":" + tokenizer.decode({&id, 1});
  }
  return out + "\n  " + std::to_string(ids.size()) + " tokens\n";
}

void run(const Options& o) {
  std::vector<std::string> texts = o.given;
  for (std::string& text : read_texts(o.texts)) texts.push_back(std::move(text));
  if (texts.empty() && o.texts.lines.empty() && o.texts.json.empty()) {
    throw CLI::RequiredError("at least one text (TEXT, --texts, --texts-json)");
  }
  const Setup setup = choose(o);
  std::vector<std::string> lines(texts.size());
  ThreadPool pool(o.common.threads);
  pool.parallel_for(static_cast<int64_t>(texts.size()), [&](int64_t index) {
    const auto i = static_cast<size_t>(index);
    try {
      const std::vector<int32_t> ids = setup.tokenizer.tokenize(texts[i], setup.context_length);
      lines[i] = o.common.json ? padded_json(ids, setup.context_length)
                               : readable(setup.tokenizer, texts[i], ids);
    } catch (const Error& error) {
      fail("text ", i + 1, ": ", error.what());
    }
  });
  for (const std::string& line : lines) print(line);
}

}  // namespace

void add_tokenize(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* cmd = app.add_subcommand("tokenize", "texts to token ids");
  cmd->add_option("text", o->given, "texts");
  add_text_options(*cmd, o->texts);
  cmd->add_option("--context", o->context, "length to cut and pad to; default: the model's, or 77")
      ->check(CLI::Range(int64_t{2}, int64_t{1'000'000}));
  add_model_options(*cmd, o->model);
  add_common_options(*cmd, o->common);
  cmd->footer(
      "Without --model and $CLIPNEXT_MODEL: CLIP's own vocabulary and its context of 77. With "
      "--json\neach text is one line: an array of ids, padded with zeros to the context.\n\n"
      "Examples:\n"
      "  clipnext tokenize \"a photo of a cat\"\n"
      "  clipnext tokenize --texts captions.txt --json");
  cmd->callback([o] { run(*o); });
}

}  // namespace clipnext::cli
