#include "weights/torch_legacy.h"

#include <array>
#include <map>

#include "base/checked.h"
#include "weights/torch_state.h"

namespace clipnext::weights {
namespace {

using Kind = PickleValue::Kind;

// A pickle of the integer 0x1950a86a20f9469cfc6c.
constexpr std::string_view kMagic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
constexpr int64_t kProtocol = 1001;

bool no_globals(std::string_view) { return false; }

struct Storage {
  std::span<const std::byte> bytes;
  int64_t item_size = 0;
  bool found = false;
};
using Storages = std::map<std::string_view, Storage>;

// Element sizes by key, from every storage that the object's pickle mentions: the data itself only
// carries counts.
Storages list_storages(const Pickle& object, const std::string& what) {
  Storages storages;
  for (const PickleNode& node : object.nodes) {
    const bool persistent = node.name.empty() && node.items.size() == 1 &&
                            node.items[0].is(Kind::kTuple) && node.items[0].node->items.size() == 6;
    if (!persistent || node.items[0].node->items[0].text != "storage") continue;
    const TorchStorage storage = parse_storage(node, what);
    storages[storage.key].item_size = storage_item_size(storage.type, what);
  }
  return storages;
}

}  // namespace

bool is_torch_legacy(std::span<const std::byte> bytes) {
  return as_text(bytes).starts_with(kMagic);
}

TorchFile open_torch_legacy(const Source& source) {
  ByteReader reader(source.bytes, source.name);
  reader.take(kMagic.size());
  const auto next_pickle = [&](GlobalFilter allowed, const char* part) {
    Pickle pickle =
        read_pickle(source.bytes.subspan(reader.position()), allowed, source.name + ": " + part);
    reader.take(pickle.size);
    return pickle;
  };
  const Pickle protocol = next_pickle(no_globals, "protocol");
  require(protocol.root.is(Kind::kInt) && protocol.root.integer == kProtocol, source.name,
          ": legacy PyTorch file of an unknown protocol");
  const Pickle system = next_pickle(no_globals, "system information");
  const PickleValue* little = find_key(system.root, "little_endian");
  require(little == nullptr || !little->is(Kind::kBool) || little->integer != 0, source.name,
          ": tensors are big-endian; save the checkpoint again on a little-endian machine");
  TorchFile file;
  file.pickle = next_pickle(is_torch_global, "object");
  const Pickle keys = next_pickle(no_globals, "storage keys");
  require(keys.root.is(Kind::kList), source.name, ": legacy PyTorch file without storage keys");

  Storages storages = list_storages(file.pickle, source.name);
  for (const PickleValue& key : keys.root.node->items) {
    const auto found = key.is(Kind::kText) ? storages.find(key.text) : storages.end();
    require(found != storages.end(), source.name, ": data of a storage that no tensor uses");
    const auto count = reader.read<int64_t>();
    require(count >= 0, source.name, ": storage of ", count, " elements");
    found->second.bytes = reader.take(
        static_cast<uint64_t>(checked_mul(count, found->second.item_size, "storage size")));
    found->second.found = true;
  }

  file.find_storage = [&source, storages](const TorchStorage& storage) {
    const auto found = storages.find(storage.key);
    require(found != storages.end() && found->second.found, source.name, ": has no storage ",
            storage.key.substr(0, 100));
    const int64_t item = storage_item_size(storage.type, source.name);
    const int64_t begin = checked_mul(storage.view_offset, item, "storage view");
    const int64_t size = checked_mul(storage.numel, item, "storage size");
    const auto have = static_cast<int64_t>(found->second.bytes.size());
    require(checked_add(begin, size, "storage view") <= have && (storage.is_view || size == have),
            source.name, ": storage ", storage.key.substr(0, 100), " has ", have,
            " bytes, its tensors take it for ", size);
    return found->second.bytes.subspan(static_cast<size_t>(begin), static_cast<size_t>(size));
  };
  return file;
}

Checkpoint read_torch_legacy(const Source& source) {
  const TorchFile file = open_torch_legacy(source);
  TorchTensors tensors(source, file.find_storage);
  Checkpoint checkpoint;
  checkpoint.format = Format::kTorchLegacy;
  read_state_dict(file.pickle, tensors, source.name, checkpoint);
  return checkpoint;
}

}  // namespace clipnext::weights
