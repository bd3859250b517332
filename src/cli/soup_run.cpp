#include "cli/soup_run.h"

#include <algorithm>
#include <atomic>
#include <system_error>
#include <tuple>

#include "base/error.h"
#include "base/file.h"
#include "base/folder_writer.h"
#include "base/progress.h"
#include "model/bind.h"
#include "model/source.h"
#include "pipeline/embed_texts.h"
#include "soup/config_file.h"

namespace clipnext::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWeightsFile = "open_clip_model.safetensors";
constexpr const char* kConfigFile = "open_clip_config.json";
constexpr int64_t kMegabyte = 1'000'000;

// --model: text and where it is from.
std::pair<std::string, std::string> named_config(const std::string& name) {
  std::error_code ignored;
  if (model::is_builtin_config(name)) {
    return {std::string(model::builtin_config_json(name)), name};
  }
  fs::path file = name;
  if (fs::is_directory(file, ignored)) file /= kConfigFile;
  if (fs::is_regular_file(file, ignored)) return {read_file(file), file.string()};
  model::builtin_config_json(name);  // says which names there are
  fail("--model ", name, ": no such configuration");
}

void settle_config(const SoupOptions& o, Pot& pot) {
  if (!o.model.empty()) {
    std::tie(pot.config_json, pot.config_source) = named_config(o.model);
  } else {
    for (const soup::Ingredient& i : pot.ingredients) {
      if (!i.config) continue;
      pot.config_json = i.config_json;
      pot.config_source = i.given;
      break;
    }
  }
  require(!pot.config_json.empty(), "none of the ingredients brings a configuration (", kConfigFile,
          " in or beside it); name theirs: --model CONFIG (`clipnext models` lists them)");
  pot.config_file = soup::config_file(pot.config_json, pot.config_source, asked_image_size(o));
  const Json json = parse_json(pot.config_file.dump(), pot.config_source);
  pot.config = model::parse_model_config(
      json.at("model_cfg"), o.model.empty() ? pot.ingredients[0].name : o.model, pot.config_source);
  model::apply_preprocess_config(json.at("preprocess_cfg"), pot.config_source, pot.config);
}

// With --model, ingredients that bring a configuration must have that one.
void check_named_config(const SoupOptions& o, const Pot& pot) {
  if (o.model.empty()) return;
  for (const soup::Ingredient& i : pot.ingredients) {
    if (!i.config) continue;
    std::string text;
    for (const std::string& fact : soup::config_differences(pot.config, *i.config)) {
      text += "\n    " + fact;
    }
    require(text.empty(), i.given, ": its configuration is another than --model ", o.model,
            "'s, which is named first here:", text);
    require(o.image_size > 0 || i.config->image_height == pot.config.image_height, i.given,
            ": its image size is ", i.config->image_height, ", --model ", o.model, " has ",
            pot.config.image_height, "; say which the result is for: --image-size N");
  }
}

std::string plural(size_t count, const char* unit) {
  return std::to_string(count) + " " + unit + (count == 1 ? "" : "s");
}

std::string megabytes(int64_t bytes) {
  return format("%.1f MB", static_cast<double>(bytes) / static_cast<double>(kMegabyte));
}

// "0.333 x name", one a line.
std::string recipe_lines(const Cooked& cooked) {
  std::string text;
  for (size_t i = 0; i < cooked.ingredients.size(); ++i) {
    text += format("  %.6g x %s\n", cooked.plan.weights[i], cooked.ingredients[i].given.c_str());
  }
  return text;
}

OrderedJson plan_json(const SoupOptions& o, const Cooked& cooked) {
  OrderedJson list = OrderedJson::array();
  for (size_t i = 0; i < cooked.ingredients.size(); ++i) {
    list.push_back({{"path", cooked.ingredients[i].given},
                    {"name", cooked.ingredients[i].name},
                    {"weight", cooked.plan.weights[i]}});
  }
  int64_t averaged = 0;
  for (const auto& tensor : cooked.plan.tensors) averaged += tensor.averaged ? 1 : 0;
  return {{"out", o.out.string()}, {"recipe", cooked.provenance.recipe},
          {"ingredients", list},   {"tensor_count", cooked.plan.tensors.size()},
          {"averaged", averaged},  {"bytes", cooked.plan.byte_size()}};
}

void say_dry(const SoupOptions& o, const Cooked& cooked, const std::vector<std::string>& warnings) {
  if (o.common.json) {
    OrderedJson json = plan_json(o, cooked);
    json["dry_run"] = true;
    json["warnings"] = warnings;
    print_json(json);
    return;
  }
  print(o.out.string() + ": " + cooked.provenance.recipe + ", would hold " +
        plural(cooked.plan.tensors.size(), "tensor") + ", " + megabytes(cooked.plan.byte_size()) +
        "\n" + recipe_lines(cooked));
}

void copy_tokenizer(const fs::path& from, const fs::path& to) {
  if (from.empty()) return;
  std::error_code ignored;
  for (const std::string_view name : soup::tokenizer_files()) {
    if (fs::exists(from / name, ignored)) write_file(to / name, read_file(from / name));
  }
}

void show_smoke(const SoupOptions& o, Backend& backend, OrderedJson* json) {
  ModelOptions model;
  model.model = o.out.string();
  LoadedModel loaded(backend, model, o.common.threads);
  const std::vector<std::string> texts(o.smoke.begin() + 1, o.smoke.end());
  const pipeline::Embedded text_vectors =
      pipeline::embed_texts(loaded.clip(), loaded.tokenizer, texts);
  const pipeline::Embedded image_vectors =
      pipeline::embed_images(loaded.clip(), loaded.pool, read_image_sources({o.smoke[0]}));
  const auto dim = static_cast<size_t>(loaded.model.config.embed_dim);
  OrderedJson rows = OrderedJson::array();
  std::string table = o.smoke[0] + "\n";
  for (size_t t = 0; t < texts.size(); ++t) {
    double cosine = 0;
    for (size_t k = 0; k < dim; ++k) {
      cosine += double{image_vectors.vectors[k]} * double{text_vectors.vectors[t * dim + k]};
    }
    rows.push_back({{"text", texts[t]}, {"cosine", json_number(static_cast<float>(cosine))}});
    table += format("  %7.4f  %s\n", cosine, texts[t].c_str());
  }
  if (json != nullptr) {
    (*json)["smoke"] = {{"image", o.smoke[0]}, {"texts", rows}};
  } else {
    print(table);
  }
}

void say_done(const SoupOptions& o, const Cooked& cooked, const soup::WrittenWeights& written,
              const std::vector<std::string>& warnings, Backend& backend) {
  if (o.common.json) {
    OrderedJson json = plan_json(o, cooked);
    json["dry_run"] = false;
    json["sha256"] = written.sha256;
    json["distances"] = distances_json(written.pass.distances, cooked.ingredients);
    json["warnings"] = warnings;
    if (!o.smoke.empty()) show_smoke(o, backend, &json);
    print_json(json);
    return;
  }
  print(o.out.string() + ": " + cooked.provenance.recipe + ", " +
        plural(cooked.plan.tensors.size(), "tensor") + ", " + megabytes(cooked.plan.byte_size()) +
        "\n" + recipe_lines(cooked) + "  sha256 " + written.sha256 + "\n" +
        distance_table(written.pass.distances, cooked.ingredients));
  if (!o.smoke.empty()) show_smoke(o, backend, nullptr);
}

}  // namespace

std::vector<soup::Ingredient> open_all(const SoupOptions& o,
                                       const std::vector<std::string>& names) {
  std::vector<soup::Ingredient> ingredients;
  ingredients.reserve(names.size());
  for (const std::string& name : names) {
    ingredients.push_back(
        soup::open_ingredient(name, {.use_ema = o.use_ema, .find_config = o.model.empty()}));
  }
  return ingredients;
}

Pot open_pot(const SoupOptions& o, const std::vector<std::string>& names) {
  Pot pot;
  pot.ingredients = open_all(o, names);
  soup::check_globs(o.selection, pot.ingredients[0]);
  std::vector<soup::Ingredient> all = pot.ingredients;
  if (!o.base.empty()) {
    pot.base = soup::open_ingredient(o.base, {.use_ema = false, .find_config = o.model.empty()});
    all.push_back(*pot.base);
  }
  soup::require_agreement(all, o.selection, asked_image_size(o));
  settle_config(o, pot);
  check_named_config(o, pot);
  for (const soup::Ingredient& i : pot.ingredients) {
    if (pot.tokenizer_folder.empty()) pot.tokenizer_folder = i.tokenizer_folder;
  }
  model::bind_tensors(pot.config, pot.ingredients[0].tensors, pot.ingredients[0].given);
  return pot;
}

std::vector<soup::Ingredient> some_of(const Pot& pot, const std::vector<size_t>& members) {
  std::vector<soup::Ingredient> some;
  some.reserve(members.size());
  for (const size_t i : members) some.push_back(pot.ingredients[i]);
  return some;
}

soup::WrittenWeights write_model(const fs::path& folder, const Pot& pot, const soup::Plan& plan,
                                 std::span<const soup::Ingredient> ingredients,
                                 const soup::PassOptions& pass, bool allow_nonfinite,
                                 ThreadPool& pool) {
  write_file(folder / kConfigFile, pot.config_file.dump(4) + "\n");
  copy_tokenizer(pot.tokenizer_folder, folder);
  return soup::write_weights(folder / kWeightsFile, plan, ingredients, pass, allow_nonfinite, pool);
}

void finish_soup(const SoupOptions& o, const Pot& pot, Cooked cooked, Backend& backend) {
  std::vector<std::string> warnings = soup::warnings_about(cooked.ingredients);
  warnings.insert(warnings.end(), cooked.plan.warnings.begin(), cooked.plan.warnings.end());
  soup::check_output(o.out, o.force);
  if (o.dry_run) {
    for (const std::string& warning : warnings) note("warning: " + warning);
    say_dry(o, cooked, warnings);
    return;
  }
  FolderWriter writer(o.out);
  const fs::path& folder = writer.folder();
  ThreadPool pool(o.common.threads);
  int64_t bytes = 0;
  for (const auto& tensor : cooked.plan.tensors) {
    for (const auto& source : tensor.sources) bytes += static_cast<int64_t>(source.data.size());
  }
  Progress progress("soup", bytes / kMegabyte, "MB");
  std::atomic<int64_t> done{0};
  const soup::PassOptions pass{.base = pot.base ? &*pot.base : nullptr,
                               .progress = [&](int64_t count) {
                                 const int64_t before = done.fetch_add(count);
                                 progress.add((before + count) / kMegabyte - before / kMegabyte);
                               }};
  const soup::WrittenWeights written =
      write_model(folder, pot, cooked.plan, cooked.ingredients, pass, o.allow_nonfinite, pool);
  progress.finish();
  cooked.provenance.version = CLIPNEXT_VERSION;
  cooked.provenance.sha256 = written.pass.sha256;
  cooked.provenance.output_sha256 = written.sha256;
  write_file(
      folder / "soup.json",
      soup::provenance_json(cooked.provenance, cooked.plan, cooked.ingredients).dump(2) + "\n");
  for (const auto& [name, content] : cooked.files) write_file(folder / name, content);
  if (o.also_bin) {
    const auto checkpoint = weights::open_checkpoint(folder / kWeightsFile);
    weights::write_torch_zip(folder / "open_clip_pytorch_model.bin", checkpoint.tensors);
  }
  writer.commit(soup::stale_files());

  for (std::string& warning : distance_warnings(written.pass, cooked.ingredients)) {
    warnings.push_back(std::move(warning));
  }
  for (const soup::NonFinite& found : written.pass.nonfinite) {
    warnings.push_back(cooked.ingredients[found.ingredient].given + ": tensor " + found.tensor +
                       " has " + std::to_string(found.count) + " values that are not finite");
  }
  for (const std::string& warning : warnings) note("warning: " + warning);
  say_done(o, cooked, written, warnings, backend);
}

std::string distance_table(const soup::Distances& distances,
                           std::span<const soup::Ingredient> ingredients) {
  if (distances.pairs.empty()) return "";
  std::string text = "  relative distances |a - b| / |a|\n";
  for (const soup::Distance& pair : distances.pairs) {
    text += format("    %.3g  ", pair.relative);
    if (pair.cosine) text += format("cosine of deltas %.3f  ", *pair.cosine);
    text += ingredients[pair.a].given + " and " + ingredients[pair.b].given + "\n      ";
    for (size_t g = 0; g < distances.groups.size(); ++g) {
      text += (g == 0 ? "" : ", ") + distances.groups[g] + format(" %.3g", pair.by_group[g]);
    }
    text += "\n";
  }
  return text;
}

OrderedJson distances_json(const soup::Distances& distances,
                           std::span<const soup::Ingredient> ingredients) {
  OrderedJson list = OrderedJson::array();
  for (const soup::Distance& pair : distances.pairs) {
    OrderedJson groups = OrderedJson::object();
    for (size_t g = 0; g < distances.groups.size(); ++g) {
      groups[distances.groups[g]] = pair.by_group[g];
    }
    OrderedJson json = {{"a", ingredients[pair.a].given},
                        {"b", ingredients[pair.b].given},
                        {"relative", pair.relative},
                        {"groups", std::move(groups)}};
    if (pair.cosine) json["cosine"] = *pair.cosine;
    list.push_back(std::move(json));
  }
  return list;
}

std::vector<std::string> distance_warnings(const soup::PassResult& pass,
                                           std::span<const soup::Ingredient> ingredients) {
  std::vector<std::string> warnings;
  for (const soup::Distance& pair : pass.distances.pairs) {
    const std::string both = ingredients[pair.a].given + " and " + ingredients[pair.b].given;
    const bool same_file =
        pass.sha256.size() == ingredients.size() && pass.sha256[pair.a] == pass.sha256[pair.b];
    if (same_file || pair.relative == 0) {
      warnings.push_back(both + " hold the same weights");
    } else if (pair.relative > soup::kFarApart) {
      warnings.push_back(both + format(" are %.2f apart: probably not fine-tunes of one parent, "
                                       "and their average is then no good model",
                                       pair.relative));
    }
  }
  return warnings;
}

}  // namespace clipnext::cli
