// GPUs, by what libtorch has for every kind of device: nothing here needs CUDA to be compiled.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/util/Exception.h>

#include <string>

#include "base/error.h"

namespace clipnext::train {

/// The GPUs of this machine; if there are none, why.
struct Gpus {
  c10::DeviceIndex count = 0;
  std::string why_none;
};

/// Those that libtorch can use. Its CUDA library is loaded here, at the first call, where the
/// program is not linked with it: a process that computes on the processor never waits for it. Ask
/// before anything else of libtorch.
const Gpus& find_gpus();

/// The device of that name among them: cpu, cuda (which is cuda:0), cuda:N. Throws Error that says
/// what was found if it is not there.
at::Device device_among(const std::string& name, const Gpus& gpus);

/// device_among(name, find_gpus()), which cpu does not ask for GPUs.
at::Device find_device(const std::string& name);

/// Makes it what "cuda" without a number stands for in this thread.
void use_device(at::Device device);

/// What the reference's trainer asks of a GPU: TF32 in products and convolutions of float32, and
/// the fastest of cuDNN's algorithms, found by trying (spec: training.md 2.7, 3.1). Where the
/// environment says NVIDIA_TF32_OVERRIDE=0, NVIDIA's libraries use no TF32 all the same.
void allow_fast_training();

/// What lies on the CPU, on the device: itself, or a copy by way of pinned memory, in the order of
/// this thread's stream, which the thread does not wait for.
at::Tensor send(const at::Tensor& values, at::Device device);

/// What `work` gives; libtorch's errors become ours, the first line of their message.
template <class F>
auto translated(const F& work) {
  try {
    return work();
  } catch (const c10::Error& error) {
    const std::string text = error.what_without_backtrace();
    throw Error(text.substr(0, text.find('\n')));
  }
}

}  // namespace clipnext::train
