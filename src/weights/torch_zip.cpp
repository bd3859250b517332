#include "weights/torch_zip.h"

#include <set>

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

std::string folder_of(const std::string& pickle_name) {
  return pickle_name.substr(0, pickle_name.size() - kPickle.size());
}

std::span<const std::byte> stored(const ZipRecord& record, const std::string& what) {
  require(!record.deflated, what,
          ": is compressed, which PyTorch never does; was it zipped again?");
  return record.raw;
}

}  // namespace

bool is_torch_zip(const ZipRecords& records) { return find_pickle(records) != records.end(); }

bool is_torch_script(const ZipRecords& records) {
  const auto pickle = find_pickle(records);
  return pickle != records.end() && records.contains(folder_of(pickle->first) + "constants.pkl");
}

TorchFile open_torch_zip(const Source& source, const ZipRecords& records, bool verify_bytes) {
  const auto pickle = find_pickle(records);
  require(pickle != records.end(), source.name, ": zip archive without a PyTorch pickle");
  const std::string folder = folder_of(pickle->first);

  if (const auto order = records.find(folder + "byteorder"); order != records.end()) {
    require(as_text(stored(order->second, source.name + ": byteorder")) == "little", source.name,
            ": tensors are big-endian; save the checkpoint again on a little-endian machine");
  }
  const std::string what = source.name + ": " + std::string(kPickle);
  const auto bytes = stored(pickle->second, what);
  check_crc(pickle->second, bytes, what);
  TorchFile file;
  file.pickle = read_pickle(bytes, is_torch_global, what);
  file.script = is_torch_script(records);
  const auto verified = std::make_shared<std::set<std::string>>();
  file.find_storage = [&source, &records, folder, verify_bytes,
                       verified](const TorchStorage& storage) {
    const std::string name = folder + "data/" + std::string(storage.key.substr(0, 100));
    const auto found = records.find(name);
    require(found != records.end(), source.name, ": has no record ", name);
    const std::string record = source.name + ": record " + name;
    const auto content = stored(found->second, record);
    const int64_t expected =
        checked_mul(storage.numel, storage_item_size(storage.type, source.name), "storage size");
    require(static_cast<int64_t>(content.size()) == expected, record, " has ", content.size(),
            " bytes, its storage takes ", expected);
    if (verify_bytes && verified->insert(name).second) check_crc(found->second, content, record);
    return content;
  };
  return file;
}

Checkpoint read_torch_zip(const Source& source, const ZipRecords& records) {
  const TorchFile file = open_torch_zip(source, records);
  TorchTensors tensors(source, file.find_storage);
  Checkpoint checkpoint;
  if (file.script) {
    checkpoint.format = Format::kTorchScript;
    read_module_state(file.pickle, tensors, source.name, checkpoint);
  } else {
    checkpoint.format = Format::kTorchZip;
    read_state_dict(file.pickle, tensors, source.name, checkpoint);
  }
  return checkpoint;
}

}  // namespace clipnext::weights
