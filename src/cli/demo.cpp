// clipnext demo: a small model names pictures in a style of drawing it never saw.
#include <CLI/App.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <utility>

#include "base/error.h"
#include "base/natural_order.h"
#include "base/progress.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/labels.h"
#include "cli/thumbnail.h"
#include "data/folder.h"
#include "datasets/wds.h"
#include "eval/zero_shot.h"

namespace clipnext::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  CommonOptions common;
  ModelOptions model;
  fs::path eval = "examples/emoji";
};

constexpr int64_t kTop = 3;
constexpr int kThumbnailColumns = 10;
constexpr int kThumbnailRows = 5;

struct Picture {
  pipeline::ImageSource source;
  std::vector<eval::Prediction> predictions;
};

struct SetResult {
  std::string name;
  int64_t classes = 0;
  eval::Accuracy accuracy;
};

struct Report {
  std::vector<Picture> pictures;
  eval::Classifier classifier;  // of the pictures
  std::vector<SetResult> sets;
  int64_t images = 0;
  double seconds = 0;  // for the images of all sets, reading them from memory included
};

double share(int64_t part, int64_t whole) {
  return static_cast<double>(part) / static_cast<double>(std::max<int64_t>(whole, 1));
}

// The folder itself if it is a labelled set, else the sets in it.
std::vector<fs::path> find_sets(const fs::path& folder) {
  if (fs::exists(folder / "classnames.txt")) return {folder};
  std::vector<fs::path> sets;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (fs::exists(it->path() / "classnames.txt")) sets.push_back(it->path());
  }
  require(!error, folder.string(), ": ", error.message(),
          "; --eval names the folder examples/emoji of the source tree");
  require(!sets.empty(), folder.string(), ": no labelled set (classnames.txt) in this folder");
  std::sort(sets.begin(), sets.end(), [](const fs::path& a, const fs::path& b) {
    return natural_less(a.native(), b.native());
  });
  return sets;
}

std::vector<Picture> name_pictures(LoadedModel& m, const eval::Classifier& classifier,
                                   const fs::path& folder) {
  std::vector<Picture> pictures;
  if (!fs::is_directory(folder)) return pictures;
  const std::vector<pipeline::ImageSource> sources = read_image_sources({folder.string()});
  const pipeline::Embedded embedded = pipeline::embed_images(
      m.clip(), m.pool, sources, {.convert = pipeline::ConvertOrder::kFirst});
  const auto dim = static_cast<size_t>(classifier.dim);
  for (size_t i = 0; i < sources.size(); ++i) {
    pictures.push_back(
        {.source = sources[i],
         .predictions = classifier.predict({embedded.vectors.data() + i * dim, dim}, kTop)});
  }
  return pictures;
}

SetResult measure(LoadedModel& m, const eval::Classifier& classifier, const datasets::Dataset& set,
                  const std::string& name, Report& report) {
  Progress progress(name, static_cast<int64_t>(set.images.size()), "images");
  const auto begin = std::chrono::steady_clock::now();
  const eval::Accuracy accuracy =
      eval::measure(m.clip(), m.pool, classifier, set, [&](int64_t n) { progress.add(n); });
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  report.seconds += elapsed.count();
  report.images += accuracy.images;
  return {.name = name, .classes = static_cast<int64_t>(set.classes.size()), .accuracy = accuracy};
}

Report evaluate(LoadedModel& m, const fs::path& folder) {
  Report report;
  for (const fs::path& path : find_sets(folder)) {
    const datasets::Dataset set = datasets::read_wds_folder(path);
    eval::Classifier classifier =
        make_classifier(m.clip(), m.tokenizer, set.classes, set.prompts.templates);
    if (report.sets.empty()) {
      report.pictures = name_pictures(m, classifier, folder / "pictures");
      report.classifier = classifier;
    }
    report.sets.push_back(measure(m, classifier, set, path.filename().string(), report));
  }
  return report;
}

OrderedJson to_json(const Report& r, const std::string& model) {
  OrderedJson pictures = OrderedJson::array();
  for (const Picture& picture : r.pictures) {
    pictures.push_back({{"image", picture.source.name},
                        {"predictions", predictions_json(r.classifier, picture.predictions)}});
  }
  OrderedJson sets = OrderedJson::array();
  for (const SetResult& set : r.sets) {
    const eval::Accuracy& a = set.accuracy;
    sets.push_back({{"name", set.name},
                    {"images", a.images},
                    {"classes", set.classes},
                    {"top1", share(a.top1, a.images)},
                    {"top5", share(a.top5, a.images)},
                    {"chance_top1", share(1, set.classes)},
                    {"chance_top5", share(std::min<int64_t>(5, set.classes), set.classes)}});
  }
  return {{"model", model},
          {"images", pictures},
          {"sets", sets},
          {"seconds", r.seconds},
          {"images_per_second", static_cast<double>(r.images) / std::max(r.seconds, 1e-9)}};
}

void print_text(const Report& r, const std::string& model, int threads) {
  print(
      format("%s names pictures in a style of drawing it never saw (%zu names to choose "
             "from):\n\n",
             model.c_str(), r.classifier.labels.size()));
  const bool thumbnails = terminal_shows_pictures();
  for (const Picture& picture : r.pictures) {
    std::vector<std::string> lines = {fs::path(picture.source.name).filename().string()};
    for (std::string& line : prediction_lines(r.classifier, picture.predictions)) {
      lines.push_back(std::move(line));
    }
    if (thumbnails) {
      print(
          beside(thumbnail(pipeline::load_image(picture.source), kThumbnailColumns, kThumbnailRows),
                 kThumbnailColumns, lines));
    } else {
      for (const std::string& line : lines) print(line + "\n");
    }
  }
  print("\nset       pictures  names   top-1 (chance)       top-5 (chance)\n");
  for (const SetResult& set : r.sets) {
    const eval::Accuracy& a = set.accuracy;
    print(fit(set.name, 8) + format("  %8ld  %5ld  %6.2f %% (%.2f %%)    %6.2f %% (%.2f %%)\n",
                                    static_cast<long>(a.images), static_cast<long>(set.classes),
                                    100 * share(a.top1, a.images), 100 * share(1, set.classes),
                                    100 * share(a.top5, a.images),
                                    100 * share(std::min<int64_t>(5, set.classes), set.classes)));
  }
  print(format("\n%ld images in %.2f s: %.0f images/s on %d threads\n", static_cast<long>(r.images),
               r.seconds, static_cast<double>(r.images) / std::max(r.seconds, 1e-9), threads));
  // As the user typed it: build/clipnext from the source tree, clipnext once installed.
  print(
      format("\nYour own pictures:\n  %s classify PICTURE.jpg --labels \"a cat,a dog,a house\"\n"
             "This model is small and knows drawings; for photographs add\n"
             "  --model convnext_base_w --pretrained CHECKPOINT\n",
             program_invocation_name));
}

void run(const Options& o, Backend& backend) {
  backend.choose_device(o.model.device);
  LoadedModel m(backend, o.model, o.common.threads);
  const Report report = evaluate(m, o.eval);
  if (o.common.json) {
    print_json(to_json(report, m.model.name));
  } else {
    print_text(report, m.model.name, m.pool.size());
  }
}

}  // namespace

void add_demo(CLI::App& app, Backend& backend) {
  auto o = std::make_shared<Options>();
  CLI::App* cmd = app.add_subcommand("demo", "pictures named, and how often it is right");
  cmd->add_option("--eval", o->eval,
                  "labelled set in CLIP_benchmark's webdataset layout, or a folder of such sets "
                  "and a folder `pictures`")
      ->capture_default_str();
  add_model_options(*cmd, o->model);
  add_dtype_option(*cmd, o->model);
  add_device_option(*cmd, o->model.device);
  add_common_options(*cmd, o->common);
  cmd->footer("Example:\n  clipnext demo --eval examples/emoji");
  cmd->callback([o, &backend] { run(*o, backend); });
}

}  // namespace clipnext::cli
