#include "cli/backend.h"

#include "cli/torch_program.h"
#include "infer/clip.h"

namespace clipnext::cli {

void KernelBackend::choose_device(const std::string& device) {
  if (device != "cpu") execute_torch_program("--device " + device, arguments_);
}

ReadyModel KernelBackend::load(const model::Model& model, ThreadPool& pool,
                               std::optional<infer::ComputeType> type) const {
  auto clip = infer::load_clip(model, pool, type);
  const infer::ComputeType found = clip->type();
  return {.clip = std::move(clip), .type = found, .isa = kernels::kernels().isa};
}

}  // namespace clipnext::cli
