#include "data/caption.h"

#include <cmath>
#include <cstdint>
#include <numeric>
#include <optional>

#include "base/error.h"
#include "base/json.h"

namespace clipnext::data {
namespace {

// Takes the first code point; nothing if the bytes are not UTF-8. Not text::decode_one: this folder
// lies below text/.
std::optional<char32_t> take_code_point(std::string_view& text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const size_t size = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (size == 0 || lead > 0xF4 || text.size() < size) return std::nullopt;
  char32_t code = size == 1 ? lead : lead & (0x7FU >> size);
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return std::nullopt;
    code = code << 6 | (byte(i) & 0x3FU);
  }
  const bool overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
  if (overlong || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return std::nullopt;
  text.remove_prefix(size);
  return code;
}

bool is_space(char32_t code) {
  return (code >= 0x09 && code <= 0x0D) || (code >= 0x1C && code <= 0x20) || code == 0x85 ||
         code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
         code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

// Indices of the fields in the order in which one sample asks them.
std::vector<size_t> draw_order(const JsonCaption& choice, RandomStream& random) {
  std::vector<size_t> order(choice.fields.size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (choice.weights.empty()) return order;
  std::vector<size_t> drawn;
  double sum = std::accumulate(choice.weights.begin(), choice.weights.end(), 0.0);
  while (true) {
    double at = random.unit() * sum;
    size_t found = order.size();
    sum = 0;  // of those that remain; added up anew, as subtraction would leave rounding behind
    for (size_t i = 0; i < order.size(); ++i) {
      const double weight = choice.weights[order[i]];
      if (weight > 0 && at >= 0) found = i;
      at -= weight;
      sum += weight;
    }
    if (found == order.size()) break;
    sum -= choice.weights[order[found]];
    drawn.push_back(order[found]);
    order.erase(order.begin() + static_cast<std::ptrdiff_t>(found));
  }
  drawn.insert(drawn.end(), order.begin(), order.end());
  return drawn;
}

}  // namespace

std::string caption_fault(std::string_view caption) {
  bool blank = true;
  while (!caption.empty()) {
    const auto code = take_code_point(caption);
    if (!code) return "its caption is not UTF-8";
    blank = blank && is_space(*code);
  }
  return blank ? "its caption is empty" : "";
}

void check(const JsonCaption& choice) {
  require(choice.weights.empty() || choice.weights.size() == choice.fields.size(),
          "weights of JSON text keys: ", choice.weights.size(), " for ", choice.fields.size(),
          " keys");
  for (const double weight : choice.weights) {
    require(std::isfinite(weight) && weight >= 0, "weights of JSON text keys: ", weight,
            " is not a number of 0 or more");
  }
}

Caption json_caption(std::string_view json, const JsonCaption& choice, RandomStream& random) {
  Json object;
  try {
    object = parse_json(json, "its json member");
  } catch (const Error& error) {
    return {.text = {}, .fault = error.what()};
  }
  if (!object.is_object()) return {.text = {}, .fault = "its json member is not an object"};
  for (const size_t i : draw_order(choice, random)) {
    const auto field = object.find(choice.fields[i]);
    if (field == object.end() || !field->is_string()) continue;
    std::string text = field->get<std::string>();
    if (caption_fault(text).empty()) return {.text = std::move(text), .fault = {}};
  }
  return {.text = {}, .fault = "its json member holds no caption"};
}

}  // namespace clipnext::data
