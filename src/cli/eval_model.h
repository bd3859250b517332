// The models of `clipnext eval`, named as CLIP_benchmark names them.
#pragma once

#include <memory>
#include <string>

#include "cli/common.h"
#include "eval/runs.h"

namespace clipnext::cli {

/// What open_model takes for a pair (model, pretrained): a checkpoint file as it is; a tag's file
/// in `cache_dir`; for a model that brings its own weights (a folder, a checkpoint, `demo`) a tag
/// is only a label. Throws Error that says how to get the weights of a tag that is not there.
ModelOptions model_options(const std::string& model, const std::string& pretrained,
                           const std::string& cache_dir, const std::string& dtype);

/// Keeps the model of the last run, since runs of one model follow each other.
class EvalModels {
 public:
  EvalModels(const Backend& backend, std::string cache_dir, std::string dtype, int threads)
      : backend_(backend),
        cache_dir_(std::move(cache_dir)),
        dtype_(std::move(dtype)),
        threads_(threads) {}

  const Backend& backend() const { return backend_; }
  LoadedModel& load(const std::string& model, const std::string& pretrained);

 private:
  const Backend& backend_;
  std::string cache_dir_, dtype_;
  int threads_;
  std::string loaded_;
  std::unique_ptr<LoadedModel> model_;
};

}  // namespace clipnext::cli
