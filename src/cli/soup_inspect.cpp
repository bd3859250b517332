// clipnext soup inspect: whether models can be averaged, and how far they are from each other.
#include <CLI/App.hpp>
#include <atomic>
#include <memory>

#include "base/error.h"
#include "base/progress.h"
#include "cli/soup_commands.h"
#include "cli/soup_run.h"

namespace clipnext::cli {
namespace {

struct InspectOptions : SoupOptions {
  bool keys = false;
};

int64_t parameters_of(const soup::Ingredient& ingredient) {
  int64_t count = 0;
  for (const auto& [name, tensor] : ingredient.tensors) count += tensor.numel();
  return count;
}

OrderedJson ingredient_json(const soup::Ingredient& ingredient, const std::string& sha256,
                            bool keys) {
  OrderedJson json = {{"path", ingredient.given},
                      {"file", ingredient.file.string()},
                      {"format", weights::format_name(ingredient.format)},
                      {"tensor_count", ingredient.tensors.size()},
                      {"parameters", parameters_of(ingredient)},
                      {"dtype", soup::dtype_of(ingredient)}};
  if (const auto scale = soup::logit_scale_of(ingredient)) {
    json["logit_scale"] = json_number(static_cast<float>(*scale));
  }
  if (ingredient.config) json["image_size"] = ingredient.config->image_height;
  for (const char* key : {"epoch", "name"}) {
    const auto found = ingredient.metadata.find(key);
    if (found != ingredient.metadata.end()) json[key] = found->second;
  }
  if (!sha256.empty()) json["sha256"] = sha256;
  if (keys) {
    OrderedJson tensors = OrderedJson::array();
    for (const auto& [name, tensor] : ingredient.tensors) {
      tensors.push_back(
          {{"name", name}, {"dtype", weights::dtype_name(tensor.dtype)}, {"shape", tensor.shape}});
    }
    json["tensors"] = std::move(tensors);
  }
  return json;
}

void print_ingredient(const soup::Ingredient& ingredient, const std::string& sha256, bool keys) {
  std::string text =
      ingredient.given + "\n  " + std::to_string(ingredient.tensors.size()) +
      format(" tensors, %.1f M values, ", static_cast<double>(parameters_of(ingredient)) * 1e-6) +
      soup::dtype_of(ingredient) + ", " + std::string(weights::format_name(ingredient.format));
  if (const auto scale = soup::logit_scale_of(ingredient)) {
    text += format(", logit_scale %.6g", *scale);
  }
  if (ingredient.config) {
    text += ", for pictures of " + std::to_string(ingredient.config->image_height);
  }
  for (const char* key : {"epoch", "name"}) {
    const auto found = ingredient.metadata.find(key);
    if (found != ingredient.metadata.end()) {
      text += std::string(", ") + key + " " + found->second;
    }
  }
  if (!sha256.empty()) text += "\n  sha256 " + sha256;
  if (keys) {
    for (const auto& [name, tensor] : ingredient.tensors) {
      text += "\n    " + name + " " + std::string(weights::dtype_name(tensor.dtype)) + " " +
              weights::format_shape(tensor.shape);
    }
  }
  print(text + "\n");
}

// All bytes are read only where the ingredients can be compared element by element.
soup::PassResult measure(const InspectOptions& o, const std::vector<soup::Ingredient>& ingredients,
                         const soup::Ingredient* base) {
  constexpr int64_t kMegabyte = 1'000'000;
  soup::Options options;
  options.selection = o.selection;
  const soup::Plan plan = soup::make_plan(ingredients, options, nullptr);
  int64_t bytes = 0;
  for (const auto& tensor : plan.tensors) {
    for (const auto& source : tensor.sources) bytes += static_cast<int64_t>(source.data.size());
  }
  Progress progress("inspect", bytes / kMegabyte, "MB");
  std::atomic<int64_t> done{0};
  ThreadPool pool(o.common.threads);
  return soup::run_pass(plan, ingredients,
                        {.base = base,
                         .progress =
                             [&](int64_t count) {
                               const int64_t before = done.fetch_add(count);
                               progress.add((before + count) / kMegabyte - before / kMegabyte);
                             }},
                        pool);
}

void inspect(const InspectOptions& o) {
  const std::vector<soup::Ingredient> ingredients = open_all(o, o.ingredients);
  soup::check_globs(o.selection, ingredients[0]);
  std::vector<soup::Ingredient> all = ingredients;
  if (!o.base.empty()) all.push_back(soup::open_ingredient(o.base));
  const std::vector<std::string> disagreements =
      soup::disagreements(all, o.selection, asked_image_size(o));
  const bool fits = disagreements.empty();
  soup::PassResult pass;
  if (fits) pass = measure(o, ingredients, o.base.empty() ? nullptr : &all.back());
  pass.sha256.resize(ingredients.size());

  std::vector<std::string> warnings = soup::warnings_about(ingredients);
  if (fits) {
    for (std::string& warning : distance_warnings(pass, ingredients)) {
      warnings.push_back(std::move(warning));
    }
  }
  OrderedJson nonfinite = OrderedJson::array();
  for (const soup::NonFinite& found : pass.nonfinite) {
    warnings.push_back(ingredients[found.ingredient].given + ": tensor " + found.tensor + " has " +
                       std::to_string(found.count) + " values that are NaN or infinite");
    nonfinite.push_back({{"path", ingredients[found.ingredient].given},
                         {"tensor", found.tensor},
                         {"count", found.count}});
  }
  if (o.common.json) {
    OrderedJson list = OrderedJson::array();
    for (size_t i = 0; i < ingredients.size(); ++i) {
      list.push_back(ingredient_json(ingredients[i], pass.sha256[i], o.keys));
    }
    print_json({{"ingredients", list},
                {"fit", fits},
                {"differences", disagreements},
                {"distances", distances_json(pass.distances, ingredients)},
                {"nonfinite", nonfinite},
                {"warnings", warnings}});
  } else {
    for (size_t i = 0; i < ingredients.size(); ++i) {
      print_ingredient(ingredients[i], pass.sha256[i], o.keys);
    }
    print(distance_table(pass.distances, ingredients));
  }
  for (const std::string& warning : warnings) note("warning: " + warning);
  soup::require_agreement(all, o.selection, asked_image_size(o));
}

}  // namespace

void add_soup_inspect(CLI::App& app) {
  auto o = std::make_shared<InspectOptions>();
  CLI::App* cmd =
      app.add_subcommand("inspect", "whether models can be averaged, and how far apart they are");
  cmd->add_option("ingredients", o->ingredients, "model folders and checkpoints of any format")
      ->required()
      ->expected(1, 1000);
  add_ingredient_options(*cmd, *o);
  cmd->add_flag("--keys", o->keys, "names, types and shapes of all tensors");
  cmd->footer(
      "Exit status 1 where they cannot be averaged.\n\nExamples:\n"
      "  clipnext soup inspect run-a/ run-b/ --base parent/\n"
      "  clipnext soup inspect epoch_9.pt epoch_10.pt --json");
  cmd->callback([o] { inspect(*o); });
}

}  // namespace clipnext::cli
