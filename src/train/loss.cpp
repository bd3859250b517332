#include "train/loss.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "train/kept.h"

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

/// A tower's own rows, and what they have come to.
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

/// Softmaxes of rows that come in pieces.
class RowSoftmax {
 public:
  explicit RowSoftmax(const at::Tensor& like)
      : most_(at::full({like.size(0)}, -INFINITY, like.options())),
        sum_(at::zeros_like(most_)),
        weighted_(at::zeros_like(most_)) {}

  void add(const at::Tensor& logits) { grow(logits); }
  /// And values whose mean under the softmax is wanted.
  void add(const at::Tensor& logits, const at::Tensor& values) {
    weighted_.add_(grow(logits).mul_(values).sum(1));
  }

  at::Tensor log_sum() const { return sum_.log().add_(most_); }
  at::Tensor mean() const { return weighted_ / sum_; }

 private:
  /// The piece's exponentials, less the largest so far.
  at::Tensor grow(const at::Tensor& logits) {
    const at::Tensor most = at::maximum(most_, logits.amax(1));
    const at::Tensor less = (most_ - most).exp_();
    at::Tensor exponentials = (logits - most.unsqueeze(1)).exp_();
    sum_.mul_(less).add_(exponentials.sum(1));
    weighted_.mul_(less);
    most_ = most;
    return exponentials;
  }

  at::Tensor most_, sum_, weighted_;
};

/// A student's features [b, d] with its teacher's [b, t] beside them; t = 0: there is none.
at::Tensor beside(const at::Tensor& student, const at::Tensor& teacher) {
  return teacher.size(1) == 0 ? student : at::cat({student, teacher}, 1);
}

/// A tower's rows times its scale, as student and as teacher, against tiles of the other tower's.
class Rows {
 public:
  Rows(const at::Tensor& features, const at::Tensor& scale, const at::Tensor& teacher,
       const at::Tensor& teacher_scale, std::optional<at::ScalarType> type)
      : student_(features * scale), teacher_(teacher * teacher_scale), type_(type) {}

  bool taught() const { return teacher_.size(1) > 0; }
  at::Tensor student_part(const at::Tensor& others) const {
    return others.narrow(1, 0, student_.size(1));
  }
  at::Tensor logits(const at::Tensor& others) const {
    return product(student_, student_part(others), type_);
  }
  at::Tensor teacher_logits(const at::Tensor& others) const {
    return product(teacher_, others.narrow(1, student_.size(1), teacher_.size(1)), type_);
  }

 private:
  at::Tensor student_, teacher_;
  std::optional<at::ScalarType> type_;
};

struct Contrastive : torch::autograd::Function<Contrastive> {
  /// What the sums of all ranks' rows are gathered as: a column each.
  enum Column : int64_t { kImage, kText, kTeacherImage, kTeacherText };

  static variable_list forward(AutogradContext* context, const at::Tensor& image,
                               const at::Tensor& text, const at::Tensor& scale,
                               const at::Tensor& bias, const at::Tensor& teacher_image,
                               const at::Tensor& teacher_text, const at::Tensor& teacher_scale,
                               bool biased, Group* group, const LossOptions* options) {
    const int64_t rows = image.size(0);
    const int64_t own = group->rank() * rows;
    const AllFeatures all(beside(image, teacher_image), beside(text, teacher_text), *group,
                          *options);
    const auto type = options->logits_type;
    const Rows images(image, scale, teacher_image, teacher_scale, type);
    const Rows texts(text, scale, teacher_text, teacher_scale, type);
    const bool taught = images.taught();
    RowSoftmax image_sum(image), text_sum(text), teacher_image_sum(image), teacher_text_sum(text);
    at::Tensor right = at::zeros({2, rows}, image.options());  // logits of the true pairs
    const auto add = [&](const Columns& columns, const Rows& mine, const at::Tensor& others,
                         RowSoftmax& sum, RowSoftmax& teacher_sum, const at::Tensor& hits) {
      at::Tensor logits = mine.logits(others);
      if (biased) logits.add_(bias);
      const Diagonal diagonal(columns, own, rows);
      if (diagonal.size > 0) {
        hits.narrow(0, diagonal.begin, diagonal.size).copy_(diagonal.of(logits));
      }
      sum.add(logits);
      if (taught) teacher_sum.add(mine.teacher_logits(others), logits);
    };
    all.for_each_tile([&](const Columns& columns) {
      add(columns, images, columns.text, image_sum, teacher_image_sum, right[0]);
      add(columns, texts, columns.image, text_sum, teacher_text_sum, right[1]);
    });
    std::vector<at::Tensor> sums{image_sum.log_sum(), text_sum.log_sum()};
    const double each = 1 / (2.0 * static_cast<double>(rows));
    const at::Tensor all_sums = sums[kImage].sum() + sums[kText].sum();
    const at::Tensor contrastive = (all_sums - right.sum()) * each;
    at::Tensor distill = at::zeros_like(contrastive);
    if (taught) {
      const at::Tensor expected = teacher_image_sum.mean().sum() + teacher_text_sum.mean().sum();
      distill = (all_sums - expected) * each;
      sums.push_back(teacher_image_sum.log_sum());
      sums.push_back(teacher_text_sum.log_sum());
    }
    context->save_for_backward({image, text, scale, bias, teacher_image, teacher_text,
                                teacher_scale, group->all_gather(at::stack(sums, 1))});
    context->saved_data["biased"] = biased;
    keep(context, "group", group);
    keep(context, "options", options);
    context->mark_non_differentiable({distill});
    return {contrastive + distill, distill};
  }

  static variable_list backward(AutogradContext* context, const variable_list& incoming) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &image = saved[0], &text = saved[1], &scale = saved[2], &bias = saved[3];
    const at::Tensor &teacher_image = saved[4], &teacher_text = saved[5], &teacher_scale = saved[6];
    const at::Tensor& sums = saved[7];  // [N, 2 or 4]
    auto& group = *kept<Group>(context, "group");
    const auto& options = *kept<const LossOptions>(context, "options");
    const bool biased = context->saved_data["biased"].toBool();
    const int64_t rows = image.size(0);
    const int64_t own = group.rank() * rows;
    const AllFeatures all(beside(image, teacher_image), beside(text, teacher_text), group, options);
    const auto type = options.logits_type;
    const Rows images(image, scale, teacher_image, teacher_scale, type);
    const Rows texts(text, scale, teacher_text, teacher_scale, type);
    at::Tensor for_image = at::zeros_like(image);
    at::Tensor for_text = at::zeros_like(text);
    at::Tensor for_scale = at::zeros({}, image.options());

    const auto add = [&](const Columns& columns, const Rows& mine, const at::Tensor& others,
                         Column tower, at::Tensor& gradient) {
      const Column other = tower == kImage ? kText : kImage;
      at::Tensor logits = mine.logits(others);
      if (biased) logits.add_(bias);
      const at::Tensor teacher = mine.taught() ? mine.teacher_logits(others) : at::Tensor();
      const auto sum_of_rows = [&](int64_t column) {
        return sums.narrow(0, own, rows).select(1, column).unsqueeze(1);
      };
      const auto sum_of_columns = [&](int64_t column) {
        return sums.narrow(0, columns.first, others.size(0)).select(1, column).unsqueeze(0);
      };
      // A softmax and, where there is a teacher, as much again less the teacher's.
      const auto softmax = [&](at::Tensor exponents, const auto& sum_of, Column column) {
        exponents.exp_();
        if (mine.taught()) {
          exponents.mul_(2).sub_((teacher - sum_of(column + kTeacherImage)).exp_());
        }
        return exponents;
      };
      const Diagonal diagonal(columns, own, rows);
      at::Tensor g = softmax(logits - sum_of_rows(tower), sum_of_rows, tower);  // [b, tile]
      if (diagonal.size > 0) diagonal.of(g).sub_(1);
      // Through the cosine that this row's own cross-entropy multiplies by the scale.
      for_scale.add_((biased ? g * (logits - bias) : g * logits).sum());
      // Where this row is a column of the other tower's cross-entropies.
      g.add_(softmax(logits.sub_(sum_of_columns(other)), sum_of_columns, other));
      if (diagonal.size > 0) diagonal.of(g).sub_(1);
      gradient.add_(weighted_sum(g, mine.student_part(others), type));
    };
    all.for_each_tile([&](const Columns& columns) {
      add(columns, images, columns.text, kImage, for_image);
      add(columns, texts, columns.image, kText, for_text);
    });

    const at::Tensor each = incoming[0] / (2.0 * static_cast<double>(rows));
    at::Tensor towers = each * scale;
    if (options.gradient == FeatureGradient::kShare) {
      towers = towers / static_cast<double>(group.size());
    }
    variable_list gradients(10);
    gradients[0] = for_image.mul_(towers);
    gradients[1] = for_text.mul_(towers);
    gradients[2] = (for_scale * each / scale).reshape(scale.sizes());
    gradients[3] = at::zeros_like(bias);  // a softmax does not see what is added to all its logits
    return gradients;
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
  const at::Tensor nobody = at::zeros({image.size(0), 0}, image.options().requires_grad(false));
  return Contrastive::apply(image, text, scale, added, nobody, nobody, scale.detach(),
                            bias.has_value(), &group, &options)[0];
}

DistilledLoss distilled_loss(const at::Tensor& image, const at::Tensor& text,
                             const at::Tensor& scale, const TeacherFeatures& teacher, Group& group,
                             const LossOptions& options) {
  check(image, text, options);
  check(teacher.image, teacher.text, options);
  require(teacher.image.size(0) == image.size(0), "a teacher's features of ", teacher.image.size(0),
          " pairs for a student's of ", image.size(0));
  const auto losses =
      Contrastive::apply(image, text, scale, at::zeros_like(scale.detach()), teacher.image,
                         teacher.text, teacher.scale, false, &group, &options);
  return {.total = losses[0], .distill = losses[1]};
}

at::Tensor sigmoid_loss(const at::Tensor& image, const at::Tensor& text, const at::Tensor& scale,
                        const at::Tensor& bias, Group& group, const LossOptions& options) {
  check(image, text, options);
  return Sigmoid::apply(image, text, scale, bias, &group, &options);
}

}  // namespace clipnext::train
