// The files of configs/recipes/ as string literals; the table is generated from them.
#pragma once

#include <span>
#include <string_view>

namespace clipnext::run {

struct RecipeFile {
  std::string_view name, text;
};

std::span<const RecipeFile> recipe_files();
std::span<const RecipeFile> recipe_model_files();

}  // namespace clipnext::run
