#include "weights/safetensors.h"

#include <algorithm>
#include <limits>

#include "base/checked.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/json.h"

namespace clipnext::weights {
namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the reference's limit
constexpr size_t kLengthBytes = 8;
constexpr std::string_view kMetadata = "__metadata__";

// The order of the reference's writer: widest alignment first.
constexpr std::array<DType, 10> kWritingOrder{DType::kI64,  DType::kF64, DType::kF32, DType::kI32,
                                              DType::kBF16, DType::kF16, DType::kI16, DType::kI8,
                                              DType::kU8,   DType::kBool};

struct Range {
  int64_t begin, end;
  std::string name;
};

int64_t to_size(const Json& value, const std::string& where) {
  require(value.is_number_unsigned(), where, ": expected a whole number, found ", value.dump());
  const auto number = value.get<uint64_t>();
  require(number <= uint64_t{std::numeric_limits<int64_t>::max()}, where, ": ", number,
          " is too large");
  return static_cast<int64_t>(number);
}

const Json& member(const Json& entry, const char* name, const std::string& where) {
  const auto found = entry.find(name);
  require(found != entry.end(), where, ": has no \"", name, "\"");
  return *found;
}

DType to_dtype(const Json& value, const std::string& where) {
  require(value.is_string(), where, ": \"dtype\" is not a string");
  const auto& name = value.get_ref<const std::string&>();
  for (const DType dtype : kWritingOrder) {
    if (dtype_name(dtype) == name) return dtype;
  }
  fail(where, ": element type ", name, " is not supported");
}

Tensor to_tensor(const Json& entry, std::span<const std::byte> buffer, const Source& source,
                 const std::string& where, Range& range) {
  require(entry.is_object(), where, ": is not an object");
  Tensor tensor;
  tensor.dtype = to_dtype(member(entry, "dtype", where), where);
  const Json& shape = member(entry, "shape", where);
  require(shape.is_array(), where, ": \"shape\" is not a list");
  for (const Json& side : shape) tensor.shape.push_back(to_size(side, where + " shape"));
  const Json& offsets = member(entry, "data_offsets", where);
  require(offsets.is_array() && offsets.size() == 2, where, ": \"data_offsets\" is not a pair");
  range.begin = to_size(offsets[0], where + " data_offsets");
  range.end = to_size(offsets[1], where + " data_offsets");

  require(range.begin <= range.end, where, ": ends at ", range.end, ", before its begin at ",
          range.begin);
  require(range.end <= static_cast<int64_t>(buffer.size()), where, ": ends at ", range.end,
          ", but the file has ", buffer.size(), " bytes of tensors; is it truncated?");
  const int64_t bytes = checked_mul(checked_numel(tensor.shape, where.c_str()),
                                    dtype_size(tensor.dtype), where.c_str());
  require(range.end - range.begin == bytes, where, ": ", dtype_name(tensor.dtype), " ",
          format_shape(tensor.shape), " takes ", bytes, " bytes, the header gives it ",
          range.end - range.begin);
  tensor.data = buffer.subspan(static_cast<size_t>(range.begin), static_cast<size_t>(bytes));
  tensor.owner = source.owner;
  return tensor;
}

// Together the tensors cover the buffer, each byte once.
void check_contiguous(std::vector<Range> ranges, size_t buffer_size, const std::string& name) {
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  int64_t end = 0;
  for (const Range& range : ranges) {
    require(range.begin == end, name, ": tensor ", range.name, " begins at ", range.begin,
            ", the one before it ends at ", end, "; tensors must leave no gap and not overlap");
    end = range.end;
  }
  require(end == static_cast<int64_t>(buffer_size), name, ": the tensors end at byte ", end,
          " of the data, but ", buffer_size, " bytes are there");
}

}  // namespace

bool is_safetensors(std::span<const std::byte> bytes) {
  if (bytes.size() <= kLengthBytes || bytes[kLengthBytes] != std::byte{'{'}) return false;
  return ByteReader(bytes, "").read<uint64_t>() <= kMaxHeaderBytes;
}

Checkpoint read_safetensors(const Source& source) {
  ByteReader reader(source.bytes, source.name + ": safetensors header");
  const auto header_bytes = reader.read<uint64_t>();
  require(header_bytes <= kMaxHeaderBytes, reader.what(), ": ", header_bytes,
          " bytes is above the format's limit of ", kMaxHeaderBytes);
  const std::string_view header = as_text(reader.take(header_bytes));
  require(header.substr(0, 1) == "{", reader.what(), ": does not begin with {");
  const auto buffer = source.bytes.subspan(reader.position());

  const Json json = parse_json(header, reader.what(), /*unique_members=*/true);
  Checkpoint checkpoint;
  checkpoint.format = Format::kSafetensors;
  std::vector<Range> ranges;
  for (const auto& [name, entry] : json.items()) {
    if (name == kMetadata) {
      require(entry.is_object(), reader.what(), ": ", kMetadata, " is not an object");
      for (const auto& [key, value] : entry.items()) {
        require(value.is_string(), reader.what(), ": ", kMetadata, ".", key, " is not a string");
        checkpoint.metadata[key] = value.get<std::string>();
      }
      continue;
    }
    Range& range = ranges.emplace_back(Range{0, 0, name});
    checkpoint.tensors[name] =
        to_tensor(entry, buffer, source, source.name + ": tensor " + name, range);
  }
  check_contiguous(std::move(ranges), buffer.size(), source.name);
  return checkpoint;
}

std::string safetensors_header(const std::string& name, TensorList tensors,
                               const std::map<std::string, std::string>& metadata,
                               size_t alignment) {
  OrderedJson header = OrderedJson::object();
  if (!metadata.empty()) header[std::string(kMetadata)] = metadata;
  int64_t offset = 0;
  for (const auto& [tensor_name, tensor] : tensors) {
    require(tensor_name != kMetadata, name, ": no tensor may be named ", kMetadata);
    const int64_t end = checked_add(
        offset, checked_mul(tensor.numel(), dtype_size(tensor.dtype), "tensors"), "tensors");
    header[tensor_name] = {{"dtype", dtype_name(tensor.dtype)},
                           {"shape", tensor.shape},
                           {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const Json::exception&) {
    fail(name, ": a name or metadata entry is not UTF-8");
  }
  const size_t begin = (kLengthBytes + text.size() + alignment - 1) / alignment * alignment;
  text.resize(begin - kLengthBytes, ' ');
  const uint64_t length = text.size();
  text.insert(0, reinterpret_cast<const char*>(&length), sizeof length);
  return text;
}

void write_safetensors_file(const std::filesystem::path& path, TensorList tensors,
                            const std::map<std::string, std::string>& metadata, size_t alignment,
                            const std::function<void()>& between,
                            const std::function<void()>& written) {
  const std::string header = safetensors_header(path.string(), tensors, metadata, alignment);
  FileWriter writer(path);
  writer.write(header);
  for (const auto& [name, tensor] : tensors) {
    if (between) between();
    writer.write(tensor.data.data(), tensor.data.size());
    if (written) written();
  }
  writer.commit();
}

void write_ordered_safetensors(const std::filesystem::path& path, TensorList tensors,
                               const std::map<std::string, std::string>& metadata, size_t alignment,
                               const std::function<void()>& written) {
  write_safetensors_file(path, tensors, metadata, alignment, throw_if_interrupted, written);
}

void write_safetensors(const std::filesystem::path& path, const TensorMap& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<std::pair<std::string, Tensor>> order;
  for (const DType dtype : kWritingOrder) {
    for (const auto& entry : tensors) {
      if (entry.second.dtype == dtype) order.emplace_back(entry);
    }
  }
  write_ordered_safetensors(path, order, metadata, kLengthBytes);
}

}  // namespace clipnext::weights
