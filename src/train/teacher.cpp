#include "train/teacher.h"

#include <ATen/core/grad_mode.h>

#include <utility>
#include <variant>

#include "base/error.h"
#include "run/training_config.h"
#include "train/clip.h"

namespace clipnext::train {
namespace {

/// It is given what the student is given.
void require_shared_batches(const model::ClipConfig& teacher, const model::ClipConfig& student) {
  const auto refuse_unlike = [&](const char* what, int64_t of_teacher, int64_t of_student) {
    require(of_teacher == of_student, "--distill-model ", teacher.name, ": has a ", what, " of ",
            of_teacher, ", the student ", student.name, " one of ", of_student,
            "; both see the same batches");
  };
  refuse_unlike("vocabulary", teacher.text.vocab_size, student.text.vocab_size);
  refuse_unlike("context length", teacher.text.context_length, student.text.context_length);
  if (!std::holds_alternative<model::ConvNextConfig>(teacher.vision)) {
    refuse_unlike("picture height", teacher.image_height, student.image_height);
    refuse_unlike("picture width", teacher.image_width, student.image_width);
  }
  for (const model::ClipConfig* config : {&teacher, &student}) {
    require(!config->has_logit_bias, "--distill-model ", teacher.name, ": ", config->name,
            " has a logit bias (--siglip, init_logit_bias), and distillation is of contrastive "
            "models without");
  }
}

}  // namespace

TeacherFeatures Teacher::features(const at::Tensor& pixels, const model::TokenRows& tokens,
                                  std::optional<at::ScalarType> autocast) const {
  const at::NoGradGuard no_grad;
  const Mode mode{.autocast = autocast};
  const UnitFeatures unit = unit_features(params, config, pixels, tokens, mode);
  return {.image = unit.image.to(at::kFloat),
          .text = unit.text.to(at::kFloat),
          .scale = params.logit_scale.to(at::kFloat).exp()};
}

std::optional<Teacher> open_teacher(const run::TrainOptions& options,
                                    const model::ClipConfig& student, const Precision& precision,
                                    at::Device device, std::vector<std::string>& notes) {
  if (!options.distill_model) return std::nullopt;
  Teacher teacher{.config = run::teacher_config(options), .params = {}};
  require_shared_batches(teacher.config, student);
  const model::ClipConfig& config = teacher.config;
  if (config.preprocess.mean != student.preprocess.mean ||
      config.preprocess.std != student.preprocess.std) {
    notes.push_back("--distill-model " + config.name +
                    ": was trained on pictures of another mean and deviation than the student, "
                    "whose it is given");
  }
  const std::string& file = *options.distill_pretrained;
  teacher.params =
      from_tensors(config, open_weights(file, "--distill-pretrained").tensors, file, device);
  cast(teacher.params, config, precision);
  for_each_param(teacher.params, config,
                 [](at::Tensor& t, const model::ParamInfo&) { t.set_requires_grad(false); });
  return teacher;
}

}  // namespace clipnext::train
