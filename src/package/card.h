// The model card: README.md as the hub shows it, in the sections of the published CLIP ConvNeXt
// models' cards.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "package/facts.h"

namespace clipnext::package {

struct Card {
  std::string text;
  std::vector<std::string> gaps;  // "licence (--license)": what nobody said
};

/// The same facts give the same text. What is not known is marked as missing, with what to give.
/// `pictures` are the names of charts() that lie beside it. The last line is a seal.
Card model_card(const CardFacts& facts, const std::vector<std::string>& pictures);

/// Whether a card is as model_card wrote it, to the byte: nobody has edited it since.
bool is_sealed(std::string_view card);

}  // namespace clipnext::package
