// How many samples a second the training loader reads, decodes, augments and tokenizes:
//   train_loader_bench SIZE BATCH THREADS SECONDS default|timm SHARD.tar...
// For each line of standard input, one line of JSON. tools/time_train_loader.py compares it with
// webdataset and Pillow.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "data/tar.h"
#include "kernels/kernels.h"
#include "pipeline/train_loader.h"
#include "train/memory.h"

namespace clipnext {
namespace {

/// Pairs of NAME.jpg or NAME.png and NAME.txt, in the order of the shards, for ever.
class TarSource final : public data::SampleSource {
 public:
  explicit TarSource(std::vector<std::string> shards) : shards_(std::move(shards)) {}

  void begin_epoch(int64_t) override {
    shard_ = 0;
    tar_.reset();
  }
  std::optional<data::RawSample> next() override {
    data::RawSample sample;
    while (true) {
      if (!tar_) tar_ = std::make_unique<data::TarReader>(shards_[shard_++ % shards_.size()]);
      std::optional<data::TarMember> member = tar_->next();
      if (!member) {
        tar_.reset();
        continue;
      }
      const size_t dot = member->name.rfind('.');
      const std::string key = member->name.substr(0, dot);
      if (key != sample.name) sample = {.name = key, .image = "", .caption = ""};
      (member->name.substr(dot) == ".txt" ? sample.caption : sample.image) =
          std::move(member->content);
      if (!sample.image.empty() && !sample.caption.empty()) return sample;
    }
  }

 private:
  const std::vector<std::string> shards_;
  size_t shard_ = 0;
  std::unique_ptr<data::TarReader> tar_;
};

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void measure(pipeline::TrainLoader& loader, double seconds) {
  using Clock = std::chrono::steady_clock;
  (void)loader.next().value();
  int64_t samples = 0;
  const double cpu_before = cpu_seconds();
  const auto start = Clock::now();
  double passed = 0;
  while (passed < seconds) {
    samples += loader.next().value().n;
    passed = std::chrono::duration<double>(Clock::now() - start).count();
  }
  std::printf("{\"samples\": %lld, \"seconds\": %.6f, \"cpu_seconds\": %.6f, \"isa\": \"%s\"}\n",
              static_cast<long long>(samples), passed, cpu_seconds() - cpu_before,
              kernels::kernels().isa);
  std::fflush(stdout);
}

void run(const std::vector<std::string>& args) {
  require(args.size() >= 6, "SIZE BATCH THREADS SECONDS default|timm SHARD.tar... are needed");
  pipeline::TrainLoaderConfig config;
  config.preprocess.height = config.preprocess.width = std::stoi(args[0]);
  config.batch_size = std::stoi(args[1]);
  config.threads = std::stoi(args[2]);
  const double seconds = std::stod(args[3]);
  config.augment.emplace();
  if (args[4] == "timm") {  // the recipe of the large models
    config.augment = {.scale = {0.33, 1.0},
                      .re_prob = 0.35,
                      .use_timm = true,
                      .filter = image::CropFilter::kRandom};
  }
  std::vector<std::unique_ptr<data::SampleSource>> workers;
  workers.push_back(
      std::make_unique<TarSource>(std::vector<std::string>(args.begin() + 5, args.end())));
  pipeline::TrainLoader loader(
      std::move(workers), std::make_shared<const text::Tokenizer>(), config,
      [](const std::string& name, const std::string& reason) { fail(name, ": ", reason); });
  for (std::string line; std::getline(std::cin, line);) {
    loader.begin_epoch(0);
    measure(loader, seconds);
  }
}

}  // namespace
}  // namespace clipnext

int main(int argc, char** argv) {
  clipnext::train::keep_freed_memory();  // as the trainer does
  try {
    clipnext::run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "train_loader_bench: %s\n", error.what());
    return 1;
  }
}
