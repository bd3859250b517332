#include "weights/torch_state.h"

#include <array>
#include <charconv>

namespace clipnext::weights {
namespace {

using Kind = PickleValue::Kind;

// Bounds on what a small pickle can unfold to, by naming the same text or module again and again.
constexpr size_t kMaxNameBytes = 1000;
constexpr size_t kMaxMetadataBytes = 256;
constexpr size_t kMaxMetadata = 1000;
constexpr size_t kMaxTensors = 100'000;
constexpr size_t kMaxVisits = 1'000'000;
constexpr int kMaxDepth = 64;

std::string format_number(double number) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  return {text.data(), end};
}

// Keeps a number or a short text; other values say nothing that a reader of weights can use.
void add_metadata(const std::string& name, const PickleValue& value, Checkpoint& checkpoint) {
  if (checkpoint.metadata.size() >= kMaxMetadata) return;
  if (value.is(Kind::kInt)) {
    checkpoint.metadata[name] = std::to_string(value.integer);
  } else if (value.is(Kind::kFloat)) {
    checkpoint.metadata[name] = format_number(value.number);
  } else if (value.is(Kind::kText) && value.text.size() <= kMaxMetadataBytes) {
    checkpoint.metadata[name] = value.text;
  }
}

// Adds tensors under their names, with the name of the file in messages.
class Collector {
 public:
  Collector(TorchTensors& tensors, const std::string& name, Checkpoint& checkpoint)
      : tensors_(tensors), name_(name), checkpoint_(checkpoint) {}

  void add_dict(const PickleValue& dict) {
    const auto& items = dict.node->items;
    for (size_t i = 0; i + 1 < items.size(); i += 2) {
      const PickleValue& key = items[i];
      const PickleValue& value = items[i + 1];
      const bool tensor = TorchTensors::is_tensor(value);
      require(!tensor || key.is(Kind::kText), name_, ": a tensor's name is not text");
      if (!key.is(Kind::kText)) continue;
      if (tensor) {
        add_tensor(check_name(key.text), value);
      } else if (key.text.size() <= kMaxNameBytes) {
        add_metadata(std::string(key.text), value, checkpoint_);
      }
    }
  }

  void add_nested(const PickleValue& value, const std::string& path, int depth = 0) {
    require(depth <= kMaxDepth && ++visits_ <= kMaxVisits, name_,
            ": modules nested too deep or without end");
    if (TorchTensors::is_tensor(value)) {
      add_tensor(path, value);
    } else if (value.is(Kind::kCall)) {
      const bool tagged = value.node->name == "torch.jit._pickle.restore_type_tag";
      if (tagged && !call_arguments(value).empty()) {
        add_nested(call_arguments(value)[0], path, depth + 1);
      } else {
        add_nested(value.node->state, path, depth + 1);
      }
    } else if (value.is(Kind::kDict)) {
      const auto& items = value.node->items;
      for (size_t i = 0; i + 1 < items.size(); i += 2) {
        if (items[i].is(Kind::kText))
          add_nested(items[i + 1], join(path, items[i].text), depth + 1);
      }
    } else if (value.is(Kind::kTuple) || value.is(Kind::kList)) {
      const auto& items = value.node->items;
      for (size_t i = 0; i < items.size(); ++i) {
        add_nested(items[i], join(path, std::to_string(i)), depth + 1);
      }
    } else if (!path.empty()) {
      add_metadata(path, value, checkpoint_);
    }
  }

 private:
  std::string check_name(std::string_view name) const {
    require(name.size() <= kMaxNameBytes, name_, ": tensor name of ", name.size(), " bytes");
    return std::string(name);
  }

  std::string join(const std::string& path, std::string_view attribute) const {
    require(path.size() + attribute.size() < kMaxNameBytes, name_, ": tensor name of over ",
            kMaxNameBytes, " bytes");
    return path.empty() ? std::string(attribute) : path + "." + std::string(attribute);
  }

  void add_tensor(const std::string& name, const PickleValue& value) {
    require(checkpoint_.tensors.size() < kMaxTensors, name_, ": more than ", kMaxTensors,
            " tensors");
    checkpoint_.tensors[name] = tensors_.read(value, name_ + ": tensor " + name);
  }

  TorchTensors& tensors_;
  const std::string& name_;
  Checkpoint& checkpoint_;
  size_t visits_ = 0;
};

bool holds_tensors(const PickleValue& dict) {
  const auto& items = dict.node->items;
  for (size_t i = 1; i < items.size(); i += 2) {
    if (TorchTensors::is_tensor(items[i])) return true;
  }
  return false;
}

std::string some_keys(const PickleValue& dict) {
  std::string keys;
  const auto& items = dict.node->items;
  for (size_t i = 0; i < items.size() && keys.size() < 200; i += 2) {
    if (items[i].is(Kind::kText)) keys += " " + std::string(items[i].text.substr(0, 50));
  }
  return keys;
}

}  // namespace

void read_state_dict(const Pickle& pickle, TorchTensors& tensors, const std::string& name,
                     Checkpoint& checkpoint) {
  const PickleValue& root = pickle.root;
  if (TorchTensors::is_tensor(root)) {
    checkpoint.tensors["arr_0"] = tensors.read(root, name);
    return;
  }
  require(root.is(Kind::kDict), name, ": holds a Python object that is not a dict of tensors");
  const PickleValue* state = find_key(root, "state_dict");
  if ((state == nullptr || !state->is(Kind::kDict)) && !holds_tensors(root)) {
    state = find_key(root, "model");
  }
  Collector collector(tensors, name, checkpoint);
  if (state != nullptr && state->is(Kind::kDict)) {
    const auto& items = root.node->items;
    for (size_t i = 0; i + 1 < items.size(); i += 2) {
      if (items[i].is(Kind::kText) && items[i].text.size() <= kMaxNameBytes) {
        add_metadata(std::string(items[i].text), items[i + 1], checkpoint);
      }
    }
    collector.add_dict(*state);
  } else {
    collector.add_dict(root);
  }
  require(!checkpoint.tensors.empty(), name, ": holds no tensors, only", some_keys(root));
}

void read_module_state(const Pickle& pickle, TorchTensors& tensors, const std::string& name,
                       Checkpoint& checkpoint) {
  Collector(tensors, name, checkpoint).add_nested(pickle.root, "");
  require(!checkpoint.tensors.empty(), name, ": TorchScript archive without tensors");
}

}  // namespace clipnext::weights
