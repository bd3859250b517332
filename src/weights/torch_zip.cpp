#include "weights/torch_zip.h"

#include "base/checked.h"
#include "weights/torch_state.h"

namespace clipnext::weights {
namespace {

constexpr std::string_view kPickle = "data.pkl";

// The record whose name ends in /data.pkl; its folder is everyone's.
ZipRecords::const_iterator find_pickle(const ZipRecords& records) {
  for (auto it = records.begin(); it != records.end(); ++it) {
    const std::string& name = it->first;
    const size_t slash = name.find('/');
    if (slash != std::string::npos && std::string_view(name).substr(slash + 1) == kPickle) {
      return it;
    }
  }
  return records.end();
}

std::span<const std::byte> stored(const ZipRecord& record, const std::string& what) {
  require(!record.deflated, what,
          ": is compressed, which PyTorch never does; was it zipped again?");
  return record.raw;
}

}  // namespace

bool is_torch_zip(const ZipRecords& records) { return find_pickle(records) != records.end(); }

Checkpoint read_torch_zip(const Source& source, const ZipRecords& records) {
  const auto pickle_record = find_pickle(records);
  require(pickle_record != records.end(), source.name, ": zip archive without a PyTorch pickle");
  const std::string& pickle_name = pickle_record->first;
  const std::string folder = pickle_name.substr(0, pickle_name.size() - kPickle.size());

  if (const auto order = records.find(folder + "byteorder"); order != records.end()) {
    require(as_text(stored(order->second, source.name + ": byteorder")) == "little", source.name,
            ": tensors are big-endian; save the checkpoint again on a little-endian machine");
  }
  const std::string what = source.name + ": " + std::string(kPickle);
  const auto bytes = stored(pickle_record->second, what);
  check_crc(pickle_record->second, bytes, what);
  const Pickle pickle = read_pickle(bytes, is_torch_global, what);

  TorchTensors tensors(source, [&](const TorchStorage& storage) {
    const std::string name = folder + "data/" + std::string(storage.key.substr(0, 100));
    const auto found = records.find(name);
    require(found != records.end(), source.name, ": has no record ", name);
    const auto content = stored(found->second, source.name + ": " + name);
    const int64_t expected =
        checked_mul(storage.numel, storage_item_size(storage.type, source.name), "storage size");
    require(static_cast<int64_t>(content.size()) == expected, source.name, ": record ", name,
            " has ", content.size(), " bytes, its storage takes ", expected);
    return content;
  });
  Checkpoint checkpoint;
  if (records.contains(folder + "constants.pkl")) {
    checkpoint.format = Format::kTorchScript;
    read_module_state(pickle, tensors, source.name, checkpoint);
  } else {
    checkpoint.format = Format::kTorchZip;
    read_state_dict(pickle, tensors, source.name, checkpoint);
  }
  return checkpoint;
}

}  // namespace clipnext::weights
