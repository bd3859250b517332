// Where an averaged model comes from: soup.json, as `clipnext soup` leaves it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace clipnext::package {

/// By name, in the file's order.
using Scores = std::vector<std::pair<std::string, double>>;

struct Ingredient {
  // Empty where unknown.
  std::string name = {}, sha256 = {}, dtype = {}, epoch = {}, declared_name = {};
  std::optional<double> weight = {}, logit_scale = {};
  std::optional<int64_t> image_size = {};
  Scores scores = {};
};

/// One candidate of a greedy soup, in the order they were tried.
struct Admission {
  std::string candidate = {};
  std::optional<double> score = {};
  bool admitted = false;
  std::optional<int64_t> soup_size = {};
};

struct Soup {
  std::string recipe = {};  // uniform, weighted, interp, greedy
  std::string accumulate = {}, evaluator = {}, metric = {};
  std::optional<double> alpha = {};
  std::vector<Ingredient> ingredients = {};
  Scores scores = {};
  std::vector<Admission> greedy = {};
};

/// Throws Error that begins with `source` for a text that is no such object, or whose members are
/// of another kind. Unknown members are passed over.
Soup parse_soup(std::string_view text, const std::string& source);

}  // namespace clipnext::package
