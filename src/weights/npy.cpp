#include "weights/npy.h"

#include <algorithm>

#include "base/checked.h"
#include "base/file.h"
#include "weights/npy_header.h"
#include "weights/strided.h"

namespace clipnext::weights {
namespace {

constexpr std::string_view kExtension = ".npy";
constexpr const char* kLoneName = "arr_0";

// Fortran order is row-major of the reversed shape.
Tensor from_fortran_order(const Tensor& tensor) {
  Shape strides(tensor.shape.size());
  int64_t stride = 1;
  for (size_t i = 0; i < strides.size(); ++i) {
    strides[i] = stride;
    stride *= tensor.shape[i];
  }
  NewTensor made = allocate_tensor(tensor.dtype, tensor.shape);
  copy_strided(tensor.data, tensor.shape, strides, dtype_size(tensor.dtype), made.bytes);
  return std::move(made.tensor);
}

Tensor read_array(const ZipContent& content, const std::string& what) {
  ByteReader reader(content.bytes, what);
  NpyHeader header = read_npy_header(reader);
  const int64_t bytes = checked_mul(checked_numel(header.shape, what.c_str()),
                                    dtype_size(header.dtype), what.c_str());
  require(static_cast<uint64_t>(bytes) == reader.left(), what, ": ", dtype_name(header.dtype), " ",
          format_shape(header.shape), " takes ", bytes, " bytes, ", reader.left(), " are there");
  Tensor tensor{header.dtype, std::move(header.shape), reader.take(static_cast<uint64_t>(bytes)),
                content.owner};
  const bool order_matters = std::count_if(tensor.shape.begin(), tensor.shape.end(),
                                           [](int64_t side) { return side != 1; }) > 1;
  return header.fortran_order && order_matters ? from_fortran_order(tensor) : tensor;
}

// NumPy has no bfloat16; float32 holds all of its values.
Tensor numpy_tensor(const Tensor& tensor) {
  return tensor.dtype == DType::kBF16 ? convert(tensor, DType::kF32) : tensor;
}

}  // namespace

bool is_npy(std::span<const std::byte> bytes) { return as_text(bytes).starts_with("\x93NUMPY"); }

Checkpoint read_npy(const Source& source) {
  Checkpoint checkpoint;
  checkpoint.format = Format::kNpy;
  checkpoint.tensors[kLoneName] = read_array({source.bytes, source.owner}, source.name);
  return checkpoint;
}

bool is_npz(const ZipRecords& records) {
  return std::any_of(records.begin(), records.end(), [](const auto& record) {
    return std::string_view(record.first).ends_with(kExtension);
  });
}

Checkpoint read_npz(const Source& source, const ZipRecords& records) {
  Checkpoint checkpoint;
  checkpoint.format = Format::kNpz;
  for (const auto& [file, record] : records) {
    const std::string what = source.name + ": " + file;
    require(std::string_view(file).ends_with(kExtension), what, ": is not a .npy array");
    const std::string name = file.substr(0, file.size() - kExtension.size());
    const ZipContent content = zip_content(record, source, file);
    if (record.deflated) check_crc(record, content.bytes, what);
    checkpoint.tensors[name] = read_array(content, what);
  }
  return checkpoint;
}

void write_npz(const std::filesystem::path& path, const TensorMap& tensors) {
  FileWriter file(path);
  ZipWriter zip(file);
  for (const auto& [name, original] : tensors) {
    const Tensor tensor = numpy_tensor(original);
    zip.add(name + std::string(kExtension), npy_header({tensor.dtype, false, tensor.shape}),
            tensor.data);
  }
  zip.finish();
  file.commit();
}

void write_npy(const std::filesystem::path& path, const Tensor& original) {
  const Tensor tensor = numpy_tensor(original);
  FileWriter file(path);
  file.write(npy_header({tensor.dtype, false, tensor.shape}));
  file.write(tensor.data.data(), tensor.data.size());
  file.commit();
}

}  // namespace clipnext::weights
