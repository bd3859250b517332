#include "train/device.h"

#include <ATen/ATen.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <dlfcn.h>

#include <cstring>

namespace clipnext::train {
namespace {

/// What libtorch says when it is to begin with CUDA and cannot.
std::string why_no_gpu() {
  try {
    translated([] { at::globalContext().lazyInitDevice(at::kCUDA); });
  } catch (const Error& error) {
    return error.what();
  }
  return "libtorch found no GPU";
}

// libtorch remembers that it has no CUDA from the first time it is asked, so the library comes
// first.
Gpus look_for_gpus() {
  if (!c10::impl::hasDeviceGuardImpl(at::kCUDA) &&
      dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    return {.count = 0,
            .why_none = std::string("this libtorch has no CUDA (") + dlerror() +
                        "); docs/train.md says how to build with one that has"};
  }
  const c10::DeviceIndex count = c10::impl::getDeviceGuardImpl(at::kCUDA)->deviceCount();
  return {.count = count, .why_none = count > 0 ? "" : why_no_gpu()};
}

}  // namespace

const Gpus& find_gpus() {
  static const Gpus gpus = look_for_gpus();
  return gpus;
}

at::Device device_among(const std::string& name, const Gpus& gpus) {
  at::Device device(name);
  if (device.is_cpu()) return device;
  require(gpus.count > 0, "--device ", name, ": ", gpus.why_none, "; --device cpu needs none");
  if (!device.has_index()) device.set_index(0);
  require(device.index() < gpus.count, "--device ", name, ": there ",
          gpus.count == 1 ? "is 1 GPU, cuda:0"
                          : "are " + std::to_string(gpus.count) +
                                " GPUs, cuda:0 to cuda:" + std::to_string(gpus.count - 1));
  return device;
}

at::Device find_device(const std::string& name) {
  return name == "cpu" ? at::Device(at::kCPU) : device_among(name, find_gpus());
}

void use_device(at::Device device) {
  if (device.has_index()) c10::impl::getDeviceGuardImpl(device.type())->setDevice(device);
}

void allow_fast_training() {
  at::Context& context = at::globalContext();
  context.setAllowTF32CuBLAS(true);
  context.setAllowTF32CuDNN(true);
  context.setBenchmarkCuDNN(true);
}

at::Tensor send(const at::Tensor& values, at::Device device) {
  if (device.is_cpu()) return values;
  // A plain copy: libtorch's would start its own threads beside those that decode.
  const at::Tensor whole = values.contiguous();
  const at::Tensor pinned = at::empty(whole.sizes(), whole.options().pinned_memory(true));
  std::memcpy(pinned.data_ptr(), whole.const_data_ptr(), whole.nbytes());
  return pinned.to(device, /*non_blocking=*/true);
}

}  // namespace clipnext::train
