#include "train/validation.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "base/error.h"
#include "base/thread_pool.h"
#include "datasets/dataset.h"
#include "eval/zero_shot.h"
#include "run/console.h"
#include "train/clip.h"

namespace clipnext::train {
namespace {

/// Of each row, how many columns come before the true one.
at::Tensor ranks_of(const at::Tensor& rows, const at::Tensor& columns, const at::Tensor& scale,
                    int64_t chunk) {
  const int64_t n = rows.size(0);
  if (chunk == 0) chunk = n;
  at::Tensor before = at::zeros({n}, rows.options().dtype(at::kLong));
  const at::Tensor index = at::arange(n, before.options());
  for (int64_t r = 0; r < n; r += chunk) {
    const int64_t height = std::min(chunk, n - r);
    const at::Tensor part = rows.narrow(0, r, height);
    const at::Tensor line = index.narrow(0, r, height).unsqueeze(1);
    const auto scores_from = [&](int64_t begin, int64_t width) {
      return part.matmul(columns.narrow(0, begin, width).t()).mul_(scale);
    };
    // By the product that comes again below, so that it equals itself.
    const at::Tensor true_score = scores_from(r, height).diagonal().unsqueeze(1);
    at::Tensor found = before.narrow(0, r, height);
    for (int64_t c = 0; c < n; c += chunk) {
      const int64_t width = std::min(chunk, n - c);
      const at::Tensor scores = scores_from(c, width);
      const at::Tensor column = index.narrow(0, c, width).unsqueeze(0);
      found.add_((scores.gt(true_score) | (scores.eq(true_score) & column.lt(line))).sum(1));
    }
  }
  return before;
}

void add_ranks(const std::string& name, const at::Tensor& ranks, Metrics& metrics) {
  const at::Tensor r = ranks.to(at::kDouble).cpu();
  const int64_t n = r.size(0);
  const at::Tensor sorted = std::get<0>(r.sort());
  const double middle = (sorted[(n - 1) / 2].item<double>() + sorted[n / 2].item<double>()) / 2;
  metrics.emplace_back(name + "_mean_rank", r.mean().item<double>() + 1);
  metrics.emplace_back(name + "_median_rank", std::floor(middle) + 1);
  for (const int64_t k : {1, 5, 10}) {
    metrics.emplace_back(name + "_R@" + std::to_string(k),
                         r.lt(static_cast<double>(k)).to(at::kDouble).mean().item<double>());
  }
}

/// All ranks' rows, whose number differs, in the order of their numbers.
at::Tensor gather_ragged(const at::Tensor& rows, const at::Tensor& numbers, Group& group) {
  at::Tensor sizes = group.all_gather(at::tensor({rows.size(0)}, at::kLong).to(rows.device()));
  const auto most = sizes.max().item<int64_t>();
  at::Tensor padded = at::zeros({most, rows.size(1)}, rows.options());
  padded.narrow(0, 0, rows.size(0)).copy_(rows);
  at::Tensor places = at::full({most, 1}, -1, numbers.options());
  places.narrow(0, 0, rows.size(0)).copy_(numbers.unsqueeze(1));
  const at::Tensor all = group.all_gather(padded);
  const at::Tensor place = group.all_gather(places).squeeze(1);
  const at::Tensor order = std::get<1>(place.sort());
  return all.index_select(0, order).narrow(0, place.lt(0).sum().item<int64_t>(),
                                           sizes.sum().item<int64_t>());
}

/// --val-retrieval-precision: what scores are computed in. `features`: the type of this rank's, if
/// it has any; some rank has.
at::ScalarType score_type(const run::TrainOptions& options, std::optional<at::ScalarType> features,
                          Group& group) {
  if (options.val_retrieval_precision != "model") return at::kFloat;
  const int64_t own = features ? static_cast<int64_t>(*features) : -1;
  const at::Tensor types = group.all_gather(at::tensor({own}, at::kLong));
  return static_cast<at::ScalarType>(types.max().item<int64_t>());
}

/// A rank's part of `count` things: [begin, end).
struct Share {
  int64_t begin, end;

  template <class T>
  std::vector<T> of(const std::vector<T>& all) const {
    return {all.begin() + begin, all.begin() + end};
  }
};

Share share_of(size_t count, const Group& group) {
  const auto n = static_cast<int64_t>(count);
  return {n * group.rank() / group.size(), n * (group.rank() + 1) / group.size()};
}

/// Every rank makes the vectors of some classes, and has all of them.
eval::Classifier shared_classifier(const datasets::Dataset& set, Clip& clip,
                                   const text::Tokenizer& tokenizer, Group& group,
                                   at::Device device) {
  const Share mine = share_of(set.classes.size(), group);
  const eval::ClassPrompts all = eval::class_prompts(set);
  const auto text_at = [&](int64_t label) {
    return static_cast<int64_t>(
        std::accumulate(all.counts.begin(), all.counts.begin() + label, size_t{0}));
  };
  const Share texts{text_at(mine.begin), text_at(mine.end)};
  eval::Classifier classifier;
  if (mine.end > mine.begin) {
    classifier =
        eval::make_classifier(clip, tokenizer, mine.of(set.classes),
                              {.texts = texts.of(all.texts), .counts = mine.of(all.counts)});
  }
  const int64_t d = clip.config().embed_dim;
  const at::Tensor vectors =
      at::from_blob(classifier.vectors.data(), {mine.end - mine.begin, d}, at::kFloat).to(device);
  const at::Tensor labels = at::arange(mine.begin, mine.end, at::kLong).to(device);
  const at::Tensor whole = gather_ragged(vectors, labels, group).cpu().contiguous();
  const float* values = whole.const_data_ptr<float>();
  classifier.vectors = {values, values + whole.numel()};
  classifier.labels = set.classes;
  classifier.dim = d;
  return classifier;
}

/// The ranks share the pictures, and add up what they got right.
Metrics measure(const datasets::Request& request, const std::string& prefix, Clip& clip,
                const text::Tokenizer& tokenizer, ThreadPool& pool, Group& group,
                at::Device device) {
  datasets::Dataset set = datasets::open_dataset(request);
  require(!set.images.empty(), request.name, " has no pictures");
  const auto classifier = shared_classifier(set, clip, tokenizer, group, device);
  const Share mine = share_of(set.images.size(), group);
  set.images = mine.of(set.images);
  if (set.kind == datasets::Kind::kClassification) set.labels = mine.of(set.labels);
  at::Tensor counts = at::zeros({3}, at::kLong);
  if (!set.images.empty()) {
    const eval::Accuracy accuracy = eval::measure(clip, pool, classifier, set);
    counts = at::tensor({accuracy.images, accuracy.top1, accuracy.top5}, at::kLong);
  }
  counts = counts.to(device);
  group.all_reduce(counts);
  counts = counts.cpu();
  const eval::Accuracy all{.images = counts[0].item<int64_t>(),
                           .top1 = counts[1].item<int64_t>(),
                           .top5 = counts[2].item<int64_t>()};
  return {{prefix + "-top1", all.acc1()}, {prefix + "-top5", all.acc5()}};
}

}  // namespace

Metrics retrieval_metrics(const at::Tensor& image, const at::Tensor& text, const at::Tensor& scale,
                          int64_t chunk) {
  const at::NoGradGuard no_grad;
  const at::Tensor rounded = scale.to(image.scalar_type());
  Metrics metrics;
  add_ranks("image_to_text", ranks_of(image, text, rounded, chunk), metrics);
  add_ranks("text_to_image", ranks_of(text, image, rounded, chunk), metrics);
  return metrics;
}

Metrics validate_pairs(const run::TrainOptions& options, const model::ClipConfig& config,
                       const Params& params, const Mode& mode,
                       std::shared_ptr<const text::Tokenizer> tokenizer, Group& group,
                       FaultLog& faults, run::RunLog& log, int64_t epoch) {
  const at::NoGradGuard no_grad;
  const at::Device device = device_of(params);
  RunData data = open_validation_data(options, config, std::move(tokenizer), group, device, faults);
  data.loader->begin_epoch(0);
  const at::Tensor scale = params.logit_scale.detach().to(at::kFloat).exp();
  std::vector<at::Tensor> images, texts, numbers;
  std::optional<at::ScalarType> features;
  at::Tensor losses = at::zeros({2}, at::TensorOptions(at::kDouble).device(device));
  Group alone;
  int64_t batches = 0;
  while (auto batch = data.loader->next()) {
    const DeviceBatch& pairs = batch->pairs;
    const int64_t n = pairs.pixels.size(0);
    numbers.push_back(at::tensor(batch->numbers, at::kLong).to(device));
    const UnitFeatures unit = unit_features(params, config, pairs.pixels, pairs.tokens, mode);
    features = unit.image.scalar_type();
    const at::Tensor image = unit.image.to(at::kFloat);
    const at::Tensor text = unit.text.to(at::kFloat);
    images.push_back(image);
    texts.push_back(text);
    const LossOptions plain;
    const at::Tensor loss = contrastive_loss(image, text, scale, std::nullopt, alone, plain);
    losses[0] += loss.to(at::kDouble) * static_cast<double>(n);
    losses[1] += static_cast<double>(n);
    if (group.first() && batches++ % 100 == 0) {
      const int64_t total = options.val_num_samples.value_or(0);
      int64_t seen = losses[1].item<int64_t>() * group.size();  // the others are about as far
      if (total > 0) seen = std::min(seen, total);
      log.info(run::eval_progress_line(epoch, seen, total, (losses[0] / losses[1]).item<double>()));
    }
  }
  group.all_reduce(losses);
  const auto samples = losses[1].item<double>();
  if (samples == 0) return {};
  const int64_t d = config.embed_dim;
  const auto joined = [&](const std::vector<at::Tensor>& parts) {
    return parts.empty() ? at::zeros({0, d}, at::TensorOptions(at::kFloat).device(device))
                         : at::cat(parts);
  };
  const at::Tensor order = numbers.empty()
                               ? at::zeros({0}, at::TensorOptions(at::kLong).device(device))
                               : at::cat(numbers);
  const at::Tensor image = gather_ragged(joined(images), order, group);
  const at::Tensor text = gather_ragged(joined(texts), order, group);
  const at::ScalarType type = score_type(options, features, group);
  Metrics metrics =
      retrieval_metrics(image.to(type), text.to(type), scale, options.val_retrieval_chunk_size);
  metrics.emplace_back("clip_val_loss", losses[0].item<double>() / samples);
  metrics.emplace_back("num_samples", samples);
  return metrics;
}

Metrics validate_zero_shot(const run::TrainOptions& options, Clip& clip,
                           const text::Tokenizer& tokenizer, Group& group, at::Device device,
                           run::RunLog& log) {
  const at::NoGradGuard no_grad;
  ThreadPool pool(static_cast<int>(options.threads));
  Metrics metrics;
  const auto add = [&](const std::string& name, const std::string& root,
                       const std::string& prefix) {
    datasets::Request request;
    request.name = name;
    request.root = root;
    log.info("zero-shot classification: " + request.name);
    for (auto& metric : measure(request, prefix, clip, tokenizer, pool, group, device)) {
      metrics.push_back(metric);
    }
  };
  if (options.imagenet_val) {
    // open_clip takes the folder of class folders; imagenet_sketch is a set that lies so, with the
    // names and prompts of ImageNet. imagenet1k is what `clipnext eval` takes: val/ within it.
    const bool bare = std::filesystem::is_directory(*options.imagenet_val + "/n01440764");
    add(bare ? "imagenet_sketch" : "imagenet1k", *options.imagenet_val, "imagenet-zeroshot-val");
  }
  if (options.imagenet_v2) {
    add("imagenetv2", *options.imagenet_v2, "imagenetv2-zeroshot-val");
  }
  for (const std::string& given : options.zeroshot_data) {
    // NAME=FOLDER, or a folder that is called by its name.
    const size_t equals = given.find('=');
    const std::string root = equals == std::string::npos ? given : given.substr(equals + 1);
    std::string last = std::filesystem::path(root).filename().string();
    if (last.starts_with("wds_")) last = last.substr(4);
    const std::string name = equals == std::string::npos ? "wds/" + last : given.substr(0, equals);
    add(name, root, datasets::short_name(name) + "-zeroshot");
  }
  return metrics;
}

}  // namespace clipnext::train
