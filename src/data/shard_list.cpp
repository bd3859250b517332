#include "data/shard_list.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "base/checked.h"
#include "base/error.h"
#include "base/text_lines.h"

namespace clipnext::data {
namespace {

std::vector<std::string> split_sources(std::string_view text) {
  std::vector<std::string> parts;
  while (true) {
    const size_t end = text.find("::");
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 2);
  }
}

bool is_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

// Every ${NAME} once.
std::string substitute_once(std::string_view text) {
  std::string out;
  size_t i = 0;
  while (i < text.size()) {
    const size_t begin = text.find("${", i);
    if (begin == std::string_view::npos) break;
    size_t end = begin + 2;
    while (end < text.size() && is_word(text[end])) ++end;
    if (end == begin + 2 || end == text.size() || text[end] != '}') {
      out += text.substr(i, begin + 2 - i);
      i = begin + 2;
      continue;
    }
    const std::string name = "WDS_" + std::string(text.substr(begin + 2, end - begin - 2));
    const char* value = std::getenv(name.c_str());
    require(value != nullptr, "\"", text, "\": the environment variable ", name,
            " is not set (${...} in a list of shards stands for one that begins with WDS_)");
    out += text.substr(i, begin - i);
    out += value;
    i = end + 1;
  }
  return out += text.substr(i);
}

std::string substitute_environment(std::string text) {
  constexpr int kPasses = 10;
  constexpr size_t kMaxLength = size_t{1} << 20;
  for (int pass = 0; pass < kPasses; ++pass) {
    std::string next = substitute_once(text);
    if (next == text) break;
    require(next.size() <= kMaxLength, "a list of shards has more than ", kMaxLength,
            " bytes after its environment variables were put in");
    text = std::move(next);
  }
  return text;
}

std::vector<double> parse_factors(const std::string& text, size_t sources) {
  const std::vector<std::string> parts = split_sources(text);
  require(parts.size() == sources, "upsampling factors \"", text, "\": ", parts.size(), " for ",
          sources, " sources; give one for each, joined by ::");
  std::vector<double> factors;
  double sum = 0;
  for (const std::string& part : parts) {
    const std::string number(trim(part));
    char* end = nullptr;
    const double factor = std::strtod(number.c_str(), &end);
    require(!number.empty() && *end == '\0' && std::isfinite(factor) && factor >= 0,
            "upsampling factors \"", text, "\": \"", part, "\" is not a number of 0 or more");
    factors.push_back(factor);
    sum += factor;
  }
  require(sum > 0, "upsampling factors \"", text, "\" are all 0: nothing would be drawn");
  return factors;
}

}  // namespace

ShardList::ShardList(const std::string& spec, const std::string& factors)
    : weighted_(!factors.empty()) {
  const std::vector<std::string> sources = split_sources(spec);
  const std::vector<double> weights =
      weighted_ ? parse_factors(factors, sources.size()) : std::vector<double>(sources.size(), 1.0);
  int64_t end = 0;
  double weight_end = 0;
  for (size_t i = 0; i < sources.size(); ++i) {
    require(!sources[i].empty(), "the list of shards \"", spec, "\" has an empty source");
    BracePattern pattern(weighted_ ? sources[i] : substitute_environment(sources[i]));
    end = checked_add(end, pattern.size(), "number of shards");
    weight_end += weights[i] * static_cast<double>(pattern.size());
    parts_.push_back({.pattern = std::move(pattern), .end = end, .weight_end = weight_end});
  }
}

std::string ShardList::url(int64_t i) const {
  assert(i >= 0 && i < size());
  const auto part = std::upper_bound(parts_.begin(), parts_.end(), i,
                                     [](int64_t at, const Part& p) { return at < p.end; });
  return part->pattern.at(i - (part->end - part->pattern.size()));
}

int64_t ShardList::draw(RandomStream& random) const {
  if (!weighted_) return random.below(size());
  const double at = random.unit() * parts_.back().weight_end;
  auto part = std::upper_bound(parts_.begin(), parts_.end(), at,
                               [](double w, const Part& p) { return w < p.weight_end; });
  // The product may round up to the sum itself; sources of factor 0 at the end are not drawn.
  if (part == parts_.end()) {
    part = std::lower_bound(parts_.begin(), parts_.end(), parts_.back().weight_end,
                            [](const Part& p, double w) { return p.weight_end < w; });
  }
  return part->end - part->pattern.size() + random.below(part->pattern.size());
}

}  // namespace clipnext::data
