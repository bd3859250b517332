#include "data/brace_pattern.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <optional>
#include <utility>

#include "base/checked.h"
#include "base/error.h"

namespace clipnext::data {
namespace {

constexpr int kMaxDepth = 64;
constexpr size_t kMaxNumberWidth = 64;
constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string unescape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    // A backslash at the very end stays, and so does one before the end of a line.
    if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] != '\n') ++i;
    out += text[i];
  }
  return out;
}

// What is between the braces of a range: two ends and how far to go each time.
struct Range {
  std::string_view first;
  std::string_view last;
  std::string_view step;  // digits, or empty
};

// Takes what a range has before the next "..": digits with a sign, or one letter.
std::string_view take_end(std::string_view& text) {
  if (!text.empty() && kLetters.find(text[0]) != std::string_view::npos) {
    const std::string_view letter = text.substr(0, 1);
    text.remove_prefix(1);
    return letter;
  }
  const size_t begin = text.starts_with('-') ? 1 : 0;
  size_t end = begin;
  while (end < text.size() && is_digit(text[end])) ++end;
  if (end == begin) return {};
  const std::string_view number = text.substr(0, end);
  text.remove_prefix(end);
  return number;
}

bool take_dots(std::string_view& text) {
  if (!text.starts_with("..")) return false;
  text.remove_prefix(2);
  return true;
}

std::optional<Range> parse_range(std::string_view text) {
  Range range;
  range.first = take_end(text);
  if (range.first.empty() || !take_dots(text)) return std::nullopt;
  range.last = take_end(text);
  if (range.last.empty()) return std::nullopt;
  const auto letter = [](std::string_view end) {
    return kLetters.find(end[0]) != std::string::npos;
  };
  if (letter(range.first) != letter(range.last)) return std::nullopt;
  if (text.empty()) return range;
  if (!take_dots(text)) return std::nullopt;
  if (text.starts_with('-')) text.remove_prefix(1);  // the ends say which way it goes
  if (text.empty() || !std::all_of(text.begin(), text.end(), is_digit)) return std::nullopt;
  range.step = text;
  return range;
}

}  // namespace

struct BracePattern::Parser {
  std::string_view whole;  // for messages

  int64_t number(std::string_view text) const {
    constexpr int64_t kLimit = 1'000'000'000'000'000'000;
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    require(
        error == std::errc() && value > -kLimit && value < kLimit && text.size() <= kMaxNumberWidth,
        "\"", whole, "\": the number ", text, " is too large");
    return value;
  }

  // Both from 0 on, `first` included; `last` only if the steps meet it.
  static void set_range(Item& item, int64_t first, int64_t last, int64_t step) {
    item.first = first;
    item.step = first < last ? step : -step;
    item.size = (first < last ? last - first : first - last) / step + 1;
  }

  Item range_item(const Range& range) const {
    const int64_t step = range.step.empty() ? 1 : std::max<int64_t>(1, number(range.step));
    Item item;
    if (kLetters.find(range.first[0]) != std::string_view::npos) {
      item.kind = Kind::kLetters;
      set_range(item, static_cast<int64_t>(kLetters.find(range.first[0])),
                static_cast<int64_t>(kLetters.find(range.last[0])), step);
      return item;
    }
    item.kind = Kind::kNumbers;
    set_range(item, number(range.first), number(range.last), step);
    const auto padded = [](std::string_view end) {
      const std::string_view digits = end.starts_with('-') ? end.substr(1) : end;
      return digits.size() > 1 && digits[0] == '0';
    };
    if (padded(range.first) || padded(range.last)) {
      item.padding = static_cast<int>(std::max(range.first.size(), range.last.size()));
    }
    return item;
  }

  // Where the commas of a list are, those inside of inner braces not counted.
  static std::vector<size_t> commas(std::string_view text) {
    std::vector<size_t> places;
    int depth = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\\')
        ++i;
      else if (text[i] == '{')
        ++depth;
      else if (text[i] == '}')
        --depth;
      else if (text[i] == ',' && depth == 0)
        places.push_back(i);
    }
    return places;
  }

  void add(Sequence& sequence, Item item) const {
    int64_t size = 0;
    require(!__builtin_mul_overflow(sequence.size, item.size, &size), "\"", whole,
            "\" stands for more than 2^63 names");
    sequence.size = size;
    sequence.items.push_back(std::move(item));
  }

  void add_literal(Sequence& sequence, std::string_view text) const {
    if (text.empty()) return;
    Item item;
    item.literal = unescape(text);
    add(sequence, std::move(item));
  }

  void add_list(Sequence& sequence, std::string_view text, const std::vector<size_t>& places,
                int depth) const {
    Item item;
    item.kind = Kind::kList;
    item.size = 0;
    size_t begin = 0;
    for (size_t i = 0; i <= places.size(); ++i) {
      const size_t end = i < places.size() ? places[i] : text.size();
      item.list.push_back(parse(text.substr(begin, end - begin), depth + 1));
      item.size = checked_add(item.size, item.list.back().size, "names of a pattern");
      item.ends.push_back(item.size);
      begin = end + 1;
    }
    add(sequence, std::move(item));
  }

  // What is between a pair of outer braces.
  void add_braces(Sequence& sequence, std::string_view text, int depth) const {
    if (const auto range = parse_range(text)) {
      add(sequence, range_item(*range));
    } else if (const auto places = commas(text); !places.empty()) {
      add_list(sequence, text, places, depth);
    } else {
      add_literal(sequence, "{");
      for (Item& item : parse(text, depth + 1).items) add(sequence, std::move(item));
      add_literal(sequence, "}");
    }
  }

  [[noreturn]] void fail_unbalanced(size_t place, const char* what) const {
    fail("braces do not match in \"", whole, "\": ", what, " at character ", place + 1,
         "; write a backslash before a brace that is part of the name");
  }

  Sequence parse(std::string_view text, int depth) const {
    require(depth <= kMaxDepth, "\"", whole, "\": braces nested deeper than ", kMaxDepth);
    Sequence sequence;
    std::vector<size_t> open;   // places of braces not closed yet
    std::vector<size_t> extra;  // of those that closed nothing; a later opening one makes up for it
    size_t begin = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\\') {
        ++i;
      } else if (text[i] == '{' && !extra.empty()) {
        extra.pop_back();
      } else if (text[i] == '{') {
        if (open.empty()) {
          add_literal(sequence, text.substr(begin, i - begin));
          begin = i;
        }
        open.push_back(i);
      } else if (text[i] == '}' && open.empty()) {
        extra.push_back(i);
      } else if (text[i] == '}') {
        open.pop_back();
        if (!open.empty()) continue;
        add_braces(sequence, text.substr(begin + 1, i - begin - 1), depth);
        begin = i + 1;
      }
    }
    // Inner texts are balanced, or they would not have been cut out.
    if (!open.empty()) fail_unbalanced(open.front(), "{ is never closed,");
    if (!extra.empty()) fail_unbalanced(extra.front(), "} closes nothing,");
    add_literal(sequence, text.substr(begin));
    return sequence;
  }
};

BracePattern::BracePattern(std::string_view pattern)
    : root_(Parser{.whole = pattern}.parse(pattern, 0)) {}

std::string BracePattern::at(int64_t i) const {
  assert(i >= 0 && i < size());
  std::string out;
  append(root_, i, out);
  return out;
}

void BracePattern::append(const Sequence& sequence, int64_t i, std::string& out) {
  int64_t block = sequence.size;
  for (const Item& item : sequence.items) {
    block /= item.size;
    append(item, i / block, out);
    i %= block;
  }
}

void BracePattern::append(const Item& item, int64_t i, std::string& out) {
  switch (item.kind) {
    case Kind::kLiteral:
      out += item.literal;
      return;
    case Kind::kLetters:
      out += kLetters[static_cast<size_t>(item.first + i * item.step)];
      return;
    case Kind::kNumbers: {
      char text[kMaxNumberWidth + 8];
      const int64_t value = item.first + i * item.step;
      std::snprintf(text, sizeof text, "%0*" PRId64, item.padding, value);
      out += text;
      return;
    }
    case Kind::kList: {
      const auto entry = std::upper_bound(item.ends.begin(), item.ends.end(), i);
      const auto k = static_cast<size_t>(entry - item.ends.begin());
      append(item.list[k], i - (k == 0 ? 0 : item.ends[k - 1]), out);
      return;
    }
  }
}

}  // namespace clipnext::data
