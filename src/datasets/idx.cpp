// MNIST's IDX files (yann.lecun.com/exdb/mnist), plain or gzip.
#include <zlib.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/checked.h"
#include "base/error.h"
#include "datasets/forms.h"
#include "datasets/names.h"
#include "datasets/places.h"

namespace clipnext::datasets {
namespace {

namespace fs = std::filesystem;

struct GzipCloser {
  void operator()(gzFile file) const { gzclose(file); }
};

// zlib passes over files that are not compressed as they are.
std::string read_gzip(const fs::path& path) {
  constexpr size_t kMaxBytes = size_t{1} << 30;
  const std::unique_ptr<std::remove_pointer_t<gzFile>, GzipCloser> file(gzopen(path.c_str(), "rb"));
  require(file != nullptr, path.string(), ": cannot open it");
  std::string content;
  std::vector<char> chunk(1 << 20);
  while (true) {
    const int count = gzread(file.get(), chunk.data(), static_cast<unsigned>(chunk.size()));
    int status = Z_OK;
    const char* reason = gzerror(file.get(), &status);
    require(count >= 0 && (status == Z_OK || status == Z_STREAM_END), path.string(),
            ": damaged or cut short: ", reason);
    if (count == 0) return content;
    content.append(chunk.data(), static_cast<size_t>(count));
    require(content.size() <= kMaxBytes, path.string(), ": more than ", kMaxBytes, " bytes");
  }
}

struct Idx {
  std::vector<int64_t> shape;
  std::string content;  // header and all
  std::string_view data;
};

// An array of bytes of `rank` dimensions.
Idx read_idx(const fs::path& path, size_t rank) {
  Idx idx;
  idx.content = read_gzip(path);
  const std::string_view bytes = idx.content;
  const size_t header = 4 + 4 * rank;
  const std::string magic = {'\0', '\0', '\x08', static_cast<char>(rank)};
  require(bytes.size() >= header && bytes.starts_with(magic), path.string(),
          ": expected an IDX file of bytes in ", rank, " dimensions");
  for (size_t i = 0; i < rank; ++i) {
    uint32_t side = 0;
    for (size_t j = 0; j < 4; ++j) {
      side = side << 8 | static_cast<uint8_t>(bytes[4 + 4 * i + j]);
    }
    idx.shape.push_back(side);
  }
  idx.data = bytes.substr(header);
  const int64_t count = checked_numel(idx.shape, "IDX file");
  require(static_cast<int64_t>(idx.data.size()) == count, path.string(), ": ", idx.data.size(),
          " bytes of data, the header says ", count);
  return idx;
}

std::vector<std::string> spellings(const std::string& name, const std::string& rank) {
  std::vector<std::string> paths;
  for (const char* folder : {"MNIST/raw/", "raw/", ""}) {
    for (const char* joint : {"-", "."}) {
      for (const char* ending : {"", ".gz"}) {
        std::string path = folder + name;
        path.append(joint).append(rank).append("-ubyte").append(ending);
        paths.push_back(std::move(path));
      }
    }
  }
  return paths;
}

}  // namespace

Dataset open_mnist(const Request& request) {
  require_split(request, {"train", "test"});
  const std::string prefix = request.split == "train" ? "train" : "t10k";
  Places places(request, {"archive.zip"});
  const fs::path images_file = places.find(spellings(prefix + "-images", "idx3"));
  const fs::path labels_file = places.find(spellings(prefix + "-labels", "idx1"));
  const Idx images = read_idx(images_file, 3);
  const Idx labels = read_idx(labels_file, 1);
  require(images.shape[0] == labels.shape[0], labels_file.string(), ": ", labels.shape[0],
          " labels for ", images.shape[0], " pictures");
  Dataset dataset;
  dataset.classes = class_names(request.name, request.language);
  const int64_t height = images.shape[1];
  const int64_t width = images.shape[2];
  const auto size = static_cast<size_t>(width * height);
  for (size_t i = 0; i < labels.data.size(); ++i) {
    const std::string name = images_file.string() + ":" + std::to_string(i);
    const auto label = static_cast<uint8_t>(labels.data[i]);
    require(label < dataset.classes.size(), labels_file.string(), ": label ", int{label}, " of ",
            dataset.classes.size(), " classes");
    dataset.labels.push_back(label);
    dataset.images.push_back(raw_image(name, width, height, images.data.substr(i * size, size)));
  }
  return dataset;
}

}  // namespace clipnext::datasets
