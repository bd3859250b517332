#include "infer/packed_file.h"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <span>
#include <utility>

#include "base/content_hash.h"
#include "base/error.h"
#include "weights/checkpoint.h"

namespace clipnext::infer {
namespace {

using model::ParamInfo;
using model::Role;
using weights::DType;
using weights::Shape;
using weights::Tensor;
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

constexpr size_t kPage = 4096;
constexpr size_t kLine = 64;  // every tensor begins on a multiple
constexpr std::string_view kPadding = "clipnext.padding.";
constexpr const char* kScales = ".scales";
constexpr const char* kSums = ".sums";
constexpr int64_t kMaxInt8Depth = 65536;  // kernels::PackS8Fn

DType stored_type(ComputeType type) {
  return type == ComputeType::kFp32   ? DType::kF32
         : type == ComputeType::kBf16 ? DType::kBF16
                                      : DType::kI8;
}

/// Of a matrix's panels in the kernels' layout.
Shape panel_shape(ComputeType type, int64_t n, int64_t k) {
  constexpr int64_t kPanel = 16;
  const int64_t panels = kernels::packed_columns(n) / kPanel;
  if (type == ComputeType::kInt8) {
    return {panels, kernels::packed_depth<int8_t>(k) / 4, kPanel, 4};
  }
  if (type == ComputeType::kBf16) {
    return {panels, kernels::packed_depth<kernels::Bf16>(k) / 2, kPanel, 2};
  }
  return {panels, k, kPanel};
}

/// [49, c] of a depthwise convolution, the shape of a vector or a table otherwise.
Shape plain_shape(const ParamInfo& info) {
  if (info.role != Role::kConv) return info.shape;
  return {info.shape[2] * info.shape[3], info.shape[0]};
}

bool is_stored(const Weight& weight) { return !weight.contents().empty(); }

// ---- writing ----

/// Appends tensors, with padding before those that would not begin on a line.
class Layout {
 public:
  void add(std::string name, DType dtype, Shape shape, std::span<const std::byte> data) {
    pad();
    size_ += data.size();
    tensors_.emplace_back(std::move(name), Tensor{dtype, std::move(shape), data, nullptr});
  }
  const NamedTensors& tensors() const { return tensors_; }

 private:
  void pad() {
    static constexpr std::byte kZeros[kLine] = {};
    const size_t missing = (kLine - size_ % kLine) % kLine;
    if (missing == 0) return;
    size_ += missing;
    tensors_.emplace_back(
        std::string(kPadding) + std::to_string(padding_++),
        Tensor{DType::kU8, {static_cast<int64_t>(missing)}, {kZeros, missing}, nullptr});
  }

  NamedTensors tensors_;
  size_t size_ = 0;
  int padding_ = 0;
};

void add_matrix(Layout& layout, const std::string& name, const Weight& weight) {
  const Shape shape = panel_shape(weight.type, weight.n, weight.k);
  if (weight.type != ComputeType::kInt8) {
    layout.add(name, stored_type(weight.type), shape, weight.bytes);
    return;
  }
  const int64_t columns = kernels::packed_columns(weight.n);
  const auto bytes = static_cast<size_t>(columns * 4);
  const size_t panels = weight.bytes.size() - 2 * bytes;
  layout.add(name, DType::kI8, shape, weight.bytes.first(panels));
  layout.add(name + kScales, DType::kF32, {columns}, weight.bytes.subspan(panels, bytes));
  layout.add(name + kSums, DType::kI32, {columns}, weight.bytes.subspan(panels + bytes, bytes));
}

// ---- reading ----

/// The tensors of a file, each asked for once.
class Reader {
 public:
  Reader(const weights::Checkpoint& checkpoint, const std::string& source)
      : tensors_(checkpoint.tensors), source_(source) {}

  Weight read(const ParamInfo& info) {
    const auto [n, k] = matrix_shape(info);
    if (n > 0) return matrix(info.name, n, k);
    Weight weight;
    if (info.role == Role::kEmbedding) {
      weight.table = find(info.name);
      require(weights::is_float(weight.table.dtype), where(info.name), " is ",
              weights::dtype_name(weight.table.dtype), ", expected a float type");
      check(info.name, weight.table, weight.table.dtype, info.shape);
    } else {
      view(take(info.name, DType::kF32, plain_shape(info)), weight);
    }
    return weight;
  }

  /// Throws if a tensor was not asked for.
  void finish() const {
    for (const auto& [name, tensor] : tensors_) {
      const bool known =
          used_.contains(name) || name.starts_with(kPadding) || name == model::kMergesTensor;
      require(known, where(name), " is no part of this model");
    }
  }

 private:
  std::string where(const std::string& name) const { return source_ + ": tensor " + name; }

  const Tensor& find(const std::string& name) {
    const auto found = tensors_.find(name);
    require(found != tensors_.end(), where(name), " is missing");
    used_.insert(found->first);
    return found->second;
  }

  void check(const std::string& name, const Tensor& tensor, DType dtype, const Shape& shape) const {
    require(tensor.dtype == dtype && tensor.shape == shape, where(name), " is ",
            weights::dtype_name(tensor.dtype), " ", weights::format_shape(tensor.shape),
            ", expected ", weights::dtype_name(dtype), " ", weights::format_shape(shape));
    require(reinterpret_cast<uintptr_t>(tensor.data.data()) % kLine == 0, where(name),
            " does not begin on a multiple of ", kLine,
            " bytes; was the file written by another program?");
  }

  const Tensor& take(const std::string& name, DType dtype, const Shape& shape) {
    const Tensor& tensor = find(name);
    check(name, tensor, dtype, shape);
    return tensor;
  }

  static void view(const Tensor& tensor, Weight& weight) {
    weight.bytes = tensor.data;
    weight.owner = tensor.owner;
  }

  ComputeType type_of(const std::string& name) {
    const Tensor& tensor = find(name);
    for (const auto type : {ComputeType::kFp32, ComputeType::kBf16, ComputeType::kInt8}) {
      if (tensor.dtype == stored_type(type)) return type;
    }
    fail(where(name), " is ", weights::dtype_name(tensor.dtype), ", expected F32, BF16 or I8");
  }

  Weight matrix(const std::string& name, int64_t n, int64_t k) {
    Weight weight;
    weight.type = type_of(name);
    weight.n = n;
    weight.k = k;
    view(take(name, stored_type(weight.type), panel_shape(weight.type, n, k)), weight);
    if (weight.type == ComputeType::kInt8) add_scales(name, weight);
    return weight;
  }

  /// The kernels find scales and sums behind the panels, so that is where they must lie.
  void add_scales(const std::string& name, Weight& weight) {
    require(weight.k <= kMaxInt8Depth, where(name), " has ", weight.k, " inputs; 8 bits take ",
            kMaxInt8Depth);
    const Shape columns = {kernels::packed_columns(weight.n)};
    const Tensor& scales = take(name + kScales, DType::kF32, columns);
    const Tensor& sums = take(name + kSums, DType::kI32, columns);
    const std::byte* end = weight.bytes.data() + weight.bytes.size();
    require(scales.data.data() == end && sums.data.data() == end + scales.data.size(), where(name),
            ": its scales and sums do not follow it in the file");
    const std::span values(reinterpret_cast<const int32_t*>(sums.data.data()),
                           static_cast<size_t>(columns[0]));
    for (const int32_t sum : values) {  // beyond this the kernels' integers overflow
      require(std::abs(int64_t{sum}) <= 128 * weight.k, where(name), ": ", sum, " is no sum of ",
              weight.k, " values in 8 bits");
    }
    weight.bytes = {weight.bytes.data(),
                    weight.bytes.size() + scales.data.size() + sums.data.size()};
  }

  const weights::TensorMap& tensors_;
  const std::string& source_;
  std::set<std::string_view> used_;
};

}  // namespace

std::string hash_weights(const weights::TensorMap& tensors, ThreadPool& pool) {
  ContentHash hash;
  for (const auto& [name, tensor] : tensors) {
    const std::string what = name + " " + std::string(weights::dtype_name(tensor.dtype));
    hash = hash_text(what + weights::format_shape(tensor.shape), hash);
    hash = hash_bytes(pool, tensor.data, hash);
  }
  return hash.hex();
}

void write_packed(const std::filesystem::path& path, const model::Model& model, Params& params,
                  const PackedInfo& info, std::string_view merges,
                  const std::function<void()>& written) {
  Layout layout;
  model::visit(params, model.config, [&](const Weight& weight, const ParamInfo& param) {
    if (weight.n > 0) {
      add_matrix(layout, param.name, weight);
    } else if (!weight.table.data.empty()) {
      layout.add(param.name, weight.table.dtype, weight.table.shape, weight.table.data);
    } else if (is_stored(weight)) {
      layout.add(param.name, DType::kF32, plain_shape(param), weight.bytes);
    }
  });
  if (!merges.empty()) {
    layout.add(model::kMergesTensor, DType::kU8, {static_cast<int64_t>(merges.size())},
               std::as_bytes(std::span(merges)));
  }
  weights::write_ordered_safetensors(
      path, layout.tensors(),
      {{model::kConfigMetadata, model.config_json}, {model::kPackedMetadata, to_json(info).dump()}},
      kPage, written);
}

Params load_packed(const model::ClipConfig& config, const weights::Checkpoint& checkpoint,
                   const std::string& source) {
  auto params = model::make_params<Weight>(config);
  Reader reader(checkpoint, source);
  model::visit(params, config, [&](Weight& weight, const ParamInfo& info) {
    if (info.role != Role::kStatistic) weight = reader.read(info);
  });
  reader.finish();
  return params;
}

}  // namespace clipnext::infer
