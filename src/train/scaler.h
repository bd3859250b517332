// Loss scaling for float16: gradients too small for it are computed larger (Micikevicius et al.,
// arXiv:1710.03740), by torch.amp.GradScaler's rules.
#pragma once

#include <cstdint>

namespace clipnext::train {

struct LossScaler {
  double scale = 65536;
  double growth_factor = 2;
  double backoff_factor = 0.5;
  int64_t growth_interval = 2000;
  int64_t clean_steps = 0;  // since the scale last changed

  void update(bool overflowed) {
    if (overflowed) {
      scale *= backoff_factor;
      clean_steps = 0;
    } else if (++clean_steps == growth_interval) {
      scale *= growth_factor;
      clean_steps = 0;
    }
  }
};

}  // namespace clipnext::train
