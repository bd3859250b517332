// STL-10's binary files: planes of 96 x 96, each column by column.
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "base/text_lines.h"
#include "datasets/forms.h"
#include "datasets/places.h"

namespace clipnext::datasets {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kSide = 96;
constexpr int64_t kPixels = kSide * kSide;
constexpr size_t kImageBytes = 3 * kPixels;

std::string turn_columns_to_rows(std::string_view planes) {
  std::string turned(kImageBytes, '\0');
  for (size_t plane = 0; plane < 3; ++plane) {
    for (size_t y = 0; y < kSide; ++y) {
      for (size_t x = 0; x < kSide; ++x) {
        turned[plane * kPixels + y * kSide + x] = planes[plane * kPixels + x * kSide + y];
      }
    }
  }
  return turned;
}

}  // namespace

Dataset open_stl10(const Request& request) {
  require_split(request, {"train", "test"});
  const std::string name = request.split + "_X.bin";
  const fs::path file =
      Places(request, {"stl10_binary.tar.gz"}).find({"stl10_binary/" + name, name});
  const fs::path folder = file.parent_path();
  const fs::path labels_file = folder / (request.split + "_y.bin");
  Dataset dataset;
  dataset.classes = split_items(read_file(folder / "class_names.txt", 1 << 16));
  const std::string pictures = read_file(file);
  const std::string labels = read_file(labels_file, 1 << 20);
  require(pictures.size() == labels.size() * kImageBytes, file.string(), ": ", pictures.size(),
          " bytes for ", labels.size(), " labels, expected ", kImageBytes, " for each");
  for (size_t i = 0; i < labels.size(); ++i) {
    const int64_t label = static_cast<uint8_t>(labels[i]) - int64_t{1};  // they count from 1
    require(label >= 0 && label < static_cast<int64_t>(dataset.classes.size()),
            labels_file.string(), ": label ", label + 1, " of ", dataset.classes.size(),
            " classes");
    const std::string_view planes = std::string_view(pictures).substr(i * kImageBytes, kImageBytes);
    dataset.labels.push_back(label);
    dataset.images.push_back(raw_image(file.string() + ":" + std::to_string(i), kSide, kSide,
                                       interleave_planes(turn_columns_to_rows(planes), kPixels)));
  }
  return dataset;
}

}  // namespace clipnext::datasets
