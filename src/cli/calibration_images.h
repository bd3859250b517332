// The pictures that `convert --calibrate` measures on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "image/preprocess.h"
#include "pipeline/embed_images.h"

namespace clipnext::cli {

/// Pictures as the model sees them, with what is known of them.
struct CalibrationImages {
  std::vector<uint8_t> pixels;  // [count, h, w, 3]
  int64_t count = 0;
  std::vector<int64_t> labels;  // of each, an index into class_names; empty without labels
  std::vector<std::string> class_names;
  std::vector<std::string> templates;  // of a labelled set that brings its own
};

/// Whether these paths are one folder in CLIP_benchmark's webdataset layout.
bool is_labelled_set(const std::vector<std::string>& paths);

/// Pictures named on the command line, at most `most` of them (0: all), evenly spread: files,
/// folders, or one labelled set. `classes`:
/// the sub-folders of the one folder are classes, named by their labels.
CalibrationImages read_calibration_images(const std::vector<std::string>& paths, bool classes,
                                          int64_t most, const image::PreprocessConfig& config,
                                          ThreadPool& pool);

}  // namespace clipnext::cli
