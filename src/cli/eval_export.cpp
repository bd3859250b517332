#include "cli/eval_export.h"

#include <CLI/Validators.hpp>
#include <map>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/progress.h"
#include "base/thread_pool.h"
#include "cli/common.h"
#include "datasets/export.h"
#include "eval/class_cache.h"
#include "eval/runs.h"

namespace clipnext::cli {
namespace {

struct Options {
  CommonOptions common;
  datasets::Request request;
  std::string root = "data";
  std::string image_format = "webp";
  bool retrieval = false;
  bool multilabel = false;
  datasets::ExportOptions out;
};

const std::map<std::string, image::Encoding> kEncodings = {{"webp", image::Encoding::kWebp},
                                                           {"png", image::Encoding::kPng},
                                                           {"jpg", image::Encoding::kJpeg}};

// The data set says what kind it is; the flags are CLIP_benchmark's way to say it.
void check_kind(const Options& o, datasets::Kind kind) {
  const auto expect = [&](bool flag, const char* name, datasets::Kind meant, const char* what) {
    require(!flag || kind == meant, o.request.name, ": ", name, " was given, but this set has ",
            what);
  };
  expect(o.retrieval, "--retrieval", datasets::Kind::kRetrieval, "no captions");
  expect(o.multilabel, "--multilabel", datasets::Kind::kMultilabel, "one label a picture");
}

void run(Options& o) {
  o.request.root = eval::fill_dataset_root(o.root, o.request.name);
  o.request.cache = eval::default_cache_folder() / "datasets";
  const datasets::Dataset set = datasets::open_dataset(o.request);
  check_kind(o, set.kind);
  for (const std::string& warning : set.warnings) note(warning);

  ThreadPool pool(o.common.threads);
  Progress progress("export", std::ssize(set.images), "images");
  o.out.split = o.request.split;
  o.out.encoding = kEncodings.at(o.image_format);
  o.out.done = [&](int64_t n) { progress.add(n); };
  const datasets::Exported exported = datasets::export_wds(set, o.out, pool);
  progress.finish();
  for (const std::string& warning : exported.warnings) note(warning);
  if (o.common.json) {
    print_json({{"output", o.out.output.string()},
                {"split", o.out.split},
                {"samples", exported.samples},
                {"shards", exported.shards},
                {"encoded", exported.encoded}});
  } else {
    print(format("%lld samples in %lld shards, %lld pictures encoded anew: %s\n",
                 static_cast<long long>(exported.samples), static_cast<long long>(exported.shards),
                 static_cast<long long>(exported.encoded), o.out.output.c_str()));
  }
}

}  // namespace

void add_eval_export(CLI::App& eval_command) {
  auto o = std::make_shared<Options>();
  CLI::App* cmd = eval_command.add_subcommand("export", "write a data set as webdataset shards");
  cmd->add_option("-d,--dataset", o->request.name, "as for eval")->required();
  cmd->add_option("-s,--split", o->request.split, "split to write")->capture_default_str();
  cmd->add_option("-r,--dataset-root", o->root, "where the data set is")->capture_default_str();
  cmd->add_option("-o,--output", o->out.output, "folder to write to")->required();
  CLI::Option* retrieval = cmd->add_flag("--retrieval", o->retrieval, "the set has captions");
  cmd->add_flag("--multilabel", o->multilabel, "pictures have several labels")->excludes(retrieval);
  cmd->add_option("--image-format", o->image_format,
                  "of pictures that are not WebP, PNG or JPEG already, which are copied: webp "
                  "(lossless), png or jpg")
      ->check(CLI::IsMember({"webp", "png", "jpg"}))
      ->capture_default_str();
  cmd->add_option("--max-count", o->out.max_count, "samples in a shard")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 50))
      ->capture_default_str();
  cmd->add_option("--max-size", o->out.max_size, "bytes of a shard")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 50))
      ->capture_default_str();
  cmd->add_option("--annotation_file", o->request.annotation_file, "captions of a retrieval set");
  cmd->add_option("--language", o->request.language, "of names and templates")
      ->capture_default_str();
  add_common_options(*cmd, o->common);
  cmd->footer(
      "Examples:\n"
      "  clipnext eval export -d imagefolder -r photos/by-class -o wds_photos\n"
      "  clipnext eval --model demo --dataset wds/photos --dataset_root wds_{dataset}");
  cmd->callback([o] { run(*o); });
}

}  // namespace clipnext::cli
