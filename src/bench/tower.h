// Timing a whole tower.
#pragma once

#include <cstdint>

#include "bench/timing.h"
#include "model/embedder.h"

namespace clipnext::bench {

enum class Tower : uint8_t { kImage, kText };

/// Operations of one picture, or one text of full length: model::profile's.
double tower_flops(const model::ClipConfig& config, Tower tower);

/// Batches of one size, ready to go through a tower: pictures of the config's size, or texts of
/// full length.
class TowerRun {
 public:
  TowerRun(model::Embedder& embedder, Tower tower, int64_t batch);

  /// Seconds of one item: those of a batch divided by its size.
  Timing time(double min_seconds);

 private:
  void run();

  model::Embedder& embedder_;
  Tower tower_;
  int64_t batch_;
  std::vector<uint8_t> pixels_;
  model::TokenRows tokens_;
  std::vector<float> out_;
};

}  // namespace clipnext::bench
