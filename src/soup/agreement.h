// Whether ingredients fit together: tensors, configurations, vocabularies.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "soup/ingredient.h"

namespace clipnext::soup {

/// Which tensors are averaged; the others are copied from the first ingredient, and need not be in
/// the other ones. Globs as in fnmatch(3), on plain-layout names; `*` passes over dots.
struct Selection {
  std::vector<std::string> only = {};
  std::vector<std::string> exclude = {};

  bool averages(const std::string& name) const;
};

/// Throws Error that names a glob which fits none of the ingredient's tensors.
void check_globs(const Selection& selection, const Ingredient& ingredient);

/// How an ingredient's tensors differ from the first one's, a line each.
struct Difference {
  std::vector<std::string> missing;  // NAME [shape]
  std::vector<std::string> extra;
  std::vector<std::string> shape;  // NAME is [..], the first has [..]; also another kind of type

  bool empty() const { return missing.empty() && extra.empty() && shape.empty(); }
};

/// Buffers that only some writers keep, and no tower needs, are passed over; so is what the
/// selection leaves out.
Difference compare(const Ingredient& first, const Ingredient& other, const Selection& selection);

/// "missing (2): a [1], b [2]", a paragraph; the first twenty of each kind.
std::string describe(const Difference& difference);

/// Facts of two configurations that differ and may not between ingredients, such as "text width:
/// 512, 768". All but the image size, drop and drop_path, and names.
std::vector<std::string> config_differences(const model::ClipConfig& a, const model::ClipConfig& b);

/// What keeps the ingredients from being averaged, one paragraph an ingredient and kind; empty if
/// they fit. `image_size`: the result's, without which sizes must be equal.
std::vector<std::string> disagreements(std::span<const Ingredient> ingredients,
                                       const Selection& selection,
                                       std::optional<int64_t> image_size = std::nullopt);

/// Throws one Error with all disagreements.
void require_agreement(std::span<const Ingredient> ingredients, const Selection& selection,
                       std::optional<int64_t> image_size = std::nullopt);

/// Of a buffer that the result leaves out: open_clip's constructors make it.
bool is_left_out(std::string_view name);

}  // namespace clipnext::soup
