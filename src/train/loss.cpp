#include "train/loss.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace clipnext::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Both towers' features of a run of pairs: rows `first` .. first + image.size(0) - 1 of all.
struct Columns {
  int64_t first = 0;
  at::Tensor image, text;
};

/// All ranks' features, a tile at a time, wherever they are.
class AllFeatures {
 public:
  AllFeatures(at::Tensor image, at::Tensor text, Group& group, const LossOptions& options)
      : group_(group), tile_(options.tile), local_{0, std::move(image), std::move(text)} {
    local_.first = group.rank() * local_.image.size(0);
    if (options.memory == FeatureMemory::kGather && group.size() > 1) {
      all_ = {0, group.all_gather(local_.image), group.all_gather(local_.text)};
    }
  }

  /// f(const Columns&) for every tile. The same number of times in every rank.
  template <class F>
  void for_each_tile(const F& f) const {
    if (group_.size() == 1) return cut(local_, f);
    if (all_.image.defined()) return cut(all_, f);
    for (int64_t rank = 0; rank < group_.size(); ++rank) {
      Columns sent{rank * local_.image.size(0), received(local_.image, rank),
                   received(local_.text, rank)};
      cut(sent, f);
    }
  }

 private:
  at::Tensor received(const at::Tensor& mine, int64_t rank) const {
    at::Tensor sent = rank == group_.rank() ? mine.contiguous() : mine.clone();
    group_.broadcast(sent, rank);
    return sent;
  }

  template <class F>
  void cut(const Columns& all, const F& f) const {
    const int64_t n = all.image.size(0);
    for (int64_t at = 0; at < n; at += tile_) {
      const int64_t size = std::min(tile_, n - at);
      f(Columns{all.first + at, all.image.narrow(0, at, size), all.text.narrow(0, at, size)});
    }
  }

  Group& group_;
  int64_t tile_;
  Columns local_, all_;
};

/// a b^t with both rounded to `type`, as autocast multiplies; the product float32 again.
at::Tensor product(const at::Tensor& a, const at::Tensor& b, std::optional<at::ScalarType> type) {
  if (!type) return a.matmul(b.t());
  return a.to(*type).matmul(b.to(*type).t()).to(at::kFloat);
}

/// g t, likewise.
at::Tensor weighted_sum(const at::Tensor& g, const at::Tensor& t,
                        std::optional<at::ScalarType> type) {
  if (!type) return g.matmul(t);
  return g.to(*type).matmul(t.to(*type)).to(at::kFloat);
}

/// What the backward passes share: a tower's own rows, and what they have come to.
struct Side {
  at::Tensor scaled;    // [b, d] features times scale
  at::Tensor gradient;  // [b, d]
};

/// The diagonal of a tile that may hold a part of it: for row i of this rank, column own + i.
/// Empty if the tile has none.
struct Diagonal {
  Diagonal(const Columns& columns, int64_t own, int64_t rows)
      : begin(std::max<int64_t>(0, columns.first - own)),
        size(std::min(rows, columns.first + columns.image.size(0) - own) - begin),
        column(own + begin - columns.first) {}

  /// The elements, as a view of logits [rows, tile].
  at::Tensor of(const at::Tensor& logits) const {
    return logits.narrow(0, begin, size).narrow(1, column, size).diagonal();
  }

  int64_t begin, size, column;
};

/// log of the sum of exponentials of rows that come in pieces.
class LogSum {
 public:
  explicit LogSum(const at::Tensor& like)
      : most_(at::full({like.size(0)}, -INFINITY, like.options())), sum_(at::zeros_like(most_)) {}

  void add(const at::Tensor& logits) {
    const at::Tensor most = at::maximum(most_, logits.amax(1));
    sum_.mul_((most_ - most).exp_()).add_((logits - most.unsqueeze(1)).exp_().sum(1));
    most_ = most;
  }

  at::Tensor value() const { return sum_.log().add_(most_); }

 private:
  at::Tensor most_, sum_;
};

/// What the backward pass needs of the caller's, who keeps it until then: a graph holds numbers and
/// tensors only.
template <class T>
void keep(AutogradContext* context, const char* name, const T* value) {
  context->saved_data[name] = reinterpret_cast<int64_t>(value);
}
template <class T>
T* kept(AutogradContext* context, const char* name) {
  return reinterpret_cast<T*>(
      context->saved_data[name].toInt());  // NOLINT(performance-no-int-to-ptr)
}

struct Contrastive : torch::autograd::Function<Contrastive> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& image,
                            const at::Tensor& text, const at::Tensor& scale, const at::Tensor& bias,
                            bool biased, Group* group, const LossOptions* options) {
    const int64_t rows = image.size(0);
    const int64_t own = group->rank() * rows;
    const AllFeatures all(image, text, *group, *options);
    const at::Tensor image_scaled = image * scale;
    const at::Tensor text_scaled = text * scale;
    LogSum image_sum(image), text_sum(text);
    at::Tensor right = at::zeros({2, rows}, image.options());  // logits of the true pairs
    const auto add = [&](const Columns& columns, const at::Tensor& scaled, const at::Tensor& others,
                         LogSum& sum, const at::Tensor& hits) {
      at::Tensor logits = product(scaled, others, options->logits_type);
      if (biased) logits.add_(bias);
      const Diagonal diagonal(columns, own, rows);
      if (diagonal.size > 0) {
        hits.narrow(0, diagonal.begin, diagonal.size).copy_(diagonal.of(logits));
      }
      sum.add(logits);
    };
    all.for_each_tile([&](const Columns& columns) {
      add(columns, image_scaled, columns.text, image_sum, right[0]);
      add(columns, text_scaled, columns.image, text_sum, right[1]);
    });
    const at::Tensor sums = at::stack({image_sum.value(), text_sum.value()}, 1);  // [b, 2]
    context->save_for_backward({image, text, scale, bias, group->all_gather(sums)});
    context->saved_data["biased"] = biased;
    keep(context, "group", group);
    keep(context, "options", options);
    return (sums.sum() - right.sum()) / (2.0 * static_cast<double>(rows));
  }

  static variable_list backward(AutogradContext* context, const variable_list& incoming) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &image = saved[0], &text = saved[1], &scale = saved[2], &bias = saved[3];
    const at::Tensor& sums = saved[4];  // [N, 2]: of image rows, of text rows
    auto& group = *kept<Group>(context, "group");
    const auto& options = *kept<const LossOptions>(context, "options");
    const bool biased = context->saved_data["biased"].toBool();
    const int64_t rows = image.size(0);
    const int64_t own = group.rank() * rows;
    const AllFeatures all(image, text, group, options);
    Side images{image * scale, at::zeros_like(image)};
    Side texts{text * scale, at::zeros_like(text)};
    at::Tensor for_scale = at::zeros({}, image.options());

    // softmax over the row's own tower, plus that of the column's tower, less 1 for the true pair.
    const auto add = [&](const Columns& columns, const at::Tensor& others, int64_t tower,
                         Side& side) {
      at::Tensor logits = product(side.scaled, others, options.logits_type);
      if (biased) logits.add_(bias);
      const at::Tensor mine = sums.narrow(0, own, rows).select(1, tower).unsqueeze(1);
      const at::Tensor theirs =
          sums.narrow(0, columns.first, others.size(0)).select(1, 1 - tower).unsqueeze(0);
      at::Tensor g = (logits - mine).exp_();  // [b, tile]
      const Diagonal diagonal(columns, own, rows);
      if (diagonal.size > 0) diagonal.of(g).sub_(1);
      // Through the cosine that this row's own cross-entropy multiplies by the scale.
      for_scale.add_((biased ? g * (logits - bias) : g * logits).sum());
      g.add_(logits.sub_(theirs).exp_());
      if (diagonal.size > 0) diagonal.of(g).sub_(1);
      side.gradient.add_(weighted_sum(g, others, options.logits_type));
    };
    all.for_each_tile([&](const Columns& columns) {
      add(columns, columns.text, 0, images);
      add(columns, columns.image, 1, texts);
    });

    const at::Tensor each = incoming[0] / (2.0 * static_cast<double>(rows));
    at::Tensor towers = each * scale;
    if (options.gradient == FeatureGradient::kShare) {
      towers = towers / static_cast<double>(group.size());
    }
    // A softmax does not see what is added to all its logits.
    return {images.gradient.mul_(towers),
            texts.gradient.mul_(towers),
            (for_scale * each / scale).reshape(scale.sizes()),
            at::zeros_like(bias),
            {},
            {},
            {}};
  }
};

struct Sigmoid : torch::autograd::Function<Sigmoid> {
  /// +1 for the true pair, -1 for all others, times logits.
  static at::Tensor signed_logits(const Columns& columns, const at::Tensor& logits, int64_t own) {
    at::Tensor z = -logits;
    const Diagonal diagonal(columns, own, logits.size(0));
    if (diagonal.size > 0) diagonal.of(z).neg_();
    return z;
  }

  static at::Tensor forward(AutogradContext* context, const at::Tensor& image,
                            const at::Tensor& text, const at::Tensor& scale, const at::Tensor& bias,
                            Group* group, const LossOptions* options) {
    const int64_t rows = image.size(0);
    const int64_t own = group->rank() * rows;
    const AllFeatures all(image, text, *group, *options);
    const at::Tensor scaled = image * scale;
    at::Tensor loss = at::zeros({}, image.options());
    all.for_each_tile([&](const Columns& columns) {
      const at::Tensor logits = product(scaled, columns.text, options->logits_type).add_(bias);
      loss.sub_(at::log_sigmoid(signed_logits(columns, logits, own)).sum());
    });
    context->save_for_backward({image, text, scale, bias});
    keep(context, "group", group);
    keep(context, "options", options);
    return loss / static_cast<double>(rows);
  }

  static variable_list backward(AutogradContext* context, const variable_list& incoming) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &image = saved[0], &text = saved[1], &scale = saved[2], &bias = saved[3];
    auto& group = *kept<Group>(context, "group");
    const auto& options = *kept<const LossOptions>(context, "options");
    const int64_t rows = image.size(0);
    const int64_t own = group.rank() * rows;
    const AllFeatures all(image, text, group, options);
    Side images{image * scale, at::zeros_like(image)};
    Side texts{text * scale, at::zeros_like(text)};
    at::Tensor for_scale = at::zeros({}, image.options());
    at::Tensor for_bias = at::zeros({}, image.options());

    const auto add = [&](const Columns& columns, const at::Tensor& others, Side& side, bool whole) {
      const at::Tensor cosines = product(side.scaled, others, options.logits_type);
      const at::Tensor z = signed_logits(columns, cosines + bias, own);
      at::Tensor g = at::sigmoid(-z);  // times -sign: the derivative by the logit
      const Diagonal diagonal(columns, own, rows);
      if (diagonal.size > 0) diagonal.of(g).neg_();
      if (whole) {  // this rank's own share of the loss is over its images
        for_scale.add_((g * cosines).sum());
        for_bias.add_(g.sum());
      }
      side.gradient.add_(weighted_sum(g, others, options.logits_type));
    };
    all.for_each_tile([&](const Columns& columns) {
      add(columns, columns.text, images, true);
      add(columns, columns.image, texts, false);
    });
    const at::Tensor each = incoming[0] / static_cast<double>(rows);
    const at::Tensor towers = each * scale;
    return {images.gradient.mul_(towers),
            texts.gradient.mul_(towers),
            (for_scale * each / scale).reshape(scale.sizes()),
            (for_bias * each).reshape(bias.sizes()),
            {},
            {}};
  }
};

void check(const at::Tensor& image, const at::Tensor& text, const LossOptions& options) {
  require(image.dim() == 2 && image.sizes() == text.sizes() && image.size(0) > 0,
          "a loss needs as many image as text features, of one width");
  require(options.tile > 0, "a tile of ", options.tile, " columns");
}

}  // namespace

at::Tensor contrastive_loss(const at::Tensor& image, const at::Tensor& text,
                            const at::Tensor& scale, const std::optional<at::Tensor>& bias,
                            Group& group, const LossOptions& options) {
  check(image, text, options);
  const at::Tensor added = bias ? *bias : at::zeros_like(scale.detach());
  return Contrastive::apply(image, text, scale, added, bias.has_value(), &group, &options);
}

at::Tensor sigmoid_loss(const at::Tensor& image, const at::Tensor& text, const at::Tensor& scale,
                        const at::Tensor& bias, Group& group, const LossOptions& options) {
  check(image, text, options);
  return Sigmoid::apply(image, text, scale, bias, &group, &options);
}

}  // namespace clipnext::train
