// Values as Python writes them: what `--aug-cfg scale='(0.5, 1.0)'` holds and params.txt shows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
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

/// What ast.literal_eval makes of a text: None, True, False, numbers, quoted strings, tuples and
/// lists; `0.5, 1.0` is a tuple too. Text that begins as a name does, `bilinear`, stands for
/// itself, as open_clip's key=value options have it. Throws Error that says where it went wrong.
PythonValue parse_python_literal(std::string_view text);

/// As open_clip's key=value options take it, each token `key=literal`; empty tokens are passed
/// over. Throws Error for a token with no or several `=`.
KeyValues parse_key_values(const std::vector<std::string>& tokens);

/// repr(): 5e-05, True, None, 'text', (0.5,), [1, 2].
std::string python_repr(const PythonValue& value);
std::string python_repr(double value);
std::string python_repr(std::string_view text);
/// {'scale': (0.5, 1.0), 're_prob': 0.4}
std::string python_repr(const KeyValues& values);

/// int(text), float(text): blanks around, a sign, and `_` between digits are allowed. Nothing if
/// it is none.
std::optional<int64_t> parse_python_int(std::string_view text);
std::optional<double> parse_python_float(std::string_view text);

}  // namespace clipnext::run
