#include "train/mlp.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "kernels/kernels.h"
#include "train/parallel.h"

namespace clipnext::train {
namespace {

using kernels::Epilogue;
using kernels::kPackedColumns;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// A Linear's weight [n, k] as gemm_f32 takes it.
struct Packed {
  at::Tensor values;
  int64_t n, k;
};

Packed pack(const at::Tensor& weight) {
  const at::Tensor w = weight.contiguous();
  Packed packed{.values = at::empty({kernels::packed_columns(w.size(0)) * w.size(1)}, w.options()),
                .n = w.size(0),
                .k = w.size(1)};
  const float* from = w.const_data_ptr<float>();
  float* to = packed.values.data_ptr<float>();
  const int64_t panels = (packed.n + kPackedColumns - 1) / kPackedColumns;
  parallel_for(panels, [&](int64_t panel) {
    const int64_t first = panel * kPackedColumns;
    kernels::kernels().pack_f32(from + first * packed.k, packed.k,
                                std::min(kPackedColumns, packed.n - first), packed.k,
                                to + first * packed.k);
  });
  return packed;
}

/// c [m, n] = epilogue(a [m, k] times w transposed).
void multiply(const float* a, const Packed& w, int64_t m, const Epilogue& epilogue, float* c) {
  kernels::kernels().gemm_f32(a, w.k, w.values.const_data_ptr<float>(), m, w.n, w.k, epilogue, c,
                              w.n);
}

/// Which samples drop path keeps, and what it multiplies them with.
struct Kept {
  std::vector<bool> samples;  // empty: all
  float factor = 1;
};

Kept kept_of(const at::Tensor& keep) {
  Kept kept;
  if (!keep.defined()) return kept;
  const at::Tensor flat = keep.flatten().contiguous();
  const float* values = flat.const_data_ptr<float>();
  for (int64_t i = 0; i < flat.numel(); ++i) {
    kept.samples.push_back(values[i] != 0);
    if (values[i] != 0) kept.factor = values[i];
  }
  return kept;
}

/// Consecutive rows to be computed, or not.
struct Piece {
  int64_t begin, end;
  bool kept;
};

/// All rows in pieces that threads take in turn; small enough for the hidden layer to stay in
/// cache.
std::vector<Piece> pieces_of(int64_t rows, int64_t hidden, const Kept& kept) {
  constexpr int64_t kCacheFloats = 1 << 18;
  const int64_t fair = rows / (4 * int64_t{at::get_num_threads()});
  const int64_t most = std::clamp<int64_t>(std::min(kCacheFloats / hidden, fair), 56, 224);
  std::vector<Piece> pieces;
  const auto divide = [&](int64_t begin, int64_t end, bool computed) {
    const int64_t parts = (end - begin + most - 1) / most;
    for (int64_t i = 0; i < parts; ++i) {
      pieces.push_back(
          {begin + (end - begin) * i / parts, begin + (end - begin) * (i + 1) / parts, computed});
    }
  };
  const auto n = static_cast<int64_t>(kept.samples.size());
  if (n == 0) divide(0, rows, true);
  for (int64_t i = 0; i < n;) {
    int64_t j = i + 1;
    while (j < n && kept.samples[static_cast<size_t>(j)] == kept.samples[static_cast<size_t>(i)]) {
      ++j;
    }
    divide(rows / n * i, rows / n * j, kept.samples[static_cast<size_t>(i)]);
    i = j;
  }
  return pieces;
}

template <class F>
void for_each_piece(const std::vector<Piece>& pieces, const F& f) {
  parallel_for(static_cast<int64_t>(pieces.size()),
               [&](int64_t i) { f(pieces[static_cast<size_t>(i)]); });
}

/// gamma times drop path's factor; undefined if that is 1 throughout.
at::Tensor scale_of(const at::Tensor& gamma, const Kept& kept, int64_t c) {
  if (gamma.defined()) return kept.factor == 1 ? gamma.contiguous() : gamma * kept.factor;
  if (kept.factor == 1) return {};
  return at::full({c}, kept.factor, at::kFloat);
}

using MaybeTensor = std::optional<at::Tensor>;

MaybeTensor if_defined(const at::Tensor& x) { return x.defined() ? MaybeTensor(x) : std::nullopt; }

const float* data(const at::Tensor& x) { return x.defined() ? x.const_data_ptr<float>() : nullptr; }

struct AddMlp : torch::autograd::Function<AddMlp> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& residual,
                            const at::Tensor& input, const at::Tensor& fc1_weight,
                            const at::Tensor& fc1_bias, const at::Tensor& fc2_weight,
                            const at::Tensor& fc2_bias, const MaybeTensor& maybe_gamma,
                            const MaybeTensor& maybe_keep) {
    const at::Tensor gamma = maybe_gamma.value_or(at::Tensor());
    const at::Tensor keep = maybe_keep.value_or(at::Tensor());
    const at::Tensor x = residual.contiguous();
    const at::Tensor h = input.contiguous();
    const int64_t c = x.size(-1);
    const int64_t rows = x.numel() / c;
    const int64_t hidden = fc1_weight.size(0);
    const Kept kept = kept_of(keep);
    const at::Tensor scale = scale_of(gamma, kept, c);
    const Packed fc1 = pack(fc1_weight);
    const Packed fc2 = pack(fc2_weight);
    at::Tensor z = at::empty({rows, hidden}, x.options());
    at::Tensor y = at::empty_like(x);
    const float* x_data = x.const_data_ptr<float>();
    const float* h_data = h.const_data_ptr<float>();
    float* z_data = z.data_ptr<float>();
    float* y_data = y.data_ptr<float>();
    const at::Tensor bias1 = fc1_bias.contiguous();
    const at::Tensor bias2 = fc2_bias.contiguous();
    for_each_piece(pieces_of(rows, hidden, kept), [&](const Piece& piece) {
      const int64_t m = piece.end - piece.begin;
      const float* from = x_data + piece.begin * c;
      float* to = y_data + piece.begin * c;
      float* inside = z_data + piece.begin * hidden;
      if (!piece.kept) {
        std::memcpy(to, from, static_cast<size_t>(m * c) * sizeof(float));
        return;
      }
      multiply(h_data + piece.begin * c, fc1, m, {.bias = data(bias1)}, inside);
      const at::Tensor active = at::empty({m * hidden}, z.options());
      kernels::kernels().activation(inside, m * hidden, kernels::Act::kGelu,
                                    active.data_ptr<float>());
      multiply(data(active), fc2, m,
               {.bias = data(bias2), .scale = data(scale), .residual = from, .ld_residual = c}, to);
    });
    ctx->save_for_backward({h, z, fc1_weight, fc2_weight, fc2_bias, gamma, keep});
    return y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor& h = saved[0];
    const at::Tensor& z = saved[1];
    const at::Tensor& fc2_weight = saved[3];
    const at::Tensor& gamma = saved[5];
    const Kept kept = kept_of(saved[6]);
    const at::Tensor g = grads[0].contiguous();
    const int64_t c = g.size(-1);
    const int64_t rows = z.size(0);
    const int64_t hidden = z.size(1);
    const at::Tensor scale = scale_of(gamma, kept, c);

    // Of gelu(z) and of z; rows that were dropped are zero.
    at::Tensor active = at::empty_like(z);
    at::Tensor dz = at::empty_like(z);
    at::Tensor dh = at::empty_like(h);
    {
      const Packed back2 =
          pack((scale.defined() ? fc2_weight * scale.unsqueeze(1) : fc2_weight).t());
      const Packed back1 = pack(saved[2].t());
      const float* g_data = g.const_data_ptr<float>();
      const float* z_data = z.const_data_ptr<float>();
      float* active_data = active.data_ptr<float>();
      float* dz_data = dz.data_ptr<float>();
      float* dh_data = dh.data_ptr<float>();
      for_each_piece(pieces_of(rows, hidden, kept), [&](const Piece& piece) {
        const int64_t m = piece.end - piece.begin;
        const int64_t at = piece.begin * hidden;
        if (!piece.kept) {
          std::fill_n(active_data + at, m * hidden, 0.0F);
          std::fill_n(dz_data + at, m * hidden, 0.0F);
          std::fill_n(dh_data + piece.begin * c, m * c, 0.0F);
          return;
        }
        multiply(g_data + piece.begin * c, back2, m, {}, dz_data + at);
        kernels::kernels().gelu_grad(z_data + at, dz_data + at, m * hidden, active_data + at,
                                     dz_data + at);
        multiply(dz_data + at, back1, m, {}, dh_data + piece.begin * c);
      });
    }

    variable_list results(8);
    results[0] = g;
    results[1] = dh;
    if (ctx->needs_input_grad(2)) results[2] = at::mm(dz.t(), h.view({rows, c}));
    if (ctx->needs_input_grad(3)) results[3] = dz.sum(0);
    if (!ctx->needs_input_grad(4) && !ctx->needs_input_grad(5)) return results;
    // With u = fc2's result and p = gᵀ gelu(z): fc2's gradient is gamma p, and gamma's, the sum of
    // g u, follows from p and the weight without u.
    at::Tensor kept_sum = kept_gradient_sum(g, saved[6], kept);  // [c]
    at::Tensor p = at::mm(g.view({rows, c}).t(), active);        // [c, hidden]
    if (kept.factor != 1) p.mul_(kept.factor);
    if (gamma.defined()) {
      results[6] = (p * fc2_weight).sum(1) + saved[4] * kept_sum;
      kept_sum = kept_sum * gamma;
      p.mul_(gamma.unsqueeze(1));
    }
    results[4] = p;
    results[5] = kept_sum;
    return results;
  }

  /// Sum over all rows of keep * g, [c].
  static at::Tensor kept_gradient_sum(const at::Tensor& g, const at::Tensor& keep,
                                      const Kept& kept) {
    const int64_t c = g.size(-1);
    if (kept.samples.empty()) return g.view({-1, c}).sum(0);
    const auto n = static_cast<int64_t>(kept.samples.size());
    return at::mv(g.view({n, -1, c}).sum(1).t(), keep.flatten());
  }
};

}  // namespace

at::Tensor add_mlp(const at::Tensor& x, const at::Tensor& h, const Mlp& mlp,
                   const at::Tensor& keep) {
  return AddMlp::apply(x, h, mlp.fc1_weight, mlp.fc1_bias, mlp.fc2_weight, mlp.fc2_bias,
                       if_defined(mlp.gamma), if_defined(keep));
}

}  // namespace clipnext::train
