// The stored outputs of tests/data/parity/golden.txt: a float64 run of open_clip over synthetic
// weights. Lines: first 8 features, norm, sum; of an intermediate result (NCHW) the first, middle
// and last element and the mean; cos: cosines of the image with both texts, then logits.
#pragma once

#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace clipnext::testing {

/// One model's lines, by their first word.
using Golden = std::map<std::string, std::vector<double>>;

inline std::vector<double> numbers_in(const std::string& text) {
  std::istringstream words(text);
  std::vector<double> numbers;
  for (std::string word; words >> word;) {
    const bool number = word[0] == '+' || word[0] == '-' || (word[0] >= '0' && word[0] <= '9');
    if (number) numbers.push_back(std::stod(word));
  }
  return numbers;
}

inline std::map<std::string, Golden> read_goldens() {
  std::ifstream file(CLIPNEXT_SOURCE_DIR "/tests/data/parity/golden.txt");
  if (!file) throw std::runtime_error("tests/data/parity/golden.txt is missing");
  std::map<std::string, Golden> goldens;
  Golden* current = nullptr;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string key;
    words >> key;
    if (!line.starts_with(' ')) {
      current = &goldens[key];
      continue;
    }
    std::string rest;
    std::getline(words, rest);
    if (const auto shape = rest.find(']'); shape != std::string::npos) rest.erase(0, shape + 1);
    (*current)[key] = numbers_in(rest);
  }
  return goldens;
}

/// Text lines are written once for all tiny models without quick_gelu.
inline Golden golden_of(const std::string& name) {
  const auto goldens = read_goldens();
  Golden golden = goldens.at(name);
  if (!golden.contains("text0")) {
    const Golden& base = goldens.at("tiny_convnext_mlp");
    for (const char* key : {"text0", "text1", "text.resblock0"}) golden[key] = base.at(key);
  }
  return golden;
}

}  // namespace clipnext::testing
