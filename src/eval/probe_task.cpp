// The linear probe over the features of a data set's splits, which stay on disk for the next one.
#include <algorithm>
#include <map>

#include "base/content_hash.h"
#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "eval/linear_probe.h"
#include "eval/tasks.h"
#include "weights/checkpoint.h"

namespace clipnext::eval {
namespace {

namespace fs = std::filesystem;

/// Features [n, dim] of one split, with the class of each.
struct Split {
  std::vector<float> features;
  std::vector<int64_t> labels;
  int64_t dim = 0;

  FeatureSet set() const { return {.features = features, .labels = labels}; }
};

/// dim floats of each of the rows named.
Split subset(const Split& all, std::span<const int64_t> ids) {
  Split part{.features = {}, .labels = {}, .dim = all.dim};
  part.features.reserve(ids.size() * static_cast<size_t>(all.dim));
  part.labels.reserve(ids.size());
  for (const int64_t id : ids) {
    const auto row = all.features.begin() + id * all.dim;
    part.features.insert(part.features.end(), row, row + all.dim);
    part.labels.push_back(all.labels[static_cast<size_t>(id)]);
  }
  return part;
}

fs::path targets_file(const FeaturePlace& place) {
  return place.folder / ("targets_" + place.name + ".npy");
}

/// Embeds a split, or reads it back, and leaves its labels beside its features.
Split embed_split(const TaskInput& in, const datasets::Dataset& set, const std::string& name,
                  Evaluation& out) {
  require(set.kind == datasets::Kind::kClassification, in.run.dataset,
          ": --task linear_probe needs pictures with one label each");
  const FeaturePlace place = feature_place(in, name, true);
  const pipeline::ImageOptions options{.convert = pipeline::ConvertOrder::kFirst,
                                       .on_bad = in.options.on_bad,
                                       .fast_decode = in.options.fast_decode,
                                       .normalize = in.options.normalize};
  Features features =
      image_features(*in.subject.embedder, in.pool, set.images, options, place, in.options.quiet);
  Split split{.features = std::move(features.vectors),
              .labels = {},
              .dim = in.subject.embedder->config().embed_dim};
  split.labels.reserve(features.good.size());
  for (const int64_t index : features.good) {
    split.labels.push_back(set.labels[static_cast<size_t>(index)]);
  }
  for (const pipeline::BadItem& bad : features.bad) {
    out.details.skipped.push_back(
        {.image = set.images[static_cast<size_t>(bad.index)].name, .reason = bad.reason});
  }
  weights::write_npy(targets_file(place), {.dtype = weights::DType::kI64,
                                           .shape = {std::ssize(split.labels)},
                                           .data = std::as_bytes(std::span(split.labels)),
                                           .owner = nullptr});
  return split;
}

/// What an earlier run left behind, whatever it was computed from.
Split read_split(const TaskInput& in, const std::string& name) {
  const FeaturePlace place = feature_place(in, name, true);
  const fs::path file = place.folder / ("features_" + name + ".npy");
  const weights::Checkpoint saved = weights::open_checkpoint(file);
  const weights::Tensor& tensor = saved.tensors.begin()->second;
  require(tensor.shape.size() == 2 && tensor.dtype == weights::DType::kF32, file.string(), ": is ",
          weights::format_shape(tensor.shape), ", features are f32 [pictures, width]");
  const weights::Checkpoint targets = weights::open_checkpoint(targets_file(place));
  const weights::Tensor& labels = targets.tensors.begin()->second;
  require(labels.shape == weights::Shape{tensor.shape[0]} && labels.dtype == weights::DType::kI64,
          targets_file(place).string(), ": is ", weights::format_shape(labels.shape), ", the ",
          tensor.shape[0], " features need an int64 label each");
  Split split{.features = weights::to_f32(tensor),
              .labels = std::vector<int64_t>(static_cast<size_t>(tensor.shape[0])),
              .dim = tensor.shape[1]};
  std::copy_n(labels.data.data(), labels.data.size(),
              reinterpret_cast<std::byte*>(split.labels.data()));
  return split;
}

struct Splits {
  Split train, val, test;
};

Splits load_splits(const TaskInput& in, Evaluation& out) {
  Splits s;
  if (in.subject.embedder == nullptr) {
    s.train = read_split(in, "train");
    s.test = read_split(in, "test");
    if (in.run.val_split) s.val = read_split(in, "val");
  } else {
    s.train = embed_split(in, *in.data.train, "train", out);
    if (in.data.val != nullptr) s.val = embed_split(in, *in.data.val, "val", out);
    s.test = embed_split(in, *in.data.test, "test", out);
  }
  if (in.run.val_proportion) {
    const auto parts = split_validation(std::ssize(s.train.labels), *in.run.val_proportion,
                                        static_cast<uint64_t>(in.options.seed));
    s.val = subset(s.train, parts.val);
    s.train = subset(s.train, parts.train);
  }
  out.details.images = std::ssize(s.test.labels);
  return s;
}

ProbeOptions probe_options(const TaskOptions& o) {
  return {.solver = o.lp_solver == "lbfgs" ? ProbeSolver::kLbfgs : ProbeSolver::kAdamW,
          .learning_rate = o.fewshot_lr,
          .epochs = o.fewshot_epochs,
          .batch_size = o.batch_size,
          .fewshot_k = o.fewshot_k,
          .seed = static_cast<uint64_t>(o.seed)};
}

/// The accuracies of a search, on disk while it lasts: a killed one goes on with those it has.
class SearchMemory {
 public:
  SearchMemory(const TaskInput& in, const Splits& s)
      : path_(feature_place(in, "", true).folder / "search.json") {
    ContentHash key = hash_text("clipnext probe search 1");
    for (const Split* split : {&s.train, &s.val}) {
      key = hash_bytes(std::as_bytes(std::span(split->features)), key);
      key = hash_bytes(std::as_bytes(std::span(split->labels)), key);
    }
    const TaskOptions& o = in.options;
    const OrderedJson options = {o.lp_solver,  o.fewshot_lr, o.fewshot_epochs,
                                 o.batch_size, o.fewshot_k,  o.seed};
    key_ = hash_text(options.dump(), key).hex();
  }

  std::map<int, double> known() {
    std::error_code none;
    if (!fs::is_regular_file(path_, none)) return {};
    try {
      const Json json = parse_json(read_file(path_, 1 << 20), path_.string());
      if (json.at("key") != key_) return {};
      for (const auto& [index, accuracy] : json.at("accuracies").items()) {
        accuracies_[std::stoi(index)] = accuracy.get<double>();
      }
    } catch (const std::exception&) {
      accuracies_.clear();  // of another version, or damaged: it is found again
    }
    return accuracies_;
  }

  void add(int index, double accuracy) {
    accuracies_[index] = accuracy;
    OrderedJson list = OrderedJson::object();
    for (const auto& [i, value] : accuracies_) list[std::to_string(i)] = value;
    write_file(path_, OrderedJson{{"key", key_}, {"accuracies", list}}.dump() + "\n");
  }

  void forget() {
    std::error_code none;
    fs::remove(path_, none);
  }

 private:
  fs::path path_;
  std::string key_;
  std::map<int, double> accuracies_;
};

}  // namespace

void probe_features(const TaskInput& in, Evaluation& out) {
  const Splits s = load_splits(in, out);
  const ProbeData data{
      .train = s.train.set(), .val = s.val.set(), .test = s.test.set(), .dim = s.train.dim};
  SearchMemory memory(in, s);
  int64_t reported = 0;
  const int64_t trainings = s.val.labels.empty() ? 1 : 20;
  Progress progress("probe", trainings, "trainings", in.options.quiet);
  const ProbeOutcome outcome =
      linear_probe(data, probe_options(in.options), in.pool,
                   {.progress =
                        [&](int64_t done, int64_t) {
                          throw_if_interrupted();
                          progress.add(done - reported);
                          reported = done;
                        },
                    .known = memory.known(),
                    .trained = [&](int index, double accuracy) { memory.add(index, accuracy); }});
  progress.finish();
  memory.forget();
  if (!outcome.result) {
    out.metrics = nullptr;
    out.warnings.push_back(outcome.shortage);
    return;
  }
  const ProbeResult& r = *outcome.result;
  out.metrics = {{"lp_acc1", r.acc1},
                 {"lp_acc5", r.acc5},
                 {"lp_mean_per_class_recall", r.mean_per_class_recall},
                 {"weight_decay", r.strength},
                 {"epochs", in.options.fewshot_epochs},
                 {"seed", in.options.seed},
                 {"fewshot_k", in.options.fewshot_k},
                 {"normalized", in.options.normalize}};
  if (r.strength == 0) out.metrics["weight_decay"] = 0;  // the reference's is an integer then
  add_confidence(out, "lp_acc1", r.counts.top1, r.counts.images);
}

}  // namespace clipnext::eval
