// clipnext soup: averages of models that were fine-tuned from one parent.
#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <charconv>
#include <cmath>
#include <memory>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/soup_commands.h"
#include "cli/soup_run.h"

namespace clipnext::cli {
namespace {

constexpr size_t kMaxIngredients = 1000;

void add_ingredients(CLI::App& command, SoupOptions& o, const char* help, int least) {
  command.add_option("ingredients", o.ingredients, help)
      ->required()
      ->expected(least, static_cast<int>(kMaxIngredients));
}

void cook(const SoupOptions& o, const Pot& pot, const std::string& recipe,
          std::vector<double> weights, Backend& backend) {
  soup::Plan plan =
      soup::make_plan(pot.ingredients, plan_options(o, std::move(weights)), &pot.config);
  finish_soup(o, pot,
              {.ingredients = pot.ingredients,
               .plan = std::move(plan),
               .provenance = {.version = {}, .recipe = recipe}},
              backend);
}

void add_uniform(CLI::App& app, Backend& backend) {
  auto o = std::make_shared<SoupOptions>();
  CLI::App* cmd = app.add_subcommand("uniform", "the mean of all ingredients");
  add_ingredients(*cmd, *o, "model folders and checkpoints of any format", 1);
  add_soup_options(*cmd, *o);
  cmd->footer(
      "Example:\n"
      "  clipnext soup uniform -o soup/ run-a/ run-b/epoch_10.pt run-c.safetensors");
  cmd->callback([o, &backend] {
    backend.choose_device(o->device);
    cook(*o, open_pot(*o, o->ingredients), "uniform", {}, backend);
  });
}

// ---- weighted ----

// NAME:WEIGHT at the last colon.
std::pair<std::string, double> split_weight(const std::string& text) {
  const size_t colon = text.rfind(':');
  double weight = 0;
  if (colon != std::string::npos && colon > 0) {
    const char* begin = text.data() + colon + 1;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(begin, end, weight);
    if (error == std::errc() && stop == end && begin != end && std::isfinite(weight)) {
      return {text.substr(0, colon), weight};
    }
  }
  throw CLI::ValidationError("ingredients", "\"" + text + "\": expected PATH:WEIGHT, as a/:0.5");
}

void add_weighted(CLI::App& app, Backend& backend) {
  struct Weighted : SoupOptions {
    bool as_given = false;
  };
  auto o = std::make_shared<Weighted>();
  CLI::App* cmd = app.add_subcommand("weighted", "a weighted mean: PATH:WEIGHT ...");
  add_ingredients(*cmd, *o, "PATH:WEIGHT, a model folder or checkpoint and its weight", 1);
  add_soup_options(*cmd, *o);
  cmd->add_flag("--no-normalize", o->as_given,
                "weights as they are; otherwise they are divided by their sum");
  cmd->footer(
      "Example:\n"
      "  clipnext soup weighted -o soup/ run-a/:0.5 run-b/:0.3 run-c/:0.2");
  cmd->callback([o, &backend] {
    backend.choose_device(o->device);
    std::vector<std::string> names;
    std::vector<double> weights;
    for (const std::string& text : o->ingredients) {
      auto [name, weight] = split_weight(text);
      names.push_back(std::move(name));
      weights.push_back(weight);
    }
    if (!o->as_given) {
      try {
        weights = soup::normalised(weights);
      } catch (const Error& error) {
        throw CLI::ValidationError("ingredients", error.what());
      }
    }
    cook(*o, open_pot(*o, names), "weighted", std::move(weights), backend);
  });
}

}  // namespace

void add_soup(CLI::App& app, Backend& backend) {
  CLI::App* cmd = app.add_subcommand("soup", "average models fine-tuned from one parent");
  cmd->require_subcommand(1);
  add_uniform(*cmd, backend);
  add_weighted(*cmd, backend);
  add_soup_interp(*cmd, backend);
  add_soup_greedy(*cmd, backend);
  add_soup_inspect(*cmd);
  cmd->footer(
      "Ingredients are model folders, .safetensors, .pt and .bin files, and training checkpoints, "
      "of\nwhich the weights are taken. What does not fit is refused, with what differs.\n\n"
      "Examples:\n"
      "  clipnext soup inspect run-a/ run-b/ --base parent/\n"
      "  clipnext soup uniform -o soup/ run-a/ run-b/ run-c/\n"
      "  clipnext soup interp -o soup/ --alpha 0.5 zero-shot/ fine-tuned/\n"
      "  clipnext soup greedy -o soup/ --eval wds/held-out --dataset_root data/{dataset} \\\n"
      "      --metric acc1 run-a/ run-b/ run-c/");
}

}  // namespace clipnext::cli
