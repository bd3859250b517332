// CIFAR-10 and CIFAR-100, the python version (pickles of NumPy arrays) and the binary one.
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/text_lines.h"
#include "datasets/forms.h"
#include "datasets/places.h"
#include "weights/pickle.h"

namespace clipnext::datasets {
namespace {

namespace fs = std::filesystem;

using weights::Pickle;
using weights::PickleValue;
using PickleKind = PickleValue::Kind;

constexpr int64_t kSide = 32;
constexpr int64_t kPixels = kSide * kSide;
constexpr size_t kImageBytes = 3 * kPixels;

// What tells the two sets apart.
struct Layout {
  const char* folder;  // of the python version
  const char* binary_folder;
  std::vector<std::string> python_files, binary_files;
  const char* names_file;
  const char* binary_names_file;
  const char* names_key;
  const char* labels_key;
  size_t label_bytes;  // of a binary record; the last one counts
  std::vector<std::string> archives;
};

Layout cifar10_layout(bool train) {
  Layout layout{.folder = "cifar-10-batches-py",
                .binary_folder = "cifar-10-batches-bin",
                .python_files = {"test_batch"},
                .binary_files = {"test_batch.bin"},
                .names_file = "batches.meta",
                .binary_names_file = "batches.meta.txt",
                .names_key = "label_names",
                .labels_key = "labels",
                .label_bytes = 1,
                .archives = {"cifar-10-python.tar.gz", "cifar-10-binary.tar.gz"}};
  if (!train) return layout;
  layout.python_files.clear();
  layout.binary_files.clear();
  for (const char* number : {"1", "2", "3", "4", "5"}) {
    layout.python_files.push_back(std::string("data_batch_") + number);
    layout.binary_files.push_back(std::string("data_batch_") + number + ".bin");
  }
  return layout;
}

Layout cifar100_layout(bool train) {
  const std::string file = train ? "train" : "test";
  return {.folder = "cifar-100-python",
          .binary_folder = "cifar-100-binary",
          .python_files = {file},
          .binary_files = {file + ".bin"},
          .names_file = "meta",
          .binary_names_file = "fine_label_names.txt",
          .names_key = "fine_label_names",
          .labels_key = "fine_labels",
          .label_bytes = 2,  // coarse, fine
          .archives = {"cifar-100-python.tar.gz", "cifar-100-binary.tar.gz"}};
}

bool is_numpy(std::string_view global) {
  return global == "numpy.core.multiarray._reconstruct" ||
         global == "numpy._core.multiarray._reconstruct" || global == "numpy.ndarray" ||
         global == "numpy.dtype";
}

// The bytes of an array of uint8 with `columns` columns: what numpy's __reduce__ leaves,
// (version, shape, dtype, fortran order, bytes).
std::string_view array_bytes(const PickleValue& array, int64_t columns, const std::string& what) {
  require(array.is(PickleKind::kCall) && array.node->name.ends_with("multiarray._reconstruct"),
          what, ": expected a NumPy array");
  const PickleValue& state = array.node->state;
  require(state.is(PickleKind::kTuple) && state.node->items.size() == 5, what,
          ": a NumPy array without its contents");
  const PickleValue& shape = state.node->items[1];  // behind the version
  const PickleValue& dtype = state.node->items[2];
  const PickleValue& fortran = state.node->items[3];
  const PickleValue& bytes = state.node->items[4];
  require(shape.is(PickleKind::kTuple) && shape.node->items.size() == 2 &&
              shape.node->items[1].is(PickleKind::kInt) &&
              shape.node->items[1].integer == columns && shape.node->items[0].is(PickleKind::kInt),
          what, ": expected an array of ", columns, " columns");
  const bool uint8 = dtype.is(PickleKind::kCall) && !weights::call_arguments(dtype).empty() &&
                     weights::call_arguments(dtype)[0].text == "u1";
  const bool rows_first =
      (fortran.is(PickleKind::kBool) || fortran.is(PickleKind::kInt)) && fortran.integer == 0;
  require(uint8 && rows_first, what, ": expected bytes (uint8), row by row");
  require(bytes.is(PickleKind::kText) || bytes.is(PickleKind::kBytes), what,
          ": the array's contents are no bytes");
  const int64_t rows = shape.node->items[0].integer;
  require(rows >= 0 && rows <= static_cast<int64_t>(bytes.text.size()) / columns &&
              static_cast<int64_t>(bytes.text.size()) == rows * columns,
          what, ": an array of ", rows, " rows with ", bytes.text.size(), " bytes");
  return bytes.text;
}

struct PickledFile {
  std::string content;
  Pickle pickle;

  explicit PickledFile(const fs::path& path)
      : content(read_file(path, int64_t{64} << 20)),
        pickle(weights::read_pickle(weights::as_bytes(content), is_numpy, path.string())) {}
};

const PickleValue& member(const PickledFile& file, const char* key, const std::string& what) {
  const PickleValue* found =
      file.pickle.root.is(PickleKind::kDict) ? weights::find_key(file.pickle.root, key) : nullptr;
  require(found != nullptr, what, ": expected a dictionary with \"", key, "\"");
  return *found;
}

int64_t checked_label(int64_t label, const Dataset& dataset, const std::string& where) {
  require(label >= 0 && label < static_cast<int64_t>(dataset.classes.size()), where, ": label ",
          label, " of ", dataset.classes.size(), " classes");
  return label;
}

void add_image(Dataset& dataset, std::string name, std::string_view planes, int64_t label) {
  dataset.labels.push_back(checked_label(label, dataset, name));
  dataset.images.push_back(
      raw_image(std::move(name), kSide, kSide, interleave_planes(planes, kPixels)));
}

void read_python_names(const fs::path& path, const char* key, Dataset& dataset) {
  const PickledFile file(path);
  const PickleValue& names = member(file, key, path.string());
  require(names.is(PickleKind::kList), path.string(), ": \"", key, "\" is no list");
  for (const PickleValue& name : names.node->items) {
    require(name.is(PickleKind::kText) || name.is(PickleKind::kBytes), path.string(), ": \"", key,
            "\" holds something else than texts");
    dataset.classes.emplace_back(name.text);
  }
}

void read_python_batch(const fs::path& path, const char* labels_key, Dataset& dataset) {
  const PickledFile file(path);
  const std::string_view planes = array_bytes(member(file, "data", path.string()),
                                              static_cast<int64_t>(kImageBytes), path.string());
  const PickleValue& labels = member(file, labels_key, path.string());
  const size_t count = planes.size() / kImageBytes;
  require(labels.is(PickleKind::kList) && labels.node->items.size() == count, path.string(), ": \"",
          labels_key, "\" is no list of ", count, " labels, one for each picture");
  for (size_t i = 0; i < count; ++i) {
    const PickleValue& label = labels.node->items[i];
    require(label.is(PickleKind::kInt), path.string(), ": label ", i, " is no number");
    add_image(dataset, path.string() + ":" + std::to_string(i),
              planes.substr(i * kImageBytes, kImageBytes), label.integer);
  }
}

void read_binary_batch(const fs::path& path, size_t label_bytes, Dataset& dataset) {
  const std::string content = read_file(path);
  const size_t record = label_bytes + kImageBytes;
  require(!content.empty() && content.size() % record == 0, path.string(), ": ", content.size(),
          " bytes are no whole number of records of ", record);
  for (size_t i = 0; i * record < content.size(); ++i) {
    const std::string_view bytes = std::string_view(content).substr(i * record, record);
    add_image(dataset, path.string() + ":" + std::to_string(i), bytes.substr(label_bytes),
              static_cast<uint8_t>(bytes[label_bytes - 1]));
  }
}

Dataset open_cifar(const Request& request, const Layout& layout) {
  const std::string python = layout.folder + std::string("/");
  const std::string binary = layout.binary_folder + std::string("/");
  const std::string& first = layout.python_files.front();
  const std::string& binary_first = layout.binary_files.front();
  const fs::path found = Places(request, layout.archives)
                             .find({python + first, first, binary + binary_first, binary_first});
  const fs::path folder = found.parent_path();
  Dataset dataset;
  if (found.filename() == first) {
    read_python_names(folder / layout.names_file, layout.names_key, dataset);
    for (const std::string& file : layout.python_files) {
      read_python_batch(folder / file, layout.labels_key, dataset);
    }
    return dataset;
  }
  dataset.classes = split_items(read_file(folder / layout.binary_names_file, 1 << 20));
  for (const std::string& file : layout.binary_files) {
    read_binary_batch(folder / file, layout.label_bytes, dataset);
  }
  return dataset;
}

}  // namespace

Dataset open_cifar10(const Request& request) {
  require_split(request, {"train", "test"});
  return open_cifar(request, cifar10_layout(request.split == "train"));
}

Dataset open_cifar100(const Request& request) {
  require_split(request, {"train", "test"});
  return open_cifar(request, cifar100_layout(request.split == "train"));
}

}  // namespace clipnext::datasets
