// What is known of published data sets before they are opened: a wrong test set is the commonest
// cause of a wrong figure. Counts are of the test split.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/dataset.h"

namespace clipnext::datasets {

struct CatalogueEntry {
  std::string_view name;  // less wds/
  int64_t classes = 0;    // 0 for captions
  int64_t images = 0;
  int64_t captions = 0;
  std::string_view metric;       // that papers give, as a key of a result's metrics
  int64_t templates = 0;         // English ones
  int64_t images_elsewhere = 0;  // another copy's count that is just as good; 0: there is none
};

/// All of them, in the order of the reference's tables.
std::span<const CatalogueEntry> catalogue();

/// By the name as on the command line, nullptr if it is not known. A plain name that has the same
/// test split as the vtab/ name stands for it.
const CatalogueEntry* find_in_catalogue(std::string_view dataset);

/// What differs from the catalogue, a sentence each; nothing for splits other than test, sets that
/// are not known, and lists of names and templates that the user gave.
std::vector<std::string> check_counts(const Request& request, const Dataset& dataset);

/// The data sets that a collection's name stands for (vtab, vtab+, retrieval,
/// imagenet_robustness, sugar_crepe); empty for any other name.
std::span<const std::string_view> collection(std::string_view name);

/// The task that --task auto means: a value of that option. `dataset` with or without wds/.
std::string_view default_task(std::string_view dataset);

}  // namespace clipnext::datasets
