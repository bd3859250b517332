#include "eval/evaluate.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "base/error.h"
#include "eval/metrics.h"
#include "eval/tasks.h"
#include "kernels/kernels.h"
#include "model/profile.h"

namespace clipnext::eval {
namespace {

std::string slug(const Run& run) {
  std::string text = run.model + "-" + run.pretrained + "-" + run.dataset;
  std::ranges::replace(text, '/', '_');
  return text;
}

void describe_model(const model::ClipConfig& config, Details& details) {
  const model::Profile profile = model::profile(config);
  details.gmac_image = static_cast<double>(profile.image.sum.macs) * 1e-9;
  details.gmac_text = static_cast<double>(profile.text.sum.macs) * 1e-9;
  details.parameters_million = static_cast<double>(profile.total.parameters) * 1e-6;
}

}  // namespace

FeaturePlace feature_place(const TaskInput& in, const std::string& name, bool keep) {
  if (keep) {
    return {.folder = std::filesystem::path(in.options.feature_root) / slug(in.run),
            .name = name,
            .keep = true};
  }
  const auto& cache = in.options.cache;
  return {.folder = cache.empty() ? cache : cache / "unfinished", .name = name, .keep = false};
}

Features test_features(const TaskInput& in, Evaluation& out) {
  const pipeline::ImageOptions options{.convert = pipeline::ConvertOrder::kFirst,
                                       .on_bad = in.options.on_bad,
                                       .fast_decode = in.options.fast_decode};
  Features features =
      image_features(*in.subject.embedder, in.pool, in.data.test->images, options,
                     feature_place(in, "test", in.options.cache_features), in.options.quiet);
  require(!features.good.empty(), in.run.dataset, ": none of its ", in.data.test->images.size(),
          " pictures can be read; the first: ", features.bad.front().reason);
  out.details.images = std::ssize(features.good);
  for (const pipeline::BadItem& bad : features.bad) {
    out.details.skipped.push_back(
        {.image = in.data.test->images[static_cast<size_t>(bad.index)].name, .reason = bad.reason});
  }
  return features;
}

void add_confidence(Evaluation& out, const std::string& metric, int64_t hits, int64_t trials) {
  const Interval interval = wilson_interval(hits, trials);
  out.details.confidence.push_back({.metric = metric, .low = interval.low, .high = interval.high});
}

Evaluation evaluate(const Run& run, const std::string& task, const RunData& data,
                    const Subject& subject, ThreadPool& pool, const TaskOptions& options) {
  static const std::map<std::string, void (*)(const TaskInput&, Evaluation&)> tasks = {
      {"zeroshot_classification", zero_shot_classification},
      {"zeroshot_retrieval", zero_shot_retrieval},
      {"image_caption_selection", image_caption_selection},
      {"linear_probe", probe_features}};
  require(task != "captioning",
          "--task captioning needs a model that writes texts (CoCa); the models of this program "
          "compare pictures with texts");
  const auto found = tasks.find(task);
  require(found != tasks.end(), "--task ", task, ": there is no such task");

  const auto begin = std::chrono::steady_clock::now();
  Evaluation out;
  found->second({run, task, data, subject, pool, options}, out);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
  out.details.seconds = taken.count();
  out.details.images_per_second = static_cast<double>(out.details.images) / taken.count();
  out.details.isa = kernels::kernels().isa;
  if (!options.confidence) out.details.confidence.clear();
  if (subject.embedder != nullptr) describe_model(subject.embedder->config(), out.details);
  return out;
}

}  // namespace clipnext::eval
