// Zero-shot classification of a data set: one label a picture, or several.
#include <filesystem>
#include <system_error>

#include "base/error.h"
#include "base/progress.h"
#include "eval/metrics.h"
#include "eval/predictions.h"
#include "eval/tasks.h"
#include "eval/zero_shot.h"
#include "weights/checkpoint.h"

namespace clipnext::eval {
namespace {

/// [rows, columns] to [columns, rows].
std::vector<float> transposed(std::span<const float> x, size_t rows, size_t columns) {
  std::vector<float> y(x.size());
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < columns; ++j) y[j * rows + i] = x[i * columns + j];
  }
  return y;
}

/// The mean of class matrices [dim, classes] that were saved before, not made unit length again.
std::vector<float> load_class_vectors(std::span<const std::string> files, int64_t dim,
                                      int64_t classes) {
  std::vector<float> mean(static_cast<size_t>(dim * classes));
  const auto count = static_cast<float>(files.size());
  for (const std::string& file : files) {
    const weights::Checkpoint saved = weights::open_checkpoint(file);
    require(saved.tensors.size() == 1, file, ": holds ", saved.tensors.size(),
            " tensors, --load_clfs needs one");
    const weights::Tensor& tensor = saved.tensors.begin()->second;
    require(tensor.shape == weights::Shape{dim, classes}, file, ": is ",
            weights::format_shape(tensor.shape), ", this model on this data set needs ",
            weights::format_shape(weights::Shape{dim, classes}));
    const std::vector<float> values = weights::to_f32(tensor);
    for (size_t i = 0; i < mean.size(); ++i) mean[i] += values[i] / count;
  }
  return transposed(mean, static_cast<size_t>(dim), static_cast<size_t>(classes));
}

/// The folder that a file is to lie in.
void make_folder_of(const std::filesystem::path& file) {
  std::error_code ignored;  // whoever writes the file says what is wrong
  std::filesystem::create_directories(file.parent_path(), ignored);
}

/// As torch.save writes it, or NumPy for a name that ends in .npy.
void save_class_vectors(const std::filesystem::path& file, const Classifier& classifier) {
  make_folder_of(file);
  const auto classes = std::ssize(classifier.labels);
  const weights::Tensor tensor = weights::make_tensor(
      {classifier.dim, classes}, transposed(classifier.vectors, classifier.labels.size(),
                                            static_cast<size_t>(classifier.dim)));
  if (file.extension() == ".npy") {
    weights::write_npy(file, tensor);
  } else {
    weights::write_torch_tensor(file, tensor);
  }
}

Classifier class_matrix(const TaskInput& in) {
  const datasets::Dataset& set = *in.data.test;
  model::Embedder& embedder = *in.subject.embedder;
  if (!in.options.load_clfs.empty()) {
    return {.labels = set.classes,
            .vectors = load_class_vectors(in.options.load_clfs, embedder.config().embed_dim,
                                          std::ssize(set.classes)),
            .dim = embedder.config().embed_dim,
            .scale = embedder.logit_scale(),
            .bias = embedder.logit_bias()};
  }
  const ClassPrompts prompts = class_prompts(set);
  Progress progress("prompts", std::ssize(prompts.texts), "texts", in.options.quiet);
  return make_classifier(
      embedder, *in.subject.tokenizer, set.classes, prompts, [&](int64_t n) { progress.add(n); },
      ClassCache(in.options.cache));
}

PredictedImage predicted(const TaskInput& in, int64_t index) {
  const pipeline::ImageSource& source = in.data.test->images[static_cast<size_t>(index)];
  PredictedImage image{.image = source.name, .top = {}, .scores = {}};
  if (source.range) {
    image.file = source.range->file->string();
    image.offset = source.range->offset;
    image.size = source.range->size;
  } else if (source.bytes == nullptr) {
    image.file = source.name;
  }
  return image;
}

void write_predictions(const TaskInput& in, const Classifier& classifier, const Features& features,
                       const Guesses& guesses) {
  const datasets::Dataset& set = *in.data.test;
  make_folder_of(in.options.logits_out);
  PredictionWriter writer(in.options.logits_out, {.dataset = in.run.dataset,
                                                  .model = in.run.model,
                                                  .pretrained = in.run.pretrained,
                                                  .language = in.run.language,
                                                  .task = in.task,
                                                  .classes = set.classes,
                                                  .logit_scale = classifier.scale,
                                                  .images = std::ssize(features.good)});
  const auto k = static_cast<size_t>(guesses.k);
  const auto dim = static_cast<size_t>(classifier.dim);
  for (size_t i = 0; i < features.good.size(); ++i) {
    const auto index = static_cast<size_t>(features.good[i]);
    PredictedImage image = predicted(in, features.good[i]);
    if (set.kind == datasets::Kind::kClassification) {
      image.label = set.labels[index];
    } else {
      for (size_t c = 0; c < set.classes.size(); ++c) {
        if (set.positives[index * set.classes.size() + c] != 0) {
          image.positives.push_back(static_cast<int64_t>(c));
        }
      }
    }
    const auto begin = static_cast<std::ptrdiff_t>(i * k);
    const auto end = begin + static_cast<std::ptrdiff_t>(k);
    image.top.assign(guesses.ids.begin() + begin, guesses.ids.begin() + end);
    image.scores.assign(guesses.scores.begin() + begin, guesses.scores.begin() + end);
    image.probability = classifier.predict(std::span(features.vectors).subspan(i * dim, dim), 1)
                            .front()
                            .probability;
    writer.add(image);
  }
  writer.commit();
}

void one_label(const TaskInput& in, const Guesses& guesses, std::span<const int64_t> labels,
               Evaluation& out) {
  const Accuracy accuracy = count_right(guesses, labels);
  out.metrics["acc1"] = accuracy.acc1();
  out.metrics["acc5"] = zero_shot_acc5(accuracy, std::ssize(in.data.test->classes));
  out.metrics["mean_per_class_recall"] = accuracy.mean_per_class_recall;
  add_confidence(out, "acc1", accuracy.top1, accuracy.images);
  if (in.data.test->classes.size() >= 5) {
    add_confidence(out, "acc5", accuracy.top5, accuracy.images);
  }
}

void several_labels(const TaskInput& in, const Features& features, const LinearClasses& classes,
                    Evaluation& out) {
  const datasets::Dataset& set = *in.data.test;
  const size_t count = set.classes.size();
  std::vector<uint8_t> positives;
  positives.reserve(features.good.size() * count);
  for (const int64_t index : features.good) {
    const auto row = set.positives.begin() +
                     static_cast<std::ptrdiff_t>(index) * static_cast<std::ptrdiff_t>(count);
    positives.insert(positives.end(), row, row + static_cast<std::ptrdiff_t>(count));
  }
  const std::vector<float> scores = all_scores(features.vectors, classes, in.pool);
  out.metrics["mean_average_precision"] = mean_average_precision(
      average_precisions(scores, positives, static_cast<int64_t>(count), in.pool));
}

}  // namespace

void zero_shot_classification(const TaskInput& in, Evaluation& out) {
  const datasets::Dataset& set = *in.data.test;
  const bool single = set.kind == datasets::Kind::kClassification;
  require(single || set.kind == datasets::Kind::kMultilabel, in.run.dataset,
          ": --task zeroshot_classification needs pictures with labels; this set has captions "
          "(--task zeroshot_retrieval)");
  const Classifier classifier = class_matrix(in);
  if (!in.options.save_clf.empty()) save_class_vectors(in.options.save_clf, classifier);
  const Features features = test_features(in, out);

  const LinearClasses classes{.weights = classifier.vectors, .bias = {}, .dim = classifier.dim};
  std::vector<int64_t> labels;
  if (single) {
    labels.reserve(features.good.size());
    for (const int64_t index : features.good) {
      labels.push_back(set.labels[static_cast<size_t>(index)]);
    }
  }
  if (single || !in.options.logits_out.empty()) {
    const Guesses guesses = guess(features.vectors, classes, labels, in.pool);
    if (single) one_label(in, guesses, labels, out);
    if (!in.options.logits_out.empty()) write_predictions(in, classifier, features, guesses);
  }
  if (!single) several_labels(in, features, classes, out);
}

}  // namespace clipnext::eval
