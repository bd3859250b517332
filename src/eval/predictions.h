// What a model answered for each picture of a data set: JSON lines, for audits and reports
// (docs/formats.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"

namespace clipnext::eval {

/// The first line of the file: what was asked.
struct PredictionHeader {
  std::string dataset = {}, model = {}, pretrained = {}, language = {}, task = {};
  std::vector<std::string> classes = {};
  double logit_scale = 0;  // the factor on cosines that `probability` was computed with
  int64_t images = 0;      // lines that follow
};

/// One further line: a picture, and the classes it is most like.
struct PredictedImage {
  std::string image;  // its name in messages
  /// Where its bytes are: a file, or `size` bytes of one from `offset` on. Empty: nowhere on disk.
  std::string file = {};
  std::optional<int64_t> offset = {}, size = {};
  int64_t label = -1;                   // index into classes; -1 where several may be right
  std::vector<int64_t> positives = {};  // ascending, those that are right then
  std::vector<int64_t> top;             // at most kTopClasses, best first
  std::vector<float> scores;            // their cosines
  double probability = 0;  // softmax over all classes of logit_scale * cosine, at top[0]
};
inline constexpr int64_t kTopClasses = 5;

/// Writes the file line by line; it appears when commit() is called.
class PredictionWriter {
 public:
  PredictionWriter(const std::filesystem::path& path, const PredictionHeader& header);
  void add(const PredictedImage& image);
  /// Throws Error if there were not header.images of them.
  void commit();

 private:
  FileWriter file_;
  int64_t missing_;
};

struct Predictions {
  PredictionHeader header;
  std::vector<PredictedImage> images;
};

/// Throws Error that names the file and the line if anything in it cannot be: class numbers outside
/// the list, scores that are not numbers, too few lines.
Predictions read_predictions(const std::filesystem::path& path);

}  // namespace clipnext::eval
