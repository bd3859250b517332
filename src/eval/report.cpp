#include "eval/report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <memory>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "datasets/dataset.h"
#include "eval/published.h"
#include "image/convert.h"
#include "image/encode.h"
#include "image/resize.h"
#include "model/config.h"
#include "model/profile.h"
#include "page/markup.h"
#include "pipeline/embed_images.h"

namespace clipnext::eval {
namespace {

namespace fs = std::filesystem;

bool has_predictions(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return false;
  constexpr std::string_view kBegin = "{\"clipnext_predictions\"";
  const auto bytes = static_cast<int64_t>(kBegin.size());
  const auto whole = fs::file_size(path, ignored);
  if (ignored || static_cast<int64_t>(whole) < bytes) return false;
  return data::read_range({std::make_shared<const fs::path>(path), 0, bytes}) == kBegin;
}

void add_file(const fs::path& path, ReportData& data) {
  if (has_predictions(path)) {
    data.predictions.push_back(read_predictions(path));
    return;
  }
  ReportRun run{.path = path, .result = read_result(path), .details = std::nullopt};
  const fs::path details = details_path(path);
  std::error_code ignored;
  if (fs::exists(details, ignored)) run.details = read_details(details);
  data.runs.push_back(std::move(run));
}

void add_folder(const std::string& folder, ReportData& data) {
  constexpr std::array<std::string_view, 2> kEndings = {".json", ".jsonl"};
  for (const fs::path& file : files_ending(folder, kEndings)) {
    try {
      add_file(file, data);
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& passed_over) {
      data.notes.emplace_back(passed_over.what());
    }
  }
}

// What one number stands for a data set by: the metric that the tables of section 5 call main.
constexpr std::array kMainMetrics = {"acc1",
                                     "mean_average_precision",
                                     "image_retrieval_recall@5",
                                     "image_retrieval_recall@1",
                                     "acc",
                                     "lp_acc1"};

std::string chart_dataset(const ReportData& data, const ReportOptions& options) {
  if (!options.chart_dataset.empty()) return datasets::short_name(options.chart_dataset);
  std::map<std::string, int> counts;
  for (const ReportRun& run : data.runs) ++counts[datasets::short_name(run.result.dataset)];
  if (counts.empty() || counts.contains("imagenet1k")) return "imagenet1k";
  return std::max_element(counts.begin(), counts.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

double config_gmac(const std::string& model) {
  if (!model::is_builtin_config(model)) return 0;
  return static_cast<double>(model::profile(model::builtin_config(model)).image.sum.macs) / 1e9;
}

// 0 where it is not known.
double chart_x(ChartAxis axis, const std::string& model, const std::string& pretrained,
               double measured_gmac) {
  if (axis == ChartAxis::kSamplesSeen) return samples_seen(pretrained).value_or(0);
  return measured_gmac > 0 ? measured_gmac : config_gmac(model);
}

void add_published(const std::string& dataset, const std::string& name, ChartAxis axis,
                   page::Chart& chart) {
  for (const PublishedModel& one : published_models()) {
    for (const Figure& figure : one.figures) {
      if (figure.dataset != dataset || figure.metric != name || !figure.no_target.empty()) continue;
      const double x = chart_x(axis, one.model, one.pretrained, 0);
      if (!(x > 0)) continue;
      chart.points.push_back(
          {.x = x, .y = figure.value, .label = one.model + " " + one.pretrained, .own = false});
    }
  }
}

}  // namespace

ReportData read_report(std::span<const std::string> paths) {
  ReportData data;
  for (const std::string& path : paths) {
    std::error_code ignored;
    if (fs::is_directory(path, ignored)) {
      add_folder(path, data);
    } else {
      add_file(path, data);
    }
  }
  require(!data.runs.empty() || !data.predictions.empty(), paths.empty() ? "" : paths.front(),
          ": no result of an evaluation, and no predictions",
          data.notes.empty() ? std::string() : "; " + data.notes.front());
  return data;
}

std::optional<double> samples_seen(const std::string& tag) {
  // _s34b_: digits between "_s" and "b".
  for (size_t at = tag.find("_s"); at != std::string::npos; at = tag.find("_s", at + 1)) {
    size_t end = at + 2;
    int64_t billions = 0;
    while (end < tag.size() && tag[end] >= '0' && tag[end] <= '9' && billions < 100'000) {
      billions = 10 * billions + (tag[end++] - '0');
    }
    const bool ends = end + 1 == tag.size() || (end + 1 < tag.size() && tag[end + 1] == '_');
    if (end > at + 2 && end < tag.size() && tag[end] == 'b' && ends) {
      return static_cast<double>(billions) * 1e9;
    }
  }
  return std::nullopt;
}

std::optional<page::Chart> zero_shot_chart(const ReportData& data, const ReportOptions& options) {
  const std::string dataset = chart_dataset(data, options);
  for (const char* name : kMainMetrics) {
    const bool gmac = options.axis == ChartAxis::kGmac;
    page::Chart chart{.title = dataset + ", " + name,
                      .x_label = gmac ? "GMAC per image" : "samples seen",
                      .y_label = name};
    for (const ReportRun& run : data.runs) {
      const auto value = metric(run.result, name);
      if (datasets::short_name(run.result.dataset) != dataset || !value) continue;
      const double x = chart_x(options.axis, run.result.model, run.result.pretrained,
                               run.details ? run.details->gmac_image : 0);
      const std::string tag = fs::path(run.result.pretrained).filename().string();
      if (x > 0)
        chart.points.push_back({.x = x, .y = *value, .label = run.result.model + " " + tag});
    }
    if (chart.points.empty()) continue;
    add_published(dataset, name, options.axis, chart);
    return chart;
  }
  return std::nullopt;
}

std::string picture_url(const PredictedImage& image) {
  constexpr int64_t kMaxBytes = int64_t{256} << 20;
  constexpr double kSide = 96;
  try {
    if (image.file.empty()) return "";
    std::error_code ignored;
    if (!fs::is_regular_file(image.file, ignored)) return "";
    pipeline::ImageSource source{.name = image.file};
    if (image.offset && image.size) {
      if (*image.size > kMaxBytes) return "";
      source.range = {std::make_shared<const fs::path>(image.file), *image.offset, *image.size};
    }
    const image::Image rgb = image::to_rgb(
        pipeline::load_image(source, {.enough_side = static_cast<int64_t>(2 * kSide)}));
    const double scale = std::min(1.0, kSide / std::max(rgb.width, rgb.height));
    const auto side = [&](int whole) {
      return std::max(1, static_cast<int>(std::lround(whole * scale)));
    };
    const image::Image small =
        image::resize(rgb, side(rgb.width), side(rgb.height), image::Filter::kBicubic);
    return "data:image/jpeg;base64," +
           page::base64(image::encode(small, image::Encoding::kJpeg, image.file));
  } catch (const Interrupted&) {
    throw;
  } catch (const Error&) {
    return "";
  }
}

}  // namespace clipnext::eval
