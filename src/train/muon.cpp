// The momentum of each matrix, made orthogonal by a few Newton-Schulz steps in bfloat16.
#include "train/muon.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "model/muon.h"

namespace clipnext::train {
namespace {

using model::OptimizerOptions;

bool is_batched(const OptimizerOptions& options) { return options.text("conv_mode") == "batched"; }
bool is_adaptive(const OptimizerOptions& options) { return options.text("algo") == "adamuon"; }

at::Tensor with_momentum(Slot& slot, const OptimizerOptions& options) {
  const double momentum = options.number("momentum");
  const at::Tensor gradient = slot.parameter.grad();
  slot.state[0].lerp_(gradient, 1 - momentum);
  return options.flag("nesterov") ? gradient.lerp(slot.state[0], momentum) : slot.state[0];
}

/// A convolution's [out, in, ...] as one matrix, or one for each place of its window.
at::Tensor as_matrices(const at::Tensor& update, bool batched) {
  if (update.dim() == 2) return update;
  if (!batched) return update.flatten(1);       // [out, in * places]
  return update.flatten(2).permute({2, 0, 1});  // [places, out, in]
}

at::Tensor as_parameter(const at::Tensor& matrices, at::IntArrayRef shape) {
  return (matrices.dim() == 2 ? matrices : matrices.permute({1, 2, 0})).reshape(shape);
}

/// Divides by the norm, which is no smaller than the largest singular value.
void normalize(at::Tensor& x, const OptimizerOptions& options, double cols_per_row) {
  const std::array<int64_t, 2> sides{-2, -1};
  const double eps = options.number("eps");
  at::Tensor norm = at::linalg_vector_norm(x, 2, at::IntArrayRef(sides), /*keepdim=*/true);
  norm.mul_(options.number("safety_factor"));
  if (options.flag("scale_eps")) {
    norm.add_(eps * std::sqrt(cols_per_row));  // arXiv:2512.05620
  } else {
    norm.clamp_min_(eps);
  }
  x.div_(norm);
}

/// matrices [..., rows, cols]; singular values go to about 1, and more exactly so with more steps.
at::Tensor orthogonalize(const at::Tensor& matrices, const OptimizerOptions& options) {
  const int64_t rows = matrices.size(-2), cols = matrices.size(-1);
  at::Tensor x = matrices.to(at::kBFloat16, /*non_blocking=*/false, /*copy=*/true);
  if (rows > cols) x = x.mT();
  normalize(x, options, static_cast<double>(cols) / static_cast<double>(rows));
  x = x.contiguous();
  const auto add_product = [](const at::Tensor& to, const at::Tensor& left, const at::Tensor& right,
                              double beta, double alpha) {
    return to.dim() == 2 ? at::addmm(to, left, right, beta, alpha)
                         : at::baddbmm(to, left, right, beta, alpha);
  };
  for (const auto& [a, b, c] : model::newton_schulz_steps(options)) {
    const at::Tensor gram = at::matmul(x, x.mT());
    const at::Tensor even = add_product(gram, gram, gram, b, c);  // b X X^T + c (X X^T)^2
    x = add_product(x, even, x, a, 1);
  }
  return rows > cols ? x.mT() : x;
}

/// AdaMuon's: the entries divided by the root of their mean square, and with `to_unit` the whole by
/// its length.
at::Tensor adapt(const at::Tensor& update, Slot& slot, const OptimizerOptions& options,
                 bool to_unit) {
  const double beta2 = options.pair("betas")[1], eps = options.number("eps");
  at::Tensor& square = slot.state[1];
  square.mul_(beta2).addcmul_(update, update, 1 - beta2);
  if (to_unit) {
    const at::Tensor adapted = update / square.sqrt().add_(eps);
    return adapted / adapted.norm().add_(eps);
  }
  const double correction = 1 - std::pow(beta2, slot.step.item<double>());
  return update / (square / correction).sqrt_().add_(eps);
}

/// What adjust_lr_fn multiplies the learning rate of matrices [..., out, in] by.
double rate_scale(const at::Tensor& matrices, const OptimizerOptions& options) {
  if (options.is_none("adjust_lr_fn")) return 1;
  const std::string& rule = options.text("adjust_lr_fn");
  const auto out = static_cast<double>(matrices.size(-2));
  const auto in = static_cast<double>(matrices.size(-1));
  if (rule == "original") return std::sqrt(std::max(1.0, out / in));
  if (rule == "rms_to_rms") return std::sqrt(out / in);
  if (rule == "rsqrt_in") return 1 / std::sqrt(in);
  // match_rms_adamw: entries of about 0.2, as AdamW's are. AdaMuon's update is of length 1.
  const double entries =
      is_adaptive(options) ? static_cast<double>(matrices.numel()) : std::max(out, in);
  return 0.2 * std::sqrt(entries);
}

void update_matrix(Slot& slot, const UpdateContext& context) {
  const OptimizerOptions& options = context.options;
  slot.parameter.mul_(1 - context.lr * context.weight_decay);
  const at::Tensor momentum = as_matrices(with_momentum(slot, options), is_batched(options));
  const at::Tensor matrices = orthogonalize(momentum, options);
  double scale = rate_scale(matrices, options);
  if (matrices.dim() == 3 && options.flag("normalize_spatial")) {
    scale /= std::sqrt(static_cast<double>(matrices.size(0)));
  }
  at::Tensor update = as_parameter(matrices, slot.parameter.sizes());
  if (is_adaptive(options)) {
    const bool to_unit =
        !options.is_none("adjust_lr_fn") && options.text("adjust_lr_fn") == "match_rms_adamw";
    update = adapt(update, slot, options, to_unit);
  }
  slot.parameter.add_(update, -context.lr * scale);
}

/// AdamW, with Nesterov's momentum where Muon has it.
void fall_back(std::span<Slot* const> slots, const UpdateContext& context) {
  const bool nesterov = context.options.flag("nesterov");
  model::OptimizerKind kind = model::optimizer_kind(nesterov ? "timm/nadamw" : "timm/adamw");
  kind.options.set("betas", context.options.pair("betas"));
  kind.options.set("eps", context.options.number("eps"));
  const double lr = context.lr * context.options.number("fallback_lr_scale");
  update_rule(kind.rule)(slots,
                         {.options = kind.options, .lr = lr, .weight_decay = context.weight_decay});
}

}  // namespace

void muon(std::span<Slot* const> slots, const UpdateContext& context) {
  std::vector<Slot*> left;
  for (Slot* slot : slots) {
    if (slot->by_muon) {
      update_matrix(*slot, context);
    } else {
      left.push_back(slot);
    }
  }
  if (!left.empty()) fall_back(left, context);
}

}  // namespace clipnext::train
