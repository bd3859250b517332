#include "bench/tower.h"

#include "model/profile.h"
#include "model/synthetic.h"

namespace clipnext::bench {
namespace {

/// Ids of no word twice in a row; the last one, the highest, ends the text.
std::vector<int32_t> synthetic_text(const model::TextConfig& config, int64_t shift) {
  const int64_t last = config.vocab_size - 1;
  std::vector<int32_t> ids;
  for (int64_t i = 0; i + 1 < config.context_length; ++i) {
    ids.push_back(static_cast<int32_t>((7919 * i + 104729 * (shift + 1)) % last));
  }
  ids.push_back(static_cast<int32_t>(last));
  return ids;
}

}  // namespace

double tower_flops(const model::ClipConfig& config, Tower tower) {
  const model::Profile profile = model::profile(config);
  const auto& sum = tower == Tower::kImage ? profile.image.sum : profile.text.sum;
  return 2.0 * static_cast<double>(sum.macs);
}

TowerRun::TowerRun(model::Embedder& embedder, Tower tower, int64_t batch)
    : embedder_(embedder), tower_(tower), batch_(batch) {
  const model::ClipConfig& config = embedder.config();
  out_.resize(static_cast<size_t>(batch * config.embed_dim));
  for (int64_t i = 0; i < batch; ++i) {
    if (tower == Tower::kText) {
      tokens_.add(synthetic_text(config.text, i));
    } else {
      const auto picture = model::synthetic_picture(config.image_height, config.image_width, i);
      pixels_.insert(pixels_.end(), picture.begin(), picture.end());
    }
  }
}

void TowerRun::run() {
  if (tower_ == Tower::kText) {
    embedder_.embed_texts(tokens_, out_.data());
    return;
  }
  const model::ClipConfig& config = embedder_.config();
  embedder_.embed_images({pixels_.data(), batch_, config.image_height, config.image_width},
                         out_.data());
}

Timing TowerRun::time(double min_seconds) {
  Timing timing = time_repeats(min_seconds, [this] { run(); });
  timing.minimum /= static_cast<double>(batch_);
  timing.median /= static_cast<double>(batch_);
  return timing;
}

}  // namespace clipnext::bench
