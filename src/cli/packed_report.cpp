#include "cli/packed_report.h"

#include "cli/common.h"

namespace clipnext::cli {
namespace {

std::string cosine_line(const char* what, const infer::Fidelity& fidelity, int64_t count) {
  return format("%-9s cosine to fp32 %.5f on average, %.5f at worst, of %ld\n", what,
                fidelity.mean_cosine, fidelity.min_cosine, static_cast<long>(count));
}

}  // namespace

std::map<std::string, int64_t> count_types(const model::ClipConfig& config, infer::Params& params) {
  std::map<std::string, int64_t> counts;
  model::visit(params, config, [&](const infer::Weight& weight, const model::ParamInfo&) {
    if (weight.n > 0) ++counts[infer::compute_type_name(weight.type)];
  });
  return counts;
}

std::string format_counts(const std::map<std::string, int64_t>& counts) {
  std::string text;
  for (const auto& [name, count] : counts) {
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + name;
  }
  return text;
}

std::string calibration_lines(const infer::CalibrationRecord& record) {
  std::string text = format("contract  each cosine at least %g\n", record.asked_cosine) +
                     cosine_line("images", record.images, record.image_count) +
                     cosine_line("texts", record.texts, record.text_count);
  if (const auto& accuracy = record.accuracy) {
    text += format(
        "accuracy  %.2f%% in int8, %.2f%% in fp32; %.2f%% agreement among the %ld clear answers\n",
        100 * accuracy->int8, 100 * accuracy->fp32, 100 * accuracy->agreement,
        static_cast<long>(accuracy->clear));
  }
  for (const infer::Widened& layer : record.widened) {
    text += format("wider     %s in %s (error alone in 8 bits: %.2g)\n", layer.name.c_str(),
                   infer::compute_type_name(layer.type), layer.error);
  }
  return text;
}

}  // namespace clipnext::cli
