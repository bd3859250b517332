// What goes into a package besides its card: tensors under open_clip's names, and the config.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/json.h"
#include "base/thread_pool.h"
#include "model/source.h"
#include "text/vocabulary.h"

namespace clipnext::package {

struct ContentOptions {
  std::optional<weights::DType> dtype = {};  // nothing: as they are
  std::optional<int64_t> image_size = {};    // another than the config's
  bool use_ema = false;                      // a training checkpoint's average over steps
};

struct Contents {
  model::ClipConfig config;
  OrderedJson config_json;  // open_clip_config.json
  weights::TensorMap tensors;
  int64_t changed = 0;  // values that the new type does not hold exactly
  std::shared_ptr<const text::Vocabulary> vocabulary;
};

/// Throws Error that names what does not fit: a packed file, tensors that are missing or too many,
/// values that are NaN or infinite (of each tensor how many), or beyond the new type's range; a
/// vocabulary of another size than the model's; no average over steps where it was asked for.
/// Scalars (logit_scale) are not narrowed: a fixed share of every logit hangs on them.
Contents collect(model::Model model, const ContentOptions& options, ThreadPool& pool);

/// "F16", or "BF16, F32": the types of all tensors.
std::string dtype_names(const weights::TensorMap& tensors);

}  // namespace clipnext::package
