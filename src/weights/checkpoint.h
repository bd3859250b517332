// Opening a checkpoint of any published kind, and writing one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "weights/tensor.h"

namespace clipnext::weights {

enum class Format : uint8_t { kSafetensors, kTorchZip, kTorchLegacy, kTorchScript, kNpy, kNpz };
std::string_view format_name(Format format);

/// What a file held: its tensors by name as they stand in it, less the wrapping (`state_dict`
/// entry, `module.` / `_orig_mod.` prefixes; spec: checkpoint layouts), and what was known besides.
/// A tensor that stands alone (.npy, torch.save(tensor)) is "arr_0".
struct Checkpoint {
  Format format = Format::kSafetensors;
  TensorMap tensors;
  /// safetensors `__metadata__`, or the scalar and string entries of a training checkpoint
  /// (epoch, name, global_step, samples_seen) as text.
  std::map<std::string, std::string> metadata;
};

/// Opens by content, not by file name. Throws Error that names the file and what is wrong with it.
Checkpoint open_checkpoint(const std::filesystem::path& path);

/// The same from bytes that `owner` keeps alive; `name` stands in messages.
Checkpoint read_checkpoint(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                           const std::string& name);

/// Writers; each writes to a temporary name and renames. torch zip opens in
/// torch.load(weights_only=True).
void write_safetensors(const std::filesystem::path& path, const TensorMap& tensors,
                       const std::map<std::string, std::string>& metadata = {});
/// safetensors with its tensors in the order given, and their first byte on a multiple of
/// `alignment` (a power of two, at least 8) in the file. `written` hears of each tensor.
using TensorList = std::span<const std::pair<std::string, Tensor>>;
void write_ordered_safetensors(const std::filesystem::path& path, TensorList tensors,
                               const std::map<std::string, std::string>& metadata, size_t alignment,
                               const std::function<void()>& written = {});
void write_torch_zip(const std::filesystem::path& path, const TensorMap& tensors);
/// torch.save(tensor): no name, no dict.
void write_torch_tensor(const std::filesystem::path& path, const Tensor& tensor);
void write_npz(const std::filesystem::path& path, const TensorMap& tensors);
void write_npy(const std::filesystem::path& path, const Tensor& tensor);

}  // namespace clipnext::weights
