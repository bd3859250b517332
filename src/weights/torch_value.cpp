#include "weights/torch_value.h"

#include <algorithm>

#include "base/error.h"
#include "base/mapped_file.h"
#include "weights/torch_legacy.h"
#include "weights/torch_tensor.h"
#include "weights/torch_zip.h"
#include "weights/zip.h"

namespace clipnext::weights {
namespace {

using Kind = PickleValue::Kind;
using Value = TorchValue;

// Bounds on what a small pickle can unfold to, by naming the same object again and again. A
// training checkpoint of the largest published model stays below a tenth of each.
constexpr size_t kMaxValues = 100'000;
constexpr size_t kMaxTextBytes = size_t{16} << 20;
constexpr size_t kMaxPathBytes = 500;
constexpr int kMaxDepth = 32;

// Unfolds a pickle's graph into a tree of values.
class Unfolder {
 public:
  Unfolder(TorchTensors& tensors, const std::string& name) : tensors_(tensors), name_(name) {}

  /// `path` leads from the root to the value: ".optimizer.state.3".
  Value unfold(const PickleValue& value, const std::string& path, int depth) {
    require(depth <= kMaxDepth && ++values_ <= kMaxValues, name_,
            ": objects nested too deep, without end or by the hundred thousand");
    if (TorchTensors::is_tensor(value)) {
      return torch_tensor(tensors_.read(value, name_ + ": tensor " + shown(path)));
    }
    switch (value.kind) {
      case Kind::kNone:
        return {};
      case Kind::kBool:
        return torch_bool(value.integer != 0);
      case Kind::kInt:
        return torch_int(value.integer);
      case Kind::kFloat:
        return torch_float(value.number);
      case Kind::kText:
        return torch_text(text_of(value));
      case Kind::kTuple:
        return torch_tuple(items_of(value, path, depth));
      case Kind::kList:
        return torch_list(items_of(value, path, depth));
      case Kind::kDict:
        return dict_of(value, path, depth);
      default:
        break;
    }
    if (value.is(Kind::kCall) && value.node->name == "torch.Size" &&
        call_arguments(value).size() == 1) {
      return unfold(call_arguments(value)[0], path, depth + 1);
    }
    return other(value);
  }

 private:
  static std::string shown(const std::string& path) {
    return path.empty() ? "alone" : path.substr(1);
  }

  static std::string join(const std::string& path, std::string_view step) {
    if (path.size() > kMaxPathBytes) return path;
    return path + "." + std::string(step.substr(0, kMaxPathBytes));
  }

  std::string text_of(const PickleValue& value) {
    text_bytes_ += value.text.size();
    require(text_bytes_ <= kMaxTextBytes, name_, ": more than ", kMaxTextBytes, " bytes of text");
    return std::string(value.text);
  }

  std::vector<Value> items_of(const PickleValue& value, const std::string& path, int depth) {
    std::vector<Value> items;
    for (const PickleValue& item : value.node->items) {
      items.push_back(unfold(item, join(path, std::to_string(items.size())), depth + 1));
    }
    return items;
  }

  Value dict_of(const PickleValue& value, const std::string& path, int depth) {
    Value dict = torch_dict(value.node->name == kOrderedDict);
    const auto& items = value.node->items;
    for (size_t i = 0; i + 1 < items.size(); i += 2) {
      const PickleValue& key = items[i];
      const bool whole = key.is(Kind::kInt) || key.is(Kind::kBool);
      require(whole || key.is(Kind::kText), name_, ": a key in ", shown(path),
              " is neither text nor a whole number");
      dict.keys.push_back(whole ? Value::Key(key.integer) : Value::Key(text_of(key)));
      dict.items.push_back(unfold(
          items[i + 1], join(path, whole ? std::to_string(key.integer) : key.text), depth + 1));
    }
    return dict;
  }

  static Value other(const PickleValue& value) {
    Value found;
    found.kind = Value::Kind::kOther;
    const bool named = value.is(Kind::kGlobal) || value.is(Kind::kCall);
    found.text = named ? value.node->name.substr(0, 100) : "an object";
    return found;
  }

  TorchTensors& tensors_;
  const std::string& name_;
  size_t values_ = 0;
  size_t text_bytes_ = 0;
};

TorchValue unfold_file(const Source& source, const TorchFile& file) {
  require(!file.script, source.name, ": is a TorchScript archive, expected values of torch.save");
  TorchTensors tensors(source, file.find_storage);
  return Unfolder(tensors, source.name).unfold(file.pickle.root, "", 0);
}

TorchValue of_kind(Value::Kind kind) {
  Value value;
  value.kind = kind;
  return value;
}

}  // namespace

void TorchValue::add(TorchValue item) { items.push_back(std::move(item)); }

void TorchValue::add(Key key, TorchValue item) {
  keys.push_back(std::move(key));
  items.push_back(std::move(item));
}

const TorchValue* TorchValue::find(const Key& key) const {
  const auto found = std::find(keys.rbegin(), keys.rend(), key);
  if (found == keys.rend()) return nullptr;
  return &items[static_cast<size_t>(keys.rend() - found) - 1];
}

TorchValue torch_bool(bool value) {
  Value made = of_kind(Value::Kind::kBool);
  made.integer = value ? 1 : 0;
  return made;
}

TorchValue torch_int(int64_t value) {
  Value made = of_kind(Value::Kind::kInt);
  made.integer = value;
  return made;
}

TorchValue torch_float(double value) {
  Value made = of_kind(Value::Kind::kFloat);
  made.number = value;
  return made;
}

TorchValue torch_text(std::string value) {
  Value made = of_kind(Value::Kind::kText);
  made.text = std::move(value);
  return made;
}

TorchValue torch_tensor(Tensor value) {
  Value made = of_kind(Value::Kind::kTensor);
  made.tensor = std::move(value);
  return made;
}

TorchValue torch_list(std::vector<TorchValue> items) {
  Value made = of_kind(Value::Kind::kList);
  made.items = std::move(items);
  return made;
}

TorchValue torch_tuple(std::vector<TorchValue> items) {
  Value made = of_kind(Value::Kind::kTuple);
  made.items = std::move(items);
  return made;
}

TorchValue torch_dict(bool ordered) {
  Value made = of_kind(Value::Kind::kDict);
  made.ordered = ordered;
  return made;
}

std::string_view kind_name(TorchValue::Kind kind) {
  switch (kind) {
    case Value::Kind::kNone:
      return "None";
    case Value::Kind::kBool:
      return "a truth value";
    case Value::Kind::kInt:
      return "a whole number";
    case Value::Kind::kFloat:
      return "a number";
    case Value::Kind::kText:
      return "text";
    case Value::Kind::kTensor:
      return "a tensor";
    case Value::Kind::kList:
      return "a list";
    case Value::Kind::kTuple:
      return "a tuple";
    case Value::Kind::kDict:
      return "a dict";
    case Value::Kind::kOther:
      return "another object";
  }
  return "";
}

bool holds_torch_values(std::span<const std::byte> bytes, const std::string& name) {
  if (is_torch_legacy(bytes)) return true;
  if (!is_zip(bytes)) return false;
  const ZipRecords records = list_zip({bytes, nullptr, name});
  return is_torch_zip(records) && !is_torch_script(records);
}

TorchValue read_torch_values(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                             const std::string& name, bool verify_bytes) {
  const Source source{bytes, std::move(owner), name};
  if (is_torch_legacy(bytes)) return unfold_file(source, open_torch_legacy(source));
  require(is_zip(bytes), name, ": is not a file of torch.save");
  const ZipRecords records = list_zip(source);
  return unfold_file(source, open_torch_zip(source, records, verify_bytes));
}

TorchValue read_torch_values(const std::filesystem::path& path, bool verify_bytes) {
  auto file = std::make_shared<const MappedFile>(path);
  const auto bytes = file->bytes();
  return read_torch_values(bytes, std::move(file), path.string(), verify_bytes);
}

}  // namespace clipnext::weights
