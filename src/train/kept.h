// What a custom function's backward pass needs of objects that are no tensors.
#pragma once

#include <torch/csrc/autograd/custom_function.h>

#include <cstdint>

namespace clipnext::train {

/// Keeps an object of the caller's, who keeps it alive until the backward pass is over: a graph
/// holds numbers and tensors only.
template <class T>
void keep(torch::autograd::AutogradContext* context, const char* name, const T* value) {
  context->saved_data[name] = reinterpret_cast<int64_t>(value);
}

template <class T>
T* kept(torch::autograd::AutogradContext* context, const char* name) {
  return reinterpret_cast<T*>(
      context->saved_data[name].toInt());  // NOLINT(performance-no-int-to-ptr)
}

}  // namespace clipnext::train
