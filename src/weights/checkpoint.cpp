#include "weights/checkpoint.h"

#include <algorithm>
#include <cctype>

#include "base/mapped_file.h"
#include "weights/npy.h"
#include "weights/safetensors.h"
#include "weights/torch_legacy.h"
#include "weights/torch_zip.h"
#include "weights/wrappers.h"
#include "weights/zip.h"

namespace clipnext::weights {
namespace {

// What else people end up with under a checkpoint's name.
void refuse_known_others(const Source& source) {
  const std::string_view text = as_text(source.bytes);
  std::string begin(text.substr(0, 64));
  std::transform(begin.begin(), begin.end(), begin.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  begin.erase(0, begin.find_first_not_of(" \t\r\n"));
  const std::string& name = source.name;
  require(!text.empty(), name, ": is empty");
  require(
      !begin.starts_with("<!doctype") && !begin.starts_with("<html") && !begin.starts_with("<?xml"),
      name, ": is a web page, not weights; the download went to a login or error page");
  require(!begin.starts_with("version https://git-lfs"), name,
          ": is a git-lfs pointer, not the weights; run `git lfs pull` in its repository");
  require(!text.starts_with("\x1f\x8b"), name, ": is compressed with gzip; unpack it first");
  require(!text.starts_with("\x89HDF"), name, ": is HDF5 (Keras?), which is not supported");
  require(!(text.size() > 262 && text.substr(257, 5) == "ustar"), name,
          ": is a tar archive; unpack it first");
  require(!(text.size() > 2 && text[0] == '\x80' && text[1] <= 5), name,
          ": is a bare Python pickle, not a file of torch.save");
}

Checkpoint read_zip(const Source& source) {
  const ZipRecords records = list_zip(source);
  if (is_torch_zip(records)) return read_torch_zip(source, records);
  require(is_npz(records), source.name,
          ": zip archive that holds neither a PyTorch checkpoint nor NumPy arrays");
  return read_npz(source, records);
}

Checkpoint read_any(const Source& source) {
  if (is_zip(source.bytes)) return read_zip(source);
  if (is_npy(source.bytes)) return read_npy(source);
  if (is_torch_legacy(source.bytes)) return read_torch_legacy(source);
  if (is_safetensors(source.bytes)) return read_safetensors(source);
  refuse_known_others(source);
  fail(
      source.name,
      ": not a checkpoint of a known kind (safetensors, PyTorch .pt/.pth/.bin, .npz, .npy); is the "
      "file complete?");
}

}  // namespace

std::string_view format_name(Format format) {
  switch (format) {
    case Format::kSafetensors:
      return "safetensors";
    case Format::kTorchZip:
      return "PyTorch";
    case Format::kTorchLegacy:
      return "PyTorch (legacy)";
    case Format::kTorchScript:
      return "TorchScript";
    case Format::kNpy:
      return "npy";
    case Format::kNpz:
      return "npz";
  }
  return "";
}

Checkpoint read_checkpoint(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                           const std::string& name) {
  Checkpoint checkpoint = read_any({bytes, std::move(owner), name});
  unwrap_names(checkpoint.tensors, name);
  return checkpoint;
}

Checkpoint open_checkpoint(const std::filesystem::path& path) {
  auto file = std::make_shared<const MappedFile>(path);
  const auto bytes = file->bytes();
  return read_checkpoint(bytes, std::move(file), path.string());
}

}  // namespace clipnext::weights
