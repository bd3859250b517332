#include "run/python_literal.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/python_json.h"
#include "base/text_lines.h"

namespace clipnext::run {
namespace {

constexpr int kDeepest = 16;

bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Without `_` between digits; nothing if one stands elsewhere.
std::optional<std::string> without_underscores(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      out += text[i];
    } else if (i == 0 || i + 1 == text.size() || std::isxdigit(text[i - 1]) == 0 ||
               std::isxdigit(text[i + 1]) == 0) {
      return std::nullopt;
    }
  }
  return out;
}

// Digits 0x, 0o, 0b are read by a base; int("0x1f") is none in Python, a literal 0x1f is.
std::optional<int64_t> parse_digits(std::string_view text, int base) {
  const auto digits = without_underscores(text);
  if (!digits || digits->empty() || digits->front() == '-' || digits->front() == '+') return {};
  int64_t value = 0;
  const char* end = digits->data() + digits->size();
  const auto [at, error] = std::from_chars(digits->data(), end, value, base);
  if (error != std::errc() || at != end) return std::nullopt;
  return value;
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  PythonValue whole() {
    PythonValue first = value(0);
    skip_blanks();
    if (at_ == text_.size()) return first;
    // A tuple needs no brackets here.
    if (text_[at_] != ',') complain("unexpected");
    PythonSequence tuple{.tuple = true, .items = {std::move(first)}};
    while (take(',')) {
      skip_blanks();
      if (at_ == text_.size()) break;
      tuple.items.push_back(value(1));
    }
    if (at_ != text_.size()) complain("unexpected");
    return {tuple};
  }

 private:
  [[noreturn]] void complain(const char* what) const {
    if (at_ >= text_.size()) fail("\"", text_, "\" is no Python literal: it ends too early");
    fail("\"", text_, "\" is no Python literal: ", what, " '", text_.substr(at_, 1),
         "' at character ", at_ + 1);
  }

  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }

  bool take(char c) {
    skip_blanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  PythonValue value(int depth) {
    if (depth > kDeepest) fail("\"", text_, "\": brackets nested too deeply");
    skip_blanks();
    if (at_ >= text_.size()) complain("");
    const char c = text_[at_];
    if (c == '(') return sequence(')', depth);
    if (c == '[') return sequence(']', depth);
    if (c == '\'' || c == '"') return {quoted()};
    if (is_letter(c)) return word(depth);
    if (is_digit(c) || c == '.' || c == '+' || c == '-') return number();
    complain("unexpected");
  }

  PythonValue sequence(char close, int depth) {
    ++at_;
    PythonSequence out{.tuple = close == ')', .items = {}};
    bool comma = false;
    while (!take(close)) {
      if (!out.items.empty() && !comma) complain("expected , or bracket instead of");
      out.items.push_back(value(depth + 1));
      comma = take(',');
    }
    if (close == ')' && out.items.size() == 1 && !comma) return out.items.front();  // (x) is x
    return {out};
  }

  std::string quoted() {
    const char quote = text_[at_++];
    std::string out;
    while (true) {
      if (at_ >= text_.size()) complain("");
      char c = text_[at_++];
      if (c == quote) return out;
      if (c == '\\' && at_ < text_.size()) {
        c = text_[at_++];
        constexpr std::string_view kEscapes = "n\nt\tr\r\\\\'\'\"\"";
        bool known = false;
        for (size_t i = 0; i < kEscapes.size() && !known; i += 2) {
          known = kEscapes[i] == c;
          if (known) out += kEscapes[i + 1];
        }
        if (!known) (out += '\\') += c;
        continue;
      }
      out += c;
    }
  }

  // None, True, False, or text without quotes, which is allowed at the outermost place only.
  PythonValue word(int depth) {
    const size_t begin = at_;
    while (at_ < text_.size() && (is_letter(text_[at_]) || is_digit(text_[at_]))) ++at_;
    const std::string_view name = text_.substr(begin, at_ - begin);
    if (name == "None") return {};
    if (name == "True") return {true};
    if (name == "False") return {false};
    if (depth > 0) {
      at_ = begin;
      complain("a name in brackets needs quotation marks:");
    }
    const std::string_view rest = text_.substr(begin);
    const size_t blank = rest.find_first_of(" \t,()[]'\"");
    if (blank != std::string_view::npos) {
      at_ = begin + blank;
      complain("unexpected");
    }
    at_ = text_.size();
    return {std::string(rest)};
  }

  PythonValue number() {
    const size_t begin = at_;
    bool negative = false;
    while (at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-')) {
      negative ^= text_[at_++] == '-';
    }
    const size_t digits = at_;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      const bool exponent_sign = (c == '+' || c == '-') && at_ > digits &&
                                 (text_[at_ - 1] == 'e' || text_[at_ - 1] == 'E');
      if (!is_digit(c) && !is_letter(c) && c != '.' && !exponent_sign) break;
      ++at_;
    }
    const std::string_view body = text_.substr(digits, at_ - digits);
    if (body.size() > 2 && body[0] == '0' && is_letter(body[1])) {
      const char prefix = static_cast<char>(std::tolower(body[1]));
      const int base = prefix == 'x' ? 16 : prefix == 'o' ? 8 : prefix == 'b' ? 2 : 0;
      const auto value = base == 0 ? std::nullopt : parse_digits(body.substr(2), base);
      if (value) return {negative ? -*value : *value};
    }
    // 007 is no number in Python, though 00 is.
    const bool octal_like = body.size() > 1 && body[0] == '0' &&
                            std::all_of(body.begin(), body.end(), is_digit) &&
                            body.find_first_not_of('0') != std::string_view::npos;
    if (!body.empty() && !octal_like && !is_letter(body[0])) {
      if (const auto value = parse_digits(body, 10)) return {negative ? -*value : *value};
      const bool whole = std::all_of(body.begin(), body.end(), is_digit);
      if (const auto value = parse_python_float(body); value && !whole) {
        return {negative ? -*value : *value};
      }
    }
    at_ = begin;
    complain("no number begins at");
  }

  std::string_view text_;
  size_t at_ = 0;
};

std::string join(const std::vector<PythonValue>& items) {
  std::string out;
  for (const PythonValue& item : items) out += (out.empty() ? "" : ", ") + python_repr(item);
  return out;
}

}  // namespace

PythonValue parse_python_literal(std::string_view text) { return Reader(trim(text)).whole(); }

KeyValues parse_key_values(const std::vector<std::string>& tokens) {
  KeyValues values;
  for (const std::string& token : tokens) {
    if (token.empty()) continue;
    const size_t equals = token.find('=');
    require(equals != std::string::npos && equals > 0, "\"", token, "\" is not KEY=VALUE");
    require(token.find('=', equals + 1) == std::string::npos, "\"", token,
            "\" holds more than one =");
    std::string key = token.substr(0, equals);
    std::erase_if(values, [&](const auto& one) { return one.first == key; });
    try {
      values.emplace_back(key, parse_python_literal(std::string_view(token).substr(equals + 1)));
    } catch (const Error& error) {
      fail(key, "=: ", error.what());
    }
  }
  return values;
}

std::string python_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  return python_float(value);
}

std::string python_repr(std::string_view text) {
  const bool doubled =
      text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos;
  const char quote = doubled ? '"' : '\'';
  std::string out(1, quote);
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else {
      if (c == quote || c == '\\') out += '\\';
      out += c;
    }
  }
  return out + quote;
}

std::string python_repr(const PythonValue& value) {
  if (const auto* truth = std::get_if<bool>(&value.value)) return *truth ? "True" : "False";
  if (const auto* whole = std::get_if<int64_t>(&value.value)) return std::to_string(*whole);
  if (const auto* real = std::get_if<double>(&value.value)) return python_repr(*real);
  if (const auto* text = std::get_if<std::string>(&value.value)) {
    return python_repr(std::string_view(*text));
  }
  if (const auto* items = std::get_if<PythonSequence>(&value.value)) {
    if (!items->tuple) return "[" + join(items->items) + "]";
    return "(" + join(items->items) + (items->items.size() == 1 ? ",)" : ")");
  }
  return "None";
}

std::string python_repr(const KeyValues& values) {
  std::string out;
  for (const auto& [key, value] : values) {
    out +=
        (out.empty() ? "" : ", ") + python_repr(std::string_view(key)) + ": " + python_repr(value);
  }
  return "{" + out + "}";
}

std::optional<int64_t> parse_python_int(std::string_view text) {
  text = trim(text);
  if (text.empty()) return std::nullopt;
  const bool negative = text.front() == '-';
  if (negative || text.front() == '+') text.remove_prefix(1);
  const auto value = parse_digits(text, 10);
  if (!value) return std::nullopt;
  return negative ? -*value : *value;
}

std::optional<double> parse_python_float(std::string_view text) {
  const auto plain = without_underscores(trim(text));
  if (!plain || plain->empty()) return std::nullopt;
  std::string lower = *plain;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  // strtod also takes hexadecimal numbers and nan(...), which Python does not.
  const size_t sign = lower.front() == '-' || lower.front() == '+' ? 1 : 0;
  const std::string_view unsigned_part = std::string_view(lower).substr(sign);
  constexpr std::array<std::string_view, 3> kWords = {"inf", "infinity", "nan"};
  const bool word = std::find(kWords.begin(), kWords.end(), unsigned_part) != kWords.end();
  if (!word && unsigned_part.find_first_not_of("0123456789.e+-") != std::string_view::npos) {
    return std::nullopt;
  }
  char* end = nullptr;
  const double value = std::strtod(lower.c_str(), &end);
  if (end == lower.c_str() || *end != '\0') return std::nullopt;
  return value;
}

}  // namespace clipnext::run
