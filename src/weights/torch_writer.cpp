// Values as torch.save writes them: a pickle of protocol 2, each storage a record of its own.
#include <bit>
#include <limits>
#include <map>
#include <tuple>

#include "base/error.h"
#include "base/file.h"
#include "weights/checkpoint.h"
#include "weights/torch_tensor.h"
#include "weights/torch_value.h"
#include "weights/zip.h"

namespace clipnext::weights {
namespace {

class PickleWriter {
 public:
  void raw(std::string_view bytes) { out_ += bytes; }

  void text(std::string_view value) {
    require(value.size() <= std::numeric_limits<uint32_t>::max(), "text of ", value.size(),
            " bytes is too long");
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

  void number(double value) {
    const uint64_t bits = __builtin_bswap64(std::bit_cast<uint64_t>(value));
    out_ += 'G';
    out_.append(reinterpret_cast<const char*>(&bits), sizeof bits);
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

using Storages = std::vector<std::pair<std::string, std::span<const std::byte>>>;

// Puts values into a pickle and lists the storages of their tensors.
class ValueWriter {
 public:
  void put(const TorchValue& value) {
    switch (value.kind) {
      case TorchValue::Kind::kNone:
        return pickle_.raw("N");
      case TorchValue::Kind::kBool:
        return pickle_.raw(value.integer != 0 ? "\x88" : "\x89");
      case TorchValue::Kind::kInt:
        return pickle_.integer(value.integer);
      case TorchValue::Kind::kFloat:
        return pickle_.number(value.number);
      case TorchValue::Kind::kText:
        return pickle_.text(value.text);
      case TorchValue::Kind::kTensor:
        return put_tensor(value.tensor);
      case TorchValue::Kind::kTuple:
        pickle_.raw("(");
        put_all(value.items);
        return pickle_.raw("t");
      case TorchValue::Kind::kList:
        pickle_.raw("](");
        put_all(value.items);
        return pickle_.raw("e");
      case TorchValue::Kind::kDict:
        return put_dict(value);
      case TorchValue::Kind::kOther:
        fail(value.text, " cannot be written to a file of torch.save");
    }
  }

  const std::string& pickle() const { return pickle_.bytes(); }
  const Storages& storages() const { return storages_; }

 private:
  void put_all(const std::vector<TorchValue>& items) {
    for (const TorchValue& item : items) put(item);
  }

  void put_dict(const TorchValue& dict) {
    if (dict.ordered) {
      pickle_.empty_ordered_dict();
    } else {
      pickle_.raw("}");
    }
    pickle_.raw("(");
    for (size_t i = 0; i < dict.items.size(); ++i) {
      if (const auto* text = std::get_if<std::string>(&dict.keys[i])) {
        pickle_.text(*text);
      } else {
        pickle_.integer(std::get<int64_t>(dict.keys[i]));
      }
      put(dict.items[i]);
    }
    pickle_.raw("u");
  }

  // Tensors of the same bytes (tied weights) share a storage, as they would in PyTorch.
  std::string storage_of(const Tensor& tensor) {
    std::string next = std::to_string(storages_.size());
    if (!tensor.data.empty()) {
      const auto [at, is_new] =
          keys_.try_emplace({tensor.data.data(), tensor.data.size(), tensor.dtype}, next);
      if (!is_new) return at->second;
    }
    storages_.emplace_back(next, tensor.data);
    return next;
  }

  void put_tensor(const Tensor& tensor) {
    pickle_.global("torch._utils._rebuild_tensor_v2");
    pickle_.raw("((");
    pickle_.text("storage");
    pickle_.global(storage_name(tensor.dtype));
    pickle_.text(storage_of(tensor));
    pickle_.text("cpu");
    pickle_.integer(tensor.numel());
    pickle_.raw("tQ");
    pickle_.integer(0);  // offset
    pickle_.tuple(tensor.shape);
    pickle_.tuple(row_major_strides(tensor.shape));
    pickle_.raw("\x89");  // requires_grad=False
    pickle_.empty_ordered_dict();
    pickle_.raw("tR");
  }

  PickleWriter pickle_;
  std::map<std::tuple<const std::byte*, size_t, DType>, std::string> keys_;
  Storages storages_;
};

}  // namespace

void write_torch_values(const std::filesystem::path& path, const TorchValue& value) {
  ValueWriter writer;
  writer.put(value);
  FileWriter file(path);
  ZipWriter zip(file);
  zip.add("archive/data.pkl", "\x80\x02" + writer.pickle() + ".");
  zip.add("archive/.format_version", "1");
  zip.add("archive/.storage_alignment", "64");
  zip.add("archive/byteorder", "little");
  for (const auto& [key, bytes] : writer.storages()) zip.add("archive/data/" + key, "", bytes);
  zip.add("archive/version", "3\n");
  zip.finish();
  file.commit();
}

void write_torch_tensor(const std::filesystem::path& path, const Tensor& tensor) {
  write_torch_values(path, torch_tensor(tensor));
}

void write_torch_zip(const std::filesystem::path& path, const TensorMap& tensors) {
  TorchValue dict = torch_dict(/*ordered=*/true);
  for (const auto& [name, tensor] : tensors) dict.add(name, torch_tensor(tensor));
  write_torch_values(path, dict);
}

}  // namespace clipnext::weights
