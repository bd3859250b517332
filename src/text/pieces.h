// Cuts cleaned text into the pieces that byte pairs are merged within.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace clipnext::text {

inline constexpr std::string_view kStartName = "<start_of_text>";
inline constexpr std::string_view kEndName = "<end_of_text>";

/// Finds what the reference's regular expression finds: the names of the special tokens,
/// contractions, runs of letters, single numbers, runs of anything else that is not white space.
class PieceReader {
 public:
  /// `text` is UTF-8 that has been checked, and outlives the reader.
  explicit PieceReader(std::string_view text) : text_(text) {}

  /// The next piece, or nothing at the end.
  std::optional<std::string_view> next();

 private:
  enum class Kind { kLetter, kNumber, kOther, kNone };
  struct Char {
    Kind kind;
    size_t size;
  };

  Char char_at(size_t at) const;
  size_t match_literal(std::string_view literal) const;
  size_t match_any_literal() const;
  size_t run_length(Char first) const;

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace clipnext::text
