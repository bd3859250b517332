// What every recipe of `clipnext soup` does: ingredients opened and held against each other, a
// folder written, said what it is.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/soup_options.h"
#include "soup/output.h"
#include "soup/provenance.h"

namespace clipnext::cli {

/// Ingredients that agree, and the configuration of what they make.
struct Pot {
  std::vector<soup::Ingredient> ingredients;
  std::optional<soup::Ingredient> base;
  std::string config_json;  // as found
  std::string config_source;
  model::ClipConfig config;  // with the image size asked for
  std::filesystem::path tokenizer_folder;
  OrderedJson config_file;  // open_clip_config.json of the result
};

/// Opens `names`; throws Error if they cannot be averaged, or no configuration is found.
Pot open_pot(const SoupOptions& options, const std::vector<std::string>& names);

/// The same without a look at whether they fit, and with a configuration only if there is one.
std::vector<soup::Ingredient> open_all(const SoupOptions& options,
                                       const std::vector<std::string>& names);

/// Some of a pot's ingredients, in that order.
std::vector<soup::Ingredient> some_of(const Pot& pot, const std::vector<size_t>& members);

/// Everything a recipe has come to.
struct Cooked {
  std::vector<soup::Ingredient> ingredients;
  soup::Plan plan;
  soup::Provenance provenance;
  /// More files of the folder: name, content.
  std::vector<std::pair<std::string, std::string>> files = {};
};

/// Writes the folder: weights, configuration, vocabulary, soup.json; says what it is and warns.
/// With --dry-run says what would be written. `backend` computes --smoke.
void finish_soup(const SoupOptions& options, const Pot& pot, Cooked cooked, Backend& backend);

/// The model folder in `folder`, which must exist, without more than weights and what opening them
/// takes.
soup::WrittenWeights write_model(const std::filesystem::path& folder, const Pot& pot,
                                 const soup::Plan& plan,
                                 std::span<const soup::Ingredient> ingredients,
                                 const soup::PassOptions& pass, bool allow_nonfinite,
                                 ThreadPool& pool);

/// Distances as lines and as JSON, and what to warn of.
std::string distance_table(const soup::Distances& distances,
                           std::span<const soup::Ingredient> ingredients);
OrderedJson distances_json(const soup::Distances& distances,
                           std::span<const soup::Ingredient> ingredients);
std::vector<std::string> distance_warnings(const soup::PassResult& pass,
                                           std::span<const soup::Ingredient> ingredients);

}  // namespace clipnext::cli
