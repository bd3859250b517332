// safetensors: a JSON header, then the bytes of all tensors without gaps.
#pragma once

#include "weights/checkpoint.h"
#include "weights/source.h"

namespace clipnext::weights {

/// Whether the beginning looks like it; read_safetensors says what is wrong with the rest.
bool is_safetensors(std::span<const std::byte> bytes);

/// Reads under all rules of the format's reference reader (contiguous, unique, exact sizes);
/// tensors stay where they lie. Element types beyond DType are an Error that names the tensor.
Checkpoint read_safetensors(const Source& source);

/// The bytes of a file before its tensors, which follow in that order without gaps: of each only
/// type and shape are looked at. `name` stands in messages; alignment as in
/// write_ordered_safetensors.
std::string safetensors_header(const std::string& name, TensorList tensors,
                               const std::map<std::string, std::string>& metadata,
                               size_t alignment);

/// write_ordered_safetensors without a look at Ctrl-C: `between`, where given, is called before
/// each tensor.
void write_safetensors_file(const std::filesystem::path& path, TensorList tensors,
                            const std::map<std::string, std::string>& metadata, size_t alignment,
                            const std::function<void()>& between = {},
                            const std::function<void()>& written = {});

}  // namespace clipnext::weights
