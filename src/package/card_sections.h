// The sections of a model card that facts fill.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "package/facts.h"

namespace clipnext::package {

/// What a card is being written with.
struct CardContext {
  const CardFacts& facts;
  const std::vector<std::string>& pictures;
  std::vector<std::string>& gaps;

  /// A mark where something is missing; `what` it is and which option gives it.
  std::string gap(const std::string& what, const std::string& option) const {
    gaps.push_back(what + " (" + option + ")");
    return "*More information needed: " + what + " (`" + option + "`).*\n";
  }

  /// Empty if the picture is not there.
  std::string picture(const std::string& file, const std::string& alt) const {
    const bool there = std::find(pictures.begin(), pictures.end(), file) != pictures.end();
    return there ? "\n![" + alt + "](" + file + ")\n" : "";
  }
};

std::string model_description(const CardContext& card);
std::string training_procedure(const CardContext& card);
std::string soup_section(const CardContext& card, const Soup& soup);
std::string evaluation_section(const CardContext& card);

/// "%.6g".
std::string short_number(double value);

}  // namespace clipnext::package
