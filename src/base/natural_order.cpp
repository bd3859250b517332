#include "base/natural_order.h"

#include <algorithm>

namespace clipnext {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Cuts the run of digits, or of other bytes, from the front of `rest`.
std::string_view take_run(std::string_view& rest) {
  const bool digits = is_digit(rest.front());
  const auto* end =
      std::find_if(rest.begin(), rest.end(), [&](char c) { return is_digit(c) != digits; });
  const std::string_view run = rest.substr(0, static_cast<size_t>(end - rest.begin()));
  rest.remove_prefix(run.size());
  return run;
}

// Numbers of any length: without leading zeros, the longer one is larger.
int compare_numbers(std::string_view a, std::string_view b) {
  a.remove_prefix(std::min(a.find_first_not_of('0'), a.size()));
  b.remove_prefix(std::min(b.find_first_not_of('0'), b.size()));
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return a.compare(b);
}

}  // namespace

bool natural_less(std::string_view a, std::string_view b) {
  std::string_view rest_a = a;
  std::string_view rest_b = b;
  while (!rest_a.empty() && !rest_b.empty()) {
    if (is_digit(rest_a.front()) && is_digit(rest_b.front())) {
      const int order = compare_numbers(take_run(rest_a), take_run(rest_b));
      if (order != 0) return order < 0;
      continue;
    }
    if (rest_a.front() != rest_b.front()) {
      return static_cast<unsigned char>(rest_a.front()) <
             static_cast<unsigned char>(rest_b.front());
    }
    rest_a.remove_prefix(1);
    rest_b.remove_prefix(1);
  }
  if (rest_a.empty() != rest_b.empty()) return rest_a.empty();
  return a < b;
}

}  // namespace clipnext
