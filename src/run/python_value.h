// Values as Python writes them: what `--aug-cfg scale='(0.5, 1.0)'` holds and params.txt shows.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace clipnext::run {

struct PythonValue;

/// A tuple or a list.
struct PythonSequence {
  bool tuple = true;
  std::vector<PythonValue> items;

  bool operator==(const PythonSequence& other) const;
};

/// None, bool, int, float, str, tuple or list.
struct PythonValue {
  std::variant<std::monostate, bool, int64_t, double, std::string, PythonSequence> value;

  bool operator==(const PythonValue&) const = default;
};

inline bool PythonSequence::operator==(const PythonSequence& other) const {
  return tuple == other.tuple && items == other.items;
}

/// `key=value` options in the order given; of equal keys the last stays.
using KeyValues = std::vector<std::pair<std::string, PythonValue>>;

}  // namespace clipnext::run
