#include "eval/runs.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <map>

#include "base/content_hash.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text_lines.h"
#include "datasets/catalogue.h"
#include "datasets/dataset.h"

namespace clipnext::eval {
namespace {

namespace fs = std::filesystem;

using Pair = std::pair<std::string, std::string>;

constexpr int64_t kMaxListBytes = int64_t{1} << 24;

bool is_file(const std::string& path) {
  std::error_code none;
  return fs::is_regular_file(path, none);
}

Pair split_pair(const std::string& text, const std::string& where) {
  const size_t comma = text.find(',');
  require(comma != std::string::npos && text.find(',', comma + 1) == std::string::npos, where,
          ": \"", text, "\" is no MODEL,PRETRAINED, no file of such lines and no collection");
  return {std::string(trim(text.substr(0, comma))), std::string(trim(text.substr(comma + 1)))};
}

std::vector<Pair> expand_models(const RunOptions& o) {
  std::vector<Pair> models;
  for (const std::string& name : o.pretrained_model) {
    if (is_file(name)) {
      for (const std::string& line : split_items(read_file(name, kMaxListBytes))) {
        models.push_back(split_pair(line, name));
      }
    } else if (auto collection = model_collection(name)) {
      models.insert(models.end(), collection->begin(), collection->end());
    } else {
      models.push_back(split_pair(name, "--pretrained_model"));
    }
  }
  if (!o.pretrained_model.empty()) return models;
  for (const std::string& model : o.model) {
    for (const std::string& pretrained : o.pretrained) models.emplace_back(model, pretrained);
  }
  return models;
}

std::vector<std::string> expand_datasets(const RunOptions& o) {
  std::vector<std::string> names;
  for (const std::string& name : o.dataset) {
    if (is_file(name)) {
      const std::vector<std::string> lines = split_items(read_file(name, kMaxListBytes));
      names.insert(names.end(), lines.begin(), lines.end());
    } else if (const auto collection = datasets::collection(name); !collection.empty()) {
      names.insert(names.end(), collection.begin(), collection.end());
    } else {
      names.push_back(name);
    }
  }
  return names;
}

/// One value for every data set, or one for each; nothing if there is none.
template <class T>
std::vector<std::optional<T>> spread(const std::vector<T>& values, size_t datasets,
                                     const char* option) {
  if (values.empty()) return std::vector<std::optional<T>>(datasets);
  if (values.size() == 1) return std::vector<std::optional<T>>(datasets, values.front());
  require(values.size() == datasets, option, ": ", values.size(), " values for ", datasets,
          " data sets; give one, or one for each");
  return {values.begin(), values.end()};
}

/// Python's str.format with named fields and nothing after the name.
std::string fill_fields(std::string_view pattern, const std::map<std::string, std::string>& fields,
                        const std::string& option) {
  std::string out;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c != '{' && c != '}') {
      out += c;
      continue;
    }
    if (i + 1 < pattern.size() && pattern[i + 1] == c) {
      out += c;
      ++i;
      continue;
    }
    const size_t end = c == '{' ? pattern.find('}', i) : std::string::npos;
    require(end != std::string::npos, option, ": a single ", c, " in \"", pattern,
            "\"; write {FIELD}, or ", c, c, " for the character");
    const std::string name(pattern.substr(i + 1, end - i - 1));
    const auto field = fields.find(name);
    if (field == fields.end()) {
      std::string known;
      for (const auto& entry : fields) known += " {" + entry.first + "}";
      fail(option, ": there is no field {", name, "}; there are", known);
    }
    out += field->second;
    i = end;
  }
  return out;
}

std::string replace_slashes(std::string text, char with) {
  std::ranges::replace(text, '/', with);
  return text;
}

/// The first of these variables that is set, as a number.
int64_t number_in_environment(std::initializer_list<const char*> names, int64_t otherwise) {
  for (const char* name : names) {
    const char* text = std::getenv(name);
    if (text == nullptr) continue;
    int64_t value = 0;
    const char* const end = text + std::char_traits<char>::length(text);
    const auto [rest, error] = std::from_chars(text, end, value);
    require(error == std::errc() && rest == end && value >= 0, "environment variable ", name, "=",
            text, " is not a whole number");
    return value;
  }
  return otherwise;
}

}  // namespace

std::optional<std::vector<Pair>> model_collection(const std::string& name) {
  static const std::map<std::string, std::vector<Pair>> collections = {
      {"openai",
       {{"ViT-B-32", "openai"},
        {"ViT-B-16", "openai"},
        {"ViT-L-14", "openai"},
        {"ViT-L-14-336", "openai"}}},
      {"openclip_base",
       {{"ViT-B-32-quickgelu", "laion400m_e32"},
        {"ViT-B-32", "laion2b_e16"},
        {"ViT-B-32", "laion2b_s34b_b79k"},
        {"ViT-B-16", "laion400m_e32"},
        {"ViT-B-16-plus-240", "laion400m_e32"},
        {"ViT-L-14", "laion400m_e32"},
        {"ViT-L-14", "laion2b_s32b_b82k"},
        {"ViT-H-14", "laion2b_s32b_b79k"},
        {"ViT-g-14", "laion2b_s12b_b42k"}}},
      {"openclip_multilingual",
       {{"xlm-roberta-base-ViT-B-32", "laion5b_s13b_b90k"},
        {"xlm-roberta-large-ViT-H-14", "frozen_laion5b_s13b_b90k"}}},
      {"openclip_convnext",
       {{"convnext_large_d_320", "laion2b_s29b_b131k_ft_soup"},
        {"convnext_large_d_320", "laion2b_s29b_b131k_ft"},
        {"convnext_large_d", "laion2b_s26b_b102k_augreg"},
        {"convnext_xxlarge", "laion2b_s34b_b82k_augreg_soup"},
        {"convnext_xxlarge", "laion2b_s34b_b82k_augreg_rewind"},
        {"convnext_xxlarge", "laion2b_s34b_b82k_augreg"},
        {"convnext_base_w", "laion2b_s13b_b82k_augreg"},
        {"convnext_base_w", "laion2b_s13b_b82k"},
        {"convnext_base_w", "laion_aesthetic_s13b_b82k"},
        {"convnext_base_w_320", "laion_aesthetic_s13b_b82k_augreg"},
        {"convnext_base_w_320", "laion_aesthetic_s13b_b82k"},
        {"convnext_base", "laion400m_s13b_b51k"}}},
  };
  require(name != "openclip_all",
          "--pretrained_model openclip_all: this program does not know every pair that open_clip "
          "has registered; list the pairs in a file, one MODEL,PRETRAINED a line");
  const auto found = collections.find(name);
  if (found == collections.end()) return std::nullopt;
  return found->second;
}

std::vector<Run> expand_runs(const RunOptions& o) {
  const std::vector<std::string> names = expand_datasets(o);
  require(o.val_split.empty() || o.val_proportion.empty(),
          "--val_split and --val_proportion exclude each other");
  for (const double share : o.val_proportion) {
    require(share > 0 && share < 1, "--val_proportion ", share, " is not between 0 and 1");
  }
  const auto train = spread(o.train_split, names.size(), "--train_split");
  const auto val = spread(o.val_split, names.size(), "--val_split");
  const auto proportion = spread(o.val_proportion, names.size(), "--val_proportion");
  std::vector<Run> runs;
  for (const auto& [model, pretrained] : expand_models(o)) {
    for (size_t i = 0; i < names.size(); ++i) {
      for (const std::string& language : o.language) {
        runs.push_back({.model = model,
                        .pretrained = pretrained,
                        .dataset = names[i],
                        .language = language,
                        .train_split = train[i].value_or("train"),
                        .val_split = val[i],
                        .val_proportion = proportion[i]});
      }
    }
  }
  return runs;
}

std::string resolve_task(const std::string& task, const std::string& dataset) {
  return task == "auto" ? std::string(datasets::default_task(datasets::short_name(dataset))) : task;
}

fs::path output_path(const std::string& pattern, const Run& run, const std::string& task) {
  const bool file = is_file(run.pretrained);
  return fill_fields(
      pattern,
      {{"model", run.model},
       {"pretrained", file ? fs::path(run.pretrained).filename().string() : run.pretrained},
       {"pretrained_full_path", file ? replace_slashes(run.pretrained, '_') : run.pretrained},
       {"task", task},
       {"dataset", replace_slashes(datasets::short_name(run.dataset), '_')},
       {"language", run.language}},
      "--output");
}

std::string fill_dataset_root(const std::string& pattern, const std::string& dataset) {
  const std::string name = datasets::short_name(dataset);
  return fill_fields(pattern, {{"dataset", name}, {"dataset_cleaned", replace_slashes(name, '-')}},
                     "--dataset_root");
}

World world_from_environment() {
  const World world{
      .local_rank = number_in_environment(
          {"LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID", "OMPI_COMM_WORLD_LOCAL_RANK"}, 0),
      .rank =
          number_in_environment({"RANK", "PMI_RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK"}, 0),
      .size = number_in_environment(
          {"WORLD_SIZE", "PMI_SIZE", "SLURM_NTASKS", "OMPI_COMM_WORLD_SIZE"}, 1)};
  require(world.rank < world.size, "--distributed: the environment says rank ", world.rank, " of ",
          world.size, " processes; ranks begin at 0");
  return world;
}

std::vector<Run> runs_of_rank(std::vector<Run> runs, const World& world, int64_t seed) {
  // Fisher-Yates with a hash as the source of numbers: the same on every machine.
  for (size_t i = runs.size(); i > 1; --i) {
    const uint64_t draw =
        hash_text("run " + std::to_string(seed) + " " + std::to_string(i)).low % i;
    std::swap(runs[i - 1], runs[draw]);
  }
  std::vector<Run> own;
  for (size_t i = static_cast<size_t>(world.rank); i < runs.size();
       i += static_cast<size_t>(world.size)) {
    own.push_back(std::move(runs[i]));
  }
  return own;
}

}  // namespace clipnext::eval
