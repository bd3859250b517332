// clipnext similarity: cosines between some images and some texts.
#include <CLI/App.hpp>
#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "base/progress.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "pipeline/embed_texts.h"

namespace clipnext::cli {
namespace {

struct Options {
  CommonOptions common;
  ModelOptions model;
  ImageOptions images;
  TextOptions texts;
  std::vector<std::string> given;
  std::string on_bad = "fail";
};

struct Matrix {
  std::vector<std::string> images;
  std::vector<std::string> texts;
  std::vector<float> cosines;  // [images, texts]
};

std::vector<std::string> good_names(const std::vector<std::string>& names,
                                    const pipeline::Embedded& embedded) {
  std::vector<std::string> good;
  for (int64_t i : embedded.good) good.push_back(names[static_cast<size_t>(i)]);
  return good;
}

std::vector<float> cosines(const std::vector<float>& images, const std::vector<float>& texts,
                           size_t dim) {
  std::vector<float> out;
  for (size_t i = 0; i < images.size(); i += dim) {
    for (size_t t = 0; t < texts.size(); t += dim) {
      out.push_back(static_cast<float>(
          std::inner_product(images.data() + i, images.data() + i + dim, texts.data() + t, 0.0)));
    }
  }
  return out;
}

// The end of a path says more than its beginning.
std::string fit_path(const std::string& path, size_t columns) {
  if (code_points(path) <= columns) return fit(path, columns);
  size_t begin = path.size();
  for (size_t kept = 0; kept + 1 < columns; --begin) {
    kept += (static_cast<unsigned char>(path[begin - 1]) & 0xC0U) != 0x80U ? 1 : 0;
  }
  return "…" + path.substr(begin);
}

void print_table(const Matrix& m) {
  constexpr size_t kNameColumns = 40;
  constexpr size_t kTextColumns = 20;
  constexpr size_t kNumberColumns = 7;  // "-0.1234"
  size_t name_width = 0;
  for (const std::string& name : m.images) name_width = std::max(name_width, code_points(name));
  name_width = std::min(name_width, kNameColumns);

  std::string header(name_width, ' ');
  std::vector<size_t> widths;
  for (const std::string& text : m.texts) {
    widths.push_back(std::clamp(code_points(text), kNumberColumns, kTextColumns));
    header += "  " + fit(text, widths.back(), true);
  }
  print(header + "\n");
  for (size_t i = 0; i < m.images.size(); ++i) {
    std::string line = fit_path(m.images[i], name_width);
    for (size_t t = 0; t < m.texts.size(); ++t) {
      line += "  " + fit(format("%.4f", m.cosines[i * m.texts.size() + t]), widths[t], true);
    }
    print(line + "\n");
  }
}

void run(const Options& o, Backend& backend) {
  backend.choose_device(o.model.device);
  std::vector<std::string> texts = o.given;
  for (std::string& text : read_texts(o.texts)) texts.push_back(std::move(text));
  if (texts.empty()) throw CLI::RequiredError("at least one text (--text, --texts, --texts-json)");
  const std::vector<pipeline::ImageSource> sources = read_image_sources(o.images.paths);
  LoadedModel m(backend, o.model, o.common.threads);

  Progress progress("similarity", static_cast<int64_t>(sources.size() + texts.size()), "items");
  const auto done = [&](int64_t n) { progress.add(n); };
  const pipeline::OnBad on_bad = on_bad_policy(o.on_bad);
  const pipeline::Embedded text_vectors =
      pipeline::embed_texts(m.clip(), m.tokenizer, texts, on_bad, done);
  const pipeline::Embedded image_vectors =
      pipeline::embed_images(m.clip(), m.pool, sources, embed_options(o.images, o.on_bad), done);
  progress.finish();
  report_bad(text_vectors.bad, texts.size(), "texts");
  report_bad(image_vectors.bad, sources.size(), "images");

  const std::vector<std::string> names = source_names(sources);
  const Matrix matrix{.images = good_names(names, image_vectors),
                      .texts = good_names(texts, text_vectors),
                      .cosines = cosines(image_vectors.vectors, text_vectors.vectors,
                                         static_cast<size_t>(m.model.config.embed_dim))};
  if (!o.common.json) {
    print_table(matrix);
    return;
  }
  OrderedJson rows = OrderedJson::array();
  for (size_t i = 0; i < matrix.images.size(); ++i) {
    OrderedJson row = OrderedJson::array();
    for (size_t t = 0; t < matrix.texts.size(); ++t) {
      row.push_back(json_number(matrix.cosines[i * matrix.texts.size() + t]));
    }
    rows.push_back(std::move(row));
  }
  print_json({{"model", m.model.name},
              {"logit_scale", json_number(m.clip().logit_scale())},
              {"logit_bias", json_number(m.clip().logit_bias())},
              {"images", matrix.images},
              {"texts", matrix.texts},
              {"similarity", rows},
              {"bad_images", bad_json(image_vectors.bad, names)},
              {"bad_texts", bad_json(text_vectors.bad, texts)}});
}

}  // namespace

void add_similarity(CLI::App& app, Backend& backend) {
  auto o = std::make_shared<Options>();
  CLI::App* cmd =
      app.add_subcommand("similarity", "the matrix of cosines between images and texts");
  add_image_options(*cmd, o->images);
  cmd->add_option("--text", o->given, "a text; may be given several times")
      ->type_name("TEXT")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  add_text_options(*cmd, o->texts);
  add_on_bad_option(*cmd, o->on_bad);
  add_model_options(*cmd, o->model);
  add_dtype_option(*cmd, o->model);
  add_device_option(*cmd, o->model.device);
  add_common_options(*cmd, o->common);
  cmd->footer(
      "Rows are images, columns texts; times the model's scale they are its logits.\n\nExamples:\n"
      "  clipnext similarity cat.jpg dog.jpg --text \"a cat\" --text \"a dog\"\n"
      "  clipnext similarity photos/ --texts captions.txt --json");
  cmd->callback([o, &backend] { run(*o, backend); });
}

}  // namespace clipnext::cli
