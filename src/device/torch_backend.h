// The commands' backend over libtorch.
#pragma once

#include <c10/core/Device.h>

#include "cli/backend.h"

namespace clipnext::device {

/// Computes in float32 (exactly: TF32 is off) or under autocast to bfloat16, on the processor or a
/// GPU.
class TorchBackend final : public cli::Backend {
 public:
  void choose_device(const std::string& device) override;
  /// Refuses int8, and packed files, which are laid out for our kernels.
  cli::ReadyModel load(const model::Model& model, ThreadPool& pool,
                       std::optional<infer::ComputeType> type) const override;
  bool has_kernels() const override { return false; }

 private:
  c10::Device device_ = c10::kCPU;
};

}  // namespace clipnext::device
