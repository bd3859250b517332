#include "infer/verify.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <span>
#include <string_view>

#include "base/error.h"

namespace clipnext::infer {
namespace {

using weights::Shape;
using weights::Tensor;

constexpr std::string_view kPixels = "pixels";
constexpr std::string_view kTokens = "tokens";

/// Running comparison of values.
class Difference {
 public:
  void add(double x, double y) {
    const double d = std::abs(x - y);
    max_abs_ = std::max(max_abs_, d);
    squares_ += d * d;
    reference_ += y * y;
  }

  LayerDifference result(const std::string& name, double tolerance) const {
    LayerDifference layer{name, max_abs_, squares_ > 0 ? std::sqrt(squares_ / reference_) : 0};
    if (!std::isfinite(squares_)) {  // max() passes over NaN, the sum does not
      layer.max_abs = layer.relative = std::numeric_limits<double>::infinity();
    }
    layer.diverges = !(layer.relative <= tolerance);
    return layer;
  }

 private:
  double max_abs_ = 0, squares_ = 0, reference_ = 0;
};

LayerDifference other_shape(const std::string& name) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return {name, kInfinity, kInfinity, true};
}

class Verifier {
 public:
  Verifier(Clip& clip, const weights::TensorMap& dump, std::string source, double tolerance)
      : clip_(clip), dump_(dump), source_(std::move(source)), tolerance_(tolerance) {}

  VerifyReport run() {
    const auto pixels = dump_.find(kPixels);
    const auto tokens = dump_.find(kTokens);
    require(pixels != dump_.end() || tokens != dump_.end(), source_,
            ": holds neither pixels nor tokens; make it with tools/dump_reference.py");
    if (pixels != dump_.end()) run_pictures(pixels->second);
    if (tokens != dump_.end()) run_texts(tokens->second);
    for (const auto& [name, tensor] : dump_) {
      if (name != kPixels && name != kTokens && !compared_.contains(name)) {
        report_.not_compared.push_back(name);
      }
    }
    const auto first = std::find_if(report_.layers.begin(), report_.layers.end(),
                                    [](const LayerDifference& layer) { return layer.diverges; });
    if (first != report_.layers.end()) {
      report_.first = static_cast<size_t>(first - report_.layers.begin());
    }
    return std::move(report_);
  }

 private:
  void run_pictures(const Tensor& pixels) {
    const Shape& shape = pixels.shape;
    require(pixels.dtype == weights::DType::kU8 && shape.size() == 4 && shape[3] == 3, source_,
            ": pixels are ", weights::dtype_name(pixels.dtype), " ", weights::format_shape(shape),
            ", expected U8 [n, h, w, 3]");
    std::vector<float> out(static_cast<size_t>(shape[0] * clip_.config().embed_dim));
    clip_.trace_images(
        {reinterpret_cast<const uint8_t*>(pixels.data.data()), shape[0], shape[1], shape[2]},
        out.data(), [this](const std::string& name, const float* x, const Shape& have) {
          compare_picture_layer(name, x, have);
        });
  }

  void compare_picture_layer(const std::string& name, const float* x, const Shape& shape) {
    const Tensor* tensor = find(name);
    if (tensor == nullptr) return;
    // Transformers run over the rows of all pictures at once.
    const bool rows = shape.size() == 2 && tensor->shape.size() == 3 &&
                      tensor->shape[0] * tensor->shape[1] == shape[0] &&
                      tensor->shape[2] == shape[1];
    if (tensor->shape != shape && !rows) {
      report_.layers.push_back(other_shape(name));
      return;
    }
    const std::vector<float> y = weights::to_f32(*tensor);
    Difference difference;
    for (size_t i = 0; i < y.size(); ++i) difference.add(x[i], y[i]);
    report_.layers.push_back(difference.result(name, tolerance_));
  }

  void run_texts(const Tensor& tokens) {
    const Shape& shape = tokens.shape;
    require(
        tokens.dtype != weights::DType::kF32 && shape.size() == 2 && shape[0] > 0 && shape[1] > 0,
        source_, ": tokens are ", weights::dtype_name(tokens.dtype), " ",
        weights::format_shape(shape), ", expected I64 [n, t]");
    const Tensor ids = weights::convert(tokens, weights::DType::kI32);
    const std::span all(reinterpret_cast<const int32_t*>(ids.data.data()),
                        static_cast<size_t>(shape[0] * shape[1]));
    model::TokenRows cut;
    for (int64_t i = 0; i < shape[0]; ++i) {
      cut.add(all.subspan(static_cast<size_t>(i * shape[1]), static_cast<size_t>(shape[1])));
    }
    std::vector<std::span<const int32_t>> rows;
    for (int64_t i = 0; i < cut.size(); ++i) rows.push_back(cut.row(i));
    std::vector<float> out(rows.size() * static_cast<size_t>(clip_.config().embed_dim));
    clip_.trace_texts(rows, out.data(),
                      [&](const std::string& name, const float* x, const Shape& have) {
                        compare_text_layer(name, x, have, rows, shape[1]);
                      });
  }

  /// x holds the used positions of all rows one after another, or one vector a row.
  void compare_text_layer(const std::string& name, const float* x, const Shape& shape,
                          std::span<const std::span<const int32_t>> rows, int64_t context) {
    const Tensor* tensor = find(name);
    if (tensor == nullptr) return;
    const int64_t width = shape.back();
    const auto n = static_cast<int64_t>(rows.size());
    int64_t positions = 0;
    for (const auto& row : rows) positions += static_cast<int64_t>(row.size());
    // Rows of one position look the same both ways.
    const bool pooled = positions == n ? tensor->shape.size() == 2 : shape.front() == n;
    const Shape expected = pooled ? Shape{n, width} : Shape{n, context, width};
    if (tensor->shape != expected) {
      report_.layers.push_back(other_shape(name));
      return;
    }
    const std::vector<float> y = weights::to_f32(*tensor);
    Difference difference;
    for (size_t i = 0; i < rows.size(); ++i) {
      const int64_t used = pooled ? 1 : static_cast<int64_t>(rows[i].size());
      const int64_t begin = static_cast<int64_t>(i) * (pooled ? 1 : context) * width;
      for (int64_t j = 0; j < used * width; ++j) {
        difference.add(*x++, y[static_cast<size_t>(begin + j)]);
      }
    }
    report_.layers.push_back(difference.result(name, tolerance_));
  }

  const Tensor* find(const std::string& name) {
    const auto at = dump_.find(name);
    if (at == dump_.end()) return nullptr;
    compared_.insert(name);
    return &at->second;
  }

  Clip& clip_;
  const weights::TensorMap& dump_;
  std::string source_;
  double tolerance_;
  std::set<std::string> compared_;
  VerifyReport report_;
};

}  // namespace

double verify_tolerance(ComputeType type) {
  if (type == ComputeType::kInt8) return 0.2;
  return type == ComputeType::kBf16 ? 0.03 : 1e-5;
}

VerifyReport verify(Clip& clip, const weights::TensorMap& dump, const std::string& source,
                    double tolerance) {
  return Verifier(clip, dump, source, tolerance).run();
}

}  // namespace clipnext::infer
