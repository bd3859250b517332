// From the options to a model that can be trained.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/cpu.h"
#include "model/config.h"
#include "run/options.h"
#include "text/tokenizer.h"
#include "train/optimizer.h"
#include "train/params.h"
#include "train/step.h"
#include "weights/checkpoint.h"

namespace clipnext::train {

/// Throws Error for an optimizer that is not here or whose options have no meaning, for
/// --pretrained-image where the image tower is not timm's, and for a run that has nothing to do.
void require_supported(const run::TrainOptions& options, const model::ClipConfig& config);

/// The vocabulary that goes with it.
std::shared_ptr<const text::Tokenizer> training_tokenizer(const run::TrainOptions& options,
                                                          const model::ClipConfig& config);

/// Weights that an option names by their file. Throws Error for one that is not there or packed.
weights::Checkpoint open_weights(const std::string& file, const std::string& option);

/// Parameters to begin with: those of --pretrained, else of the folder that --model names, else
/// drawn at random. With --pretrained-loose tensors that do not fit, or are missing, stay random,
/// and are named in `notes`. Throws Error that lists what does not fit.
Params initial_params(const run::TrainOptions& options, const model::ClipConfig& config,
                      at::Device device, std::vector<std::string>& notes);

/// --pretrained-image: timm's weights (model::timm_weights) into the trunk of a model that has one,
/// unless a checkpoint brings all weights, which `notes` then says. Returns their file; empty if
/// there are none. Throws Error that lists what does not fit.
std::string load_image_weights(const run::TrainOptions& options, const model::ClipConfig& config,
                               Params& params, std::vector<std::string>& notes);

/// --precision: what is cast, and what autocast computes in.
struct Precision {
  std::optional<at::ScalarType> parameters = std::nullopt;
  bool pure = false;
  std::optional<at::ScalarType> autocast = std::nullopt;
  bool loss_scaling = false;
};
Precision parse_precision(const std::string& name);
/// What to say of one that `device`, if it is this processor, can only compute very slowly; empty
/// where there is nothing to say.
std::string slow_precision_note(const Precision& precision, at::Device device,
                                const kernels::Cpu& cpu);

/// Casts parameters as it says.
void cast(Params& params, const model::ClipConfig& config, const Precision& precision);

/// What the options say of a step.
StepOptions step_options(const run::TrainOptions& options, const Precision& precision);

/// The optimizer over the parameters that the options leave trainable, in the reference's groups
/// and order; the others no longer require gradients.
Optimizer make_optimizer(const run::TrainOptions& options, const model::ClipConfig& config,
                         Params& params);

}  // namespace clipnext::train
