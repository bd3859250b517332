// clipnext classify: which of some labels a picture shows.
#include <CLI/App.hpp>
#include <CLI/Validators.hpp>

#include "base/error.h"
#include "base/progress.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/labels.h"
#include "cli/thumbnail.h"

namespace clipnext::cli {
namespace {

struct Options {
  CommonOptions common;
  ModelOptions model;
  ImageOptions images;
  LabelOptions labels;
  int64_t top = 5;
  std::string on_bad = "fail";
};

// More pictures than this scroll past faster than anyone looks at them.
constexpr size_t kMaxThumbnails = 32;
constexpr int kThumbnailColumns = 12;
constexpr int kThumbnailRows = 6;

struct Named {
  const pipeline::ImageSource* source = nullptr;
  std::vector<eval::Prediction> predictions;
};

OrderedJson to_json(const eval::Classifier& classifier, const std::vector<Named>& images) {
  OrderedJson list = OrderedJson::array();
  for (const Named& image : images) {
    list.push_back({{"image", image.source->name},
                    {"predictions", predictions_json(classifier, image.predictions)}});
  }
  return list;
}

void print_text(const eval::Classifier& classifier, const std::vector<Named>& images) {
  const bool pictures = terminal_shows_pictures() && images.size() <= kMaxThumbnails;
  for (const Named& image : images) {
    std::vector<std::string> lines = {image.source->name};
    for (std::string& line : prediction_lines(classifier, image.predictions)) {
      lines.push_back(std::move(line));
    }
    if (pictures) {
      print(
          beside(thumbnail(pipeline::load_image(*image.source), kThumbnailColumns, kThumbnailRows),
                 kThumbnailColumns, lines));
    } else {
      for (const std::string& line : lines) print(line + "\n");
    }
  }
}

void run(const Options& o, Backend& backend) {
  backend.choose_device(o.model.device);
  const std::vector<std::string> labels = read_labels(o.labels);
  const std::vector<std::string> templates = read_templates(o.labels);
  const std::vector<pipeline::ImageSource> sources = read_image_sources(o.images.paths);
  LoadedModel m(backend, o.model, o.common.threads);
  const eval::Classifier classifier =
      make_classifier(m.clip(), m.tokenizer, labels, templates, class_cache(o.labels));

  Progress progress("classify", static_cast<int64_t>(sources.size()), "images");
  const pipeline::Embedded embedded =
      pipeline::embed_images(m.clip(), m.pool, sources, embed_options(o.images, o.on_bad),
                             [&](int64_t n) { progress.add(n); });
  progress.finish();
  report_bad(embedded.bad, sources.size(), "images");

  const auto dim = static_cast<size_t>(classifier.dim);
  std::vector<Named> images;
  for (size_t i = 0; i < embedded.good.size(); ++i) {
    images.push_back(
        {.source = &sources[static_cast<size_t>(embedded.good[i])],
         .predictions = classifier.predict({embedded.vectors.data() + i * dim, dim}, o.top)});
  }
  if (o.common.json) {
    print_json({{"model", m.model.name},
                {"logit_scale", json_number(classifier.scale)},
                {"labels", classifier.labels},
                {"templates", templates},
                {"images", to_json(classifier, images)},
                {"bad", bad_json(embedded.bad, source_names(sources))}});
  } else {
    print_text(classifier, images);
  }
}

}  // namespace

void add_classify(CLI::App& app, Backend& backend) {
  auto o = std::make_shared<Options>();
  CLI::App* cmd = app.add_subcommand("classify", "name pictures: labels and their probabilities");
  add_image_options(*cmd, o->images);
  add_label_options(*cmd, o->labels);
  cmd->add_option("--top", o->top, "labels to print for each picture")
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000}))
      ->capture_default_str();
  add_on_bad_option(*cmd, o->on_bad);
  add_model_options(*cmd, o->model);
  add_dtype_option(*cmd, o->model);
  add_device_option(*cmd, o->model.device);
  add_common_options(*cmd, o->common);
  cmd->footer(
      "Probabilities are a softmax over the labels with the model's own scale.\n\nExamples:\n"
      "  clipnext classify cat.jpg --labels \"a cat,a dog\"\n"
      "  clipnext classify photos/ --labels-file names.txt --template \"a photo of a {}\" --top 3\n"
      "  curl -s https://example.org/cat.jpg | clipnext classify - --labels \"cat,dog\" --json");
  cmd->callback([o, &backend] { run(*o, backend); });
}

}  // namespace clipnext::cli
