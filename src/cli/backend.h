// Who computes: the seam between the commands and the two programs that have them, `clipnext` over
// the kernels of infer/ and `clipnext-torch` over libtorch.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "infer/compute_type.h"
#include "model/embedder.h"
#include "model/source.h"

namespace clipnext::cli {

/// A model ready to compute.
struct ReadyModel {
  std::unique_ptr<model::Embedder> clip;
  infer::ComputeType type = infer::ComputeType::kFp32;  // the narrowest of any of its products
  std::string isa;  // whose arithmetic: the kernels' instruction set, or "libtorch cuda:0"
};

/// What a program computes vectors with.
class Backend {
 public:
  virtual ~Backend() = default;
  /// Where to compute: "cpu", "cuda" or "cuda:N". A command calls it before it does anything, since
  /// the same command line may go on in the other program. Throws Error that says what there is if
  /// the device is not there.
  virtual void choose_device(const std::string& device) = 0;
  /// `type`: nothing is fp32, or that of a packed file. The pool must outlive the result.
  virtual ReadyModel load(const model::Model& model, ThreadPool& pool,
                          std::optional<infer::ComputeType> type) const = 0;
  /// Whether it computes with our kernels, so that what is known of them holds: `bench` their
  /// ceilings.
  virtual bool has_kernels() const = 0;
};

/// This processor by our kernels; every other device is the work of `clipnext-torch`.
class KernelBackend final : public Backend {
 public:
  /// `arguments`: the command line without the program, for the other program.
  explicit KernelBackend(std::vector<std::string> arguments) : arguments_(std::move(arguments)) {}

  void choose_device(const std::string& device) override;
  ReadyModel load(const model::Model& model, ThreadPool& pool,
                  std::optional<infer::ComputeType> type) const override;
  bool has_kernels() const override { return true; }

 private:
  std::vector<std::string> arguments_;
};

}  // namespace clipnext::cli
