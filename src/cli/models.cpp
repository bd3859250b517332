// clipnext models: the configurations inside the program.
#include <CLI/App.hpp>
#include <algorithm>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "model/profile.h"
#include "model/registry.h"

namespace clipnext::cli {
namespace {

struct Options {
  CommonOptions common;
  std::string filter;
};

struct Listed {
  model::ClipConfig config;
  int64_t parameters = 0;
  std::vector<std::string> tags;
};

const char* vision_kind(const model::ClipConfig& config) {
  if (std::holds_alternative<model::ConvNextConfig>(config.vision)) return "convnext";
  return std::holds_alternative<model::VitConfig>(config.vision) ? "vit" : "resnet";
}

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

std::vector<Listed> list(const std::string& filter, int threads) {
  std::vector<std::string> names = model::builtin_config_names();
  std::erase_if(names, [&](const std::string& name) {
    return lower(name).find(lower(filter)) == std::string::npos;
  });
  require(!names.empty(), "no model name contains \"", filter, "\"");
  std::vector<Listed> models(names.size());
  ThreadPool pool(threads);
  pool.parallel_for(static_cast<int64_t>(names.size()), [&](int64_t index) {
    const auto i = static_cast<size_t>(index);
    models[i].config = model::builtin_config(names[i]);
    models[i].parameters = model::profile(models[i].config).total.parameters;
  });
  for (Listed& m : models) {
    for (const model::PretrainedTag& tag : model::pretrained_tags()) {
      if (tag.config == m.config.name) m.tags.push_back(tag.tag);
    }
  }
  return models;
}

void run(const Options& o) {
  const std::vector<Listed> models = list(o.filter, o.common.threads);
  if (!o.common.json) {
    print(fit("name", 36) + "  tower     image    dim  parameters  weights known to open_clip\n");
    for (const Listed& m : models) {
      std::string line = fit(m.config.name, 36);
      line +=
          format("  %-8s  %3ldx%-3ld  %4ld  %8.2f M ", vision_kind(m.config),
                 static_cast<long>(m.config.image_height), static_cast<long>(m.config.image_width),
                 static_cast<long>(m.config.embed_dim), static_cast<double>(m.parameters) / 1e6);
      for (const std::string& tag : m.tags) line += " " + tag;
      print(line + "\n");
    }
    return;
  }
  OrderedJson array = OrderedJson::array();
  for (const Listed& m : models) {
    array.push_back({{"name", m.config.name},
                     {"vision", vision_kind(m.config)},
                     {"image_size", {m.config.image_height, m.config.image_width}},
                     {"context_length", m.config.text.context_length},
                     {"embed_dim", m.config.embed_dim},
                     {"parameters", m.parameters},
                     {"pretrained", m.tags}});
  }
  print_json({{"models", array}});
}

}  // namespace

void add_models(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* cmd = app.add_subcommand("models", "the model configurations it knows");
  cmd->add_option("filter", o->filter, "only names that contain this");
  add_common_options(*cmd, o->common);
  cmd->footer(
      "A model runs as --model NAME --pretrained FILE with any checkpoint of that shape; any timm\n"
      "ConvNeXt or other size runs from a folder with an open_clip_config.json.\n\nExamples:\n"
      "  clipnext models\n"
      "  clipnext models convnext --json");
  cmd->callback([o] { run(*o); });
}

}  // namespace clipnext::cli
