// soup.json: what a soup was made of, and how (docs/formats.md).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "soup/greedy.h"
#include "soup/plan.h"
#include "soup/score_file.h"

namespace clipnext::soup {

/// What is known of a soup; members that are empty are left out of the file.
struct Provenance {
  std::string version;  // of the program
  std::string recipe;   // uniform, weighted, interp, greedy
  std::optional<double> alpha = {};
  std::vector<std::string> sha256 = {};  // of the ingredients
  std::vector<Scores> scores = {};       // of each ingredient alone
  std::string evaluator = {};            // data sets or command
  std::string metric = {};
  Scores result_scores = {};
  std::optional<GreedyResult> greedy = {};  // candidates are indices into `candidates`
  std::vector<std::string> candidates = {};
  std::string output_sha256 = {};
};

/// Of the ingredients that are in the plan, in its order.
OrderedJson provenance_json(const Provenance& provenance, const Plan& plan,
                            std::span<const Ingredient> ingredients);

}  // namespace clipnext::soup
