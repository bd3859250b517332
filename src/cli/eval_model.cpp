#include "cli/eval_model.h"

#include <filesystem>

#include "base/error.h"
#include "model/config.h"

namespace clipnext::cli {
namespace {

namespace fs = std::filesystem;

bool is_file(const fs::path& path) {
  std::error_code none;
  return fs::is_regular_file(path, none);
}

/// TAG or MODEL-TAG with a checkpoint's ending; empty if there is none.
std::string file_of_tag(const std::string& model, const std::string& tag,
                        const std::string& cache_dir) {
  if (cache_dir.empty()) return {};
  for (const std::string& stem : {std::string(model).append("-").append(tag), tag}) {
    for (const char* ending : {".safetensors", ".bin", ".pt", ".pth"}) {
      const fs::path file = fs::path(cache_dir) / (stem + ending);
      if (is_file(file)) return file.string();
    }
  }
  return {};
}

}  // namespace

ModelOptions model_options(const std::string& model, const std::string& pretrained,
                           const std::string& cache_dir, const std::string& dtype) {
  ModelOptions options{.model = model, .pretrained = "", .dtype = dtype, .device = {}};
  if (model == "demo") {
    options.model = "";
    return options;
  }
  if (is_file(pretrained)) {
    options.pretrained = pretrained;
  } else if (model::is_builtin_config(model) || model.ends_with(".json")) {
    options.pretrained = file_of_tag(model, pretrained, cache_dir);
    require(!options.pretrained.empty(), "the weights of ", model, ",", pretrained,
            " are not here: give --pretrained a checkpoint file (or a folder as --model), or "
            "--model_cache_dir a folder with ",
            pretrained, ".safetensors in it");
  }
  return options;
}

LoadedModel& EvalModels::load(const std::string& model, const std::string& pretrained) {
  const std::string name = model + "," + pretrained;
  if (model_ != nullptr && loaded_ == name) return *model_;
  model_.reset();
  model_ = std::make_unique<LoadedModel>(
      backend_, model_options(model, pretrained, cache_dir_, dtype_), threads_);
  loaded_ = name;
  return *model_;
}

}  // namespace clipnext::cli
