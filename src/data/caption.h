// Which text is a sample's caption, and whether it can be trained on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace clipnext::data {

/// Why a caption cannot be used: not UTF-8 (RFC 3629), or nothing but white space (Python's
/// str.isspace). Empty: it can.
std::string caption_fault(std::string_view caption);

/// A caption, or why there is none.
struct Caption {
  std::string text;
  std::string fault;
};

/// Which members of a JSON object may hold the caption.
struct JsonCaption {
  std::vector<std::string> fields;  // the first that holds a usable string wins
  /// Empty: the fields count in order. Otherwise a weight for each: which is asked first is drawn
  /// by weight, then which comes second, and so on; those of weight 0 come last, in order.
  std::vector<double> weights;
};

/// Throws Error if weights are negative, not finite, or not as many as fields.
void check(const JsonCaption& choice);

/// The caption in the JSON text of a sample. `random` is used only where there are weights.
Caption json_caption(std::string_view json, const JsonCaption& choice, RandomStream& random);

}  // namespace clipnext::data
