#include "device/torch_backend.h"

#include <ATen/Context.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/json.h"
#include "model/config.h"
#include "model/synthetic.h"

namespace clipnext::device {
namespace {

/// A small model with weights by rule.
model::Model small_model(ThreadPool& pool) {
  model::Model model;
  model.config = model::parse_model_config(Json::parse(R"({
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 8, "vocab_size": 64, "width": 32, "heads": 2, "layers": 1}})"),
                                           "small", "small");
  model.name = "small";
  model.checkpoint.tensors = model::synthetic_weights(model.config, pool);
  return model;
}

TEST(TorchBackend, KeepsFloat32WhereADeviceWouldShortenIt) {
  TorchBackend backend;
  backend.choose_device("cpu");
  EXPECT_FALSE(at::globalContext().allowTF32CuBLAS());
  EXPECT_FALSE(at::globalContext().allowTF32CuDNN());
  EXPECT_FALSE(backend.has_kernels());
}

TEST(TorchBackend, SaysInWhatItComputes) {
  ThreadPool pool(1);
  TorchBackend backend;
  const model::Model model = small_model(pool);
  const cli::ReadyModel plain = backend.load(model, pool, std::nullopt);
  EXPECT_EQ(plain.type, infer::ComputeType::kFp32);
  EXPECT_EQ(plain.isa, "libtorch cpu");
  EXPECT_EQ(backend.load(model, pool, infer::ComputeType::kBf16).type, infer::ComputeType::kBf16);
  EXPECT_THROW(backend.load(model, pool, infer::ComputeType::kInt8), Error);
}

TEST(TorchBackend, NamesTheTensorThatDoesNotFit) {
  ThreadPool pool(1);
  model::Model model = small_model(pool);
  model.checkpoint.tensors.erase("logit_scale");
  try {
    TorchBackend().load(model, pool, std::nullopt);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("logit_scale"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace clipnext::device
