#include "device/torch_backend.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include "base/error.h"
#include "infer/packed_file.h"
#include "train/device.h"
#include "train/embedder.h"

namespace clipnext::device {
namespace {

constexpr const char* kElsewhere = "; --device cpu computes with it, by the program's own kernels";

void check(const model::Model& model, infer::ComputeType type) {
  const auto packed = infer::read_packed_info(model.checkpoint, model.name);
  require(!packed, model.name, ": is packed for the kernels of a processor, not for libtorch; use ",
          "the weights it was made from (", packed ? packed->model : "", ")", kElsewhere);
  require(type != infer::ComputeType::kInt8, "--dtype int8: libtorch computes in fp32 or bf16 here",
          kElsewhere);
}

}  // namespace

void TorchBackend::choose_device(const std::string& device) {
  device_ = train::find_device(device);
  // float32 as written, and sums of bfloat16 in float32, whatever the device would rather do.
  at::Context& context = at::globalContext();
  context.setAllowTF32CuBLAS(false);
  context.setAllowTF32CuDNN(false);
  context.setAllowBF16ReductionCuBLAS(false);
  context.setDeterministicCuDNN(true);
}

cli::ReadyModel TorchBackend::load(const model::Model& model, ThreadPool& pool,
                                   std::optional<infer::ComputeType> type) const {
  const infer::ComputeType found = type.value_or(infer::ComputeType::kFp32);
  check(model, found);
  at::set_num_threads(pool.size());
  const bool half = found == infer::ComputeType::kBf16;
  auto params = train::translated([&] {
    return std::make_shared<const train::Params>(
        train::from_tensors(model.config, model.checkpoint.tensors, model.name, device_));
  });
  return {.clip = std::make_unique<train::Clip>(model.config, std::move(params),
                                                half ? std::optional(at::kBFloat16) : std::nullopt),
          .type = found,
          .isa = "libtorch " + device_.str()};
}

}  // namespace clipnext::device
