#include "cli/bench_preprocess.h"

#include <cstdio>
#include <iostream>

#include "base/error.h"
#include "base/interrupt.h"
#include "bench/timing.h"
#include "cli/common.h"
#include "kernels/kernels.h"
#include "pipeline/embed_images.h"

namespace clipnext::cli {
namespace {

void measure(const PreprocessBench& o) {
  const pipeline::ImageSource source{.name = o.picture, .bytes = nullptr};
  const image::Image picture = pipeline::load_image(source);
  const bench::Timing timing = bench::time_repeats(o.min_time, [&] {
    pipeline::preprocess(pipeline::load_image(source), o.config, pipeline::ConvertOrder::kLast);
  });
  if (o.json || o.each_line) {
    print_json({{"picture", o.picture},
                {"width", picture.width},
                {"height", picture.height},
                {"isa", kernels::kernels().isa},
                {"threads", 1},
                {"seconds", json_number(static_cast<float>(timing.minimum))},
                {"seconds_median", json_number(static_cast<float>(timing.median))},
                {"repeats", timing.repeats}});
  } else {
    print(format("%s: %dx%d to %dx%d, 1 thread, kernels %s: %.3f ms (median %.3f)\n",
                 o.picture.c_str(), picture.width, picture.height, o.config.width, o.config.height,
                 kernels::kernels().isa, 1e3 * timing.minimum, 1e3 * timing.median));
  }
  require(std::fflush(stdout) == 0, "standard output cannot be written");
  throw_if_interrupted();
}

}  // namespace

void bench_preprocess(const PreprocessBench& o) {
  if (!o.each_line) return measure(o);
  for (std::string line; std::getline(std::cin, line);) measure(o);
}

}  // namespace clipnext::cli
