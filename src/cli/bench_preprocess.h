// bench --preprocess: the time from a picture file to the pixels a model takes.
#pragma once

#include <string>

#include "image/preprocess.h"

namespace clipnext::cli {

struct PreprocessBench {
  std::string picture;  // a file, read again in each run
  image::PreprocessConfig config;
  double min_time = 1.0;
  bool json = false;
  bool each_line = false;  // once for each line of standard input
};

/// Reads, decodes and preprocesses on one thread and prints the seconds of a run.
void bench_preprocess(const PreprocessBench& o);

}  // namespace clipnext::cli
