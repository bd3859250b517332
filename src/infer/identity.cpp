#include "infer/identity.h"

#include "base/content_hash.h"

namespace clipnext::infer {

std::string identity(const Engine& engine, const WeightList& weights,
                     std::span<const float> probe_features) {
  ContentHash hash = hash_text(engine.kernels.isa);
  hash = hash_bytes(std::as_bytes(probe_features), hash);
  for (const auto& [what, weight] : weights) {
    hash = hash_text(what + compute_type_name(weight.type), hash);
    hash = hash_bytes(engine.pool, weight.contents(), hash);
  }
  return hash.hex();
}

}  // namespace clipnext::infer
