// For tests only: checkpoints of a few small tensors.
#pragma once

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/test_folder.h"
#include "soup/ingredient.h"
#include "weights/checkpoint.h"

namespace clipnext::soup {

/// Values around 0 of many magnitudes, by rule.
inline std::vector<float> values_of(uint64_t seed, size_t count) {
  std::vector<float> values(count);
  RandomStream random(random_key(7, seed));
  for (float& value : values) {
    value = static_cast<float>(random.normal() * std::pow(10.0, random.uniform(-6, 2)));
  }
  return values;
}

/// A model of a few tensors.
inline weights::TensorMap small_model(uint64_t seed) {
  weights::TensorMap tensors;
  tensors["visual.head.proj.weight"] = weights::make_tensor({37, 131}, values_of(seed, 37 * 131));
  tensors["visual.trunk.stem.0.bias"] = weights::make_tensor({5}, values_of(seed + 100, 5));
  tensors["token_embedding.weight"] =
      weights::make_tensor({70, 64}, values_of(seed + 200, 70 * 64));
  tensors["ln_final.weight"] = weights::make_tensor({64}, values_of(seed + 300, 64));
  tensors["logit_scale"] = weights::make_tensor({}, std::vector<float>{4.5f});
  return tensors;
}

template <class T>
weights::Tensor tensor_of(weights::DType dtype, weights::Shape shape,
                          const std::vector<T>& values) {
  weights::NewTensor made = weights::allocate_tensor(dtype, std::move(shape));
  std::memcpy(made.bytes.data(), values.data(), values.size() * sizeof(T));
  return std::move(made.tensor);
}

/// An ingredient that is no file.
inline Ingredient in_memory(std::string name, weights::TensorMap tensors) {
  Ingredient ingredient;
  ingredient.given = name;
  ingredient.name = std::move(name);
  ingredient.tensors = std::move(tensors);
  return ingredient;
}

/// The bytes of a tensor, to compare bit for bit.
inline std::string bits(const weights::Tensor& tensor) {
  return {reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size()};
}

}  // namespace clipnext::soup
