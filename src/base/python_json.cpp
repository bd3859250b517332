#include "base/python_json.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <utility>

namespace clipnext {
namespace {

// What stands for the three words in JSON proper: strings that begin with a byte no file of ours
// has at that place.
struct Word {
  std::string_view text;
  std::string_view quoted;  // in JSON
  std::string_view parsed;
  double value;
};
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::array kWords = {
    Word{"NaN", R"("\u0001NaN")", "\001NaN", std::numeric_limits<double>::quiet_NaN()},
    Word{"Infinity", R"("\u0001Infinity")", "\001Infinity", kInfinity},
    Word{"-Infinity", R"("\u0001-Infinity")", "\001-Infinity", -kInfinity},
};

// The text with the words outside strings quoted.
std::string quote_words(std::string_view text) {
  std::string quoted;
  quoted.reserve(text.size() + 16);
  bool in_string = false;
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (in_string && c == '\\' && i + 1 < text.size()) {
      quoted += text.substr(i, 2);
      i += 2;
      continue;
    }
    if (c == '"') in_string = !in_string;
    const Word* found = nullptr;
    if (!in_string && (c == 'N' || c == 'I' || c == '-')) {
      for (const Word& word : kWords) {
        if (text.substr(i).starts_with(word.text)) found = &word;
      }
    }
    if (found != nullptr) {
      quoted += found->quoted;
      i += found->text.size();
    } else {
      quoted += c;
      ++i;
    }
  }
  return quoted;
}

OrderedJson restore_words(const Json& value) {
  if (value.is_object()) {
    OrderedJson object = OrderedJson::object();
    for (const auto& [name, member] : value.items()) object[name] = restore_words(member);
    return object;
  }
  if (value.is_array()) {
    OrderedJson array = OrderedJson::array();
    for (const Json& element : value) array.push_back(restore_words(element));
    return array;
  }
  if (value.is_string()) {
    for (const Word& word : kWords) {
      if (value.get_ref<const std::string&>() == word.parsed) return word.value;
    }
  }
  return value;
}

void append(const OrderedJson& value, bool strict, std::string& out);

template <class F>
void append_list(const OrderedJson& value, char open, char close, std::string& out, const F& each) {
  out += open;
  bool first = true;
  for (const auto& item : value.items()) {
    if (!std::exchange(first, false)) out += ", ";
    each(item);
  }
  out += close;
}

std::string ascii(const OrderedJson& value) {
  return value.dump(-1, ' ', true, OrderedJson::error_handler_t::replace);
}

void append(const OrderedJson& value, bool strict, std::string& out) {
  if (value.is_object()) {
    append_list(value, '{', '}', out, [&](const auto& item) {
      out += ascii(item.key()) + ": ";
      append(item.value(), strict, out);
    });
  } else if (value.is_array()) {
    append_list(value, '[', ']', out, [&](const auto& item) { append(item.value(), strict, out); });
  } else if (value.is_number_float()) {
    const double number = value.get<double>();
    out += strict && !std::isfinite(number) ? "null" : python_float(number);
  } else {
    out += ascii(value);
  }
}

}  // namespace

std::string python_float(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  std::array<char, 64> buffer{};
  const auto text = [&](std::chars_format format) {
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, format);
    return std::string(buffer.data(), end.ptr);
  };
  std::string scientific = text(std::chars_format::scientific);
  const int exponent = std::atoi(scientific.c_str() + scientific.find('e') + 1);
  if (exponent < -4 || exponent >= 16) return scientific;
  std::string fixed = text(std::chars_format::fixed);
  if (fixed.find('.') == std::string::npos) fixed += ".0";
  return fixed;
}

std::string python_json(const OrderedJson& value, bool strict) {
  std::string out;
  append(value, strict, out);
  return out;
}

OrderedJson parse_python_json(std::string_view text, const std::string& source) {
  return restore_words(parse_json(quote_words(text), source));
}

double shortest_decimal(float value) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  double number = 0;
  std::from_chars(digits, end, number);
  return number;
}

}  // namespace clipnext
