// A state dict as torch.save writes it: an OrderedDict of tensors in a pickle of protocol 2, each
// storage a record of its own. Opens in torch.load(weights_only=True).
#include <map>
#include <tuple>

#include "base/file.h"
#include "weights/checkpoint.h"
#include "weights/torch_tensor.h"
#include "weights/zip.h"

namespace clipnext::weights {
namespace {

class PickleWriter {
 public:
  void raw(std::string_view bytes) { out_ += bytes; }

  void text(std::string_view value) {
    out_ += 'X';
    const auto size = static_cast<uint32_t>(value.size());
    out_.append(reinterpret_cast<const char*>(&size), sizeof size);
    out_ += value;
  }

  void integer(int64_t value) {
    if (value >= 0 && value < 256) {
      out_ += 'K';
      out_ += static_cast<char>(value);
      return;
    }
    out_ += "\x8a\x08";  // LONG1 of 8 bytes
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }

  void tuple(const Shape& values) {
    out_ += '(';
    for (const int64_t value : values) integer(value);
    out_ += 't';
  }

  /// A name that the loader looks up; "torch.FloatStorage" is module torch, name FloatStorage.
  void global(std::string_view name) {
    const size_t dot = name.rfind('.');
    out_ += 'c';
    out_ += name.substr(0, dot);
    out_ += '\n';
    out_ += name.substr(dot + 1);
    out_ += '\n';
  }

  void empty_ordered_dict() {
    global("collections.OrderedDict");
    out_ += ")R";
  }

  const std::string& bytes() const { return out_; }

 private:
  std::string out_;
};

Shape row_major_strides(const Shape& shape) {
  Shape strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) {
    strides[i - 1] = strides[i] * std::max<int64_t>(shape[i], 1);
  }
  return strides;
}

void put_tensor(PickleWriter& pickle, const Tensor& tensor, const std::string& key) {
  const int64_t numel = tensor.numel();
  pickle.global("torch._utils._rebuild_tensor_v2");
  pickle.raw("((");
  pickle.text("storage");
  pickle.global(storage_name(tensor.dtype));
  pickle.text(key);
  pickle.text("cpu");
  pickle.integer(numel);
  pickle.raw("tQ");
  pickle.integer(0);  // offset
  pickle.tuple(tensor.shape);
  pickle.tuple(row_major_strides(tensor.shape));
  pickle.raw("\x89");  // requires_grad=False
  pickle.empty_ordered_dict();
  pickle.raw("tR");
}

}  // namespace

namespace {

using Storages = std::vector<std::pair<std::string, std::span<const std::byte>>>;

void write_archive(const std::filesystem::path& path, std::string_view pickle,
                   const Storages& storages) {
  FileWriter file(path);
  ZipWriter zip(file);
  zip.add("archive/data.pkl", pickle);
  zip.add("archive/.format_version", "1");
  zip.add("archive/.storage_alignment", "64");
  zip.add("archive/byteorder", "little");
  for (const auto& [key, bytes] : storages) zip.add("archive/data/" + key, "", bytes);
  zip.add("archive/version", "3\n");
  zip.finish();
  file.commit();
}

}  // namespace

void write_torch_tensor(const std::filesystem::path& path, const Tensor& tensor) {
  PickleWriter pickle;
  pickle.raw("\x80\x02");
  put_tensor(pickle, tensor, "0");
  pickle.raw(".");
  write_archive(path, pickle.bytes(), {{"0", tensor.data}});
}

void write_torch_zip(const std::filesystem::path& path, const TensorMap& tensors) {
  // Tensors of the same bytes (tied weights) share a storage, as they would in PyTorch.
  std::map<std::tuple<const std::byte*, size_t, DType>, std::string> keys;
  Storages storages;
  PickleWriter pickle;
  pickle.raw("\x80\x02");
  pickle.empty_ordered_dict();
  pickle.raw("(");
  for (const auto& [name, tensor] : tensors) {
    const std::string next = std::to_string(storages.size());
    std::string key = next;
    if (!tensor.data.empty()) {
      key = keys.try_emplace({tensor.data.data(), tensor.data.size(), tensor.dtype}, next)
                .first->second;
    }
    if (key == next) storages.emplace_back(key, tensor.data);
    pickle.text(name);
    put_tensor(pickle, tensor, key);
  }
  pickle.raw("u.");
  write_archive(path, pickle.bytes(), storages);
}

}  // namespace clipnext::weights
