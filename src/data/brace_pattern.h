// Brace expansion without writing the expansion down: string i of a pattern on demand.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace clipnext::data {

/// The strings that a pattern with braces stands for, in the order of Python's braceexpand (0.1.7):
/// lists {a,b}, nested ones too; numbers {00..10..2}, padded to the wider end if one of them begins
/// with 0; letters {a..f}, A to Z before a to z; the step is optional. A backslash makes the next
/// character an ordinary one, and so are the braces of {x}, which is neither list nor range.
class BracePattern {
 public:
  /// Throws Error naming the pattern, the brace and its place if braces do not match; also for
  /// numbers beyond 18 digits, braces nested deeper than 64, and more than 2^63 strings.
  explicit BracePattern(std::string_view pattern);

  /// How many strings there are, at least 1.
  int64_t size() const { return root_.size; }
  /// String i of 0 .. size() - 1.
  std::string at(int64_t i) const;

 private:
  struct Item;
  // Items one after another; the last one counts fastest.
  struct Sequence {
    std::vector<Item> items;
    int64_t size = 1;
  };
  enum class Kind : uint8_t { kLiteral, kNumbers, kLetters, kList };
  struct Item {
    Kind kind = Kind::kLiteral;
    std::string literal = {};
    int64_t first = 0;  // of numbers or letters
    int64_t step = 0;
    int padding = 0;  // width of numbers, 0: as they are
    std::vector<Sequence> list = {};
    std::vector<int64_t> ends = {};  // of each entry of `list`: strings up to and with it
    int64_t size = 1;
  };
  struct Parser;

  static void append(const Sequence& sequence, int64_t i, std::string& out);
  static void append(const Item& item, int64_t i, std::string& out);

  Sequence root_;
};

}  // namespace clipnext::data
