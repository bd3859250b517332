// clipnext soup interp: between a model and its fine-tune (WiSE-FT, Wortsman et al.,
// arXiv:2109.01903).
#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <charconv>
#include <cmath>
#include <memory>

#include "base/error.h"
#include "base/file.h"
#include "cli/soup_alpha.h"
#include "cli/soup_commands.h"
#include "cli/soup_evaluator.h"
#include "page/line_chart.h"

namespace clipnext::cli {
namespace {

struct InterpOptions : SoupOptions {
  std::string alpha;
  std::filesystem::path curve;
  EvaluatorOptions evaluator;
};

/// One point of a sweep.
struct Point {
  double alpha = 0;
  soup::Scores scores;
  double value = 0;
};

std::vector<double> weights_of(double alpha) { return {1 - alpha, alpha}; }

std::string table(const std::vector<Point>& points, const SoupEvaluator& evaluator) {
  const std::vector<std::string> names = evaluator.value_names();
  std::string text = "alpha";
  for (const std::string& name : names) text += "  " + name;
  if (names.size() > 1) text += "  mean";
  text += "\n";
  for (const Point& point : points) {
    text += format("%5.3g", point.alpha);
    for (const std::string& name : names) {
      text += "  " + fit(format("%.4f", point.scores.at(name)), name.size(), true);
    }
    if (names.size() > 1) text += format("  %.4f", point.value);
    text += "\n";
  }
  return text;
}

std::string curve_svg(const std::vector<Point>& points, const SoupEvaluator& evaluator) {
  page::LineChart chart{.title = "Between zero-shot and fine-tuned",
                        .x_label = "alpha: 0 zero-shot, 1 fine-tuned",
                        .y_label = evaluator.metric()};
  for (const std::string& name : evaluator.value_names()) {
    page::Curve curve{.name = name, .points = {}};
    for (const Point& point : points) {
      curve.points.emplace_back(point.alpha, point.scores.at(name));
    }
    chart.curves.push_back(std::move(curve));
  }
  return page::line_svg(chart);
}

OrderedJson points_json(const std::vector<Point>& points) {
  OrderedJson list = OrderedJson::array();
  for (const Point& point : points) {
    list.push_back({{"alpha", point.alpha}, {"value", point.value}, {"scores", point.scores}});
  }
  return list;
}

std::vector<Point> sweep(const InterpOptions& o, const std::vector<double>& alphas,
                         SoupEvaluator& evaluator) {
  std::vector<Point> points;
  for (const double alpha : alphas) {
    Point point{.alpha = alpha, .scores = evaluator.score({0, 1}, weights_of(alpha))};
    point.value = evaluator.value(point.scores);
    if (!o.common.json) {
      note(format("alpha %.3g: %s %.4f", alpha, evaluator.metric().c_str(), point.value));
    }
    points.push_back(std::move(point));
  }
  return points;
}

void run(const InterpOptions& o, Backend& backend) {
  const std::string asked = !o.alpha.empty() ? o.alpha : o.evaluator.given() ? "0:1:0.1" : "0.5";
  const std::vector<double> alphas = parse_alphas(asked);
  const bool chooses = !o.out.empty() && alphas.size() > 1;
  if (alphas.size() > 1 && !o.evaluator.given()) {
    throw CLI::RequiredError("--eval or --eval-command (several values of --alpha)");
  }
  if (o.out.empty() && o.curve.empty()) throw CLI::RequiredError("--out or --curve");
  if (o.out.empty() && !o.evaluator.given()) throw CLI::RequiredError("--out");
  if (!o.curve.empty() && !o.evaluator.given()) throw CLI::RequiredError("--eval (for --curve)");
  check_evaluator_options(o.evaluator, chooses);

  const Pot pot = open_pot(o, o.ingredients);
  if (!o.out.empty()) soup::check_output(o.out, o.force);
  double alpha = alphas.front();
  Cooked cooked{.ingredients = pot.ingredients,
                .plan = {},
                .provenance = {.version = {}, .recipe = "interp"}};
  std::optional<SoupEvaluator> evaluator;
  if (o.evaluator.given() && !o.dry_run) {
    evaluator.emplace(o.evaluator, o, pot, backend, o.out.empty() ? o.curve : o.out);
    const std::vector<Point> points = sweep(o, alphas, *evaluator);
    const Point* best = points.data();
    for (const Point& point : points) best = point.value > best->value ? &point : best;
    alpha = best->alpha;
    const std::string svg = curve_svg(points, *evaluator);
    if (!o.curve.empty()) write_file(o.curve, svg);
    cooked.files = {{"wise-ft.svg", svg}, {"wise-ft.json", points_json(points).dump(2) + "\n"}};
    cooked.provenance.evaluator = evaluator->description();
    cooked.provenance.metric = evaluator->metric();
    cooked.provenance.result_scores = best->scores;
    if (o.common.json && o.out.empty()) {
      print_json({{"metric", evaluator->metric()},
                  {"points", points_json(points)},
                  {"curve", o.curve.string()}});
    } else if (!o.common.json) {
      print(table(points, *evaluator));
    }
  }
  if (!o.out.empty()) {
    cooked.plan = soup::make_plan(pot.ingredients, plan_options(o, weights_of(alpha)), &pot.config);
    cooked.provenance.alpha = alpha;
    finish_soup(o, pot, std::move(cooked), backend);
  }
  if (evaluator) evaluator->forget();
}

}  // namespace

std::vector<double> parse_alphas(const std::string& text) {
  const auto bad = [&](const std::string& why) -> CLI::ValidationError {
    return CLI::ValidationError("--alpha", "\"" + text + "\": " + why);
  };
  std::vector<double> parts;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(':', at), text.size());
    double value = 0;
    const auto [stop, error] = std::from_chars(text.data() + at, text.data() + end, value);
    if (error != std::errc() || stop != text.data() + end || !std::isfinite(value)) {
      throw bad("expected a number, or FIRST:LAST:STEP");
    }
    parts.push_back(value);
    at = end + 1;
  }
  if (parts.size() != 1 && parts.size() != 3) throw bad("expected a number, or FIRST:LAST:STEP");
  const double first = parts[0];
  const double last = parts.size() == 3 ? parts[1] : first;
  if (first < 0 || first > 1 || last < first || last > 1) {
    throw bad("must be from 0 (the first model) to 1 (the second)");
  }
  if (parts.size() == 1) return {first};
  const double step = parts[2];
  constexpr double kMostSteps = 1000;
  if (!(step > 0) || (last - first) / step > kMostSteps) throw bad("the step is too small");
  std::vector<double> alphas;
  constexpr double kSlack = 1e-9;   // 0.1 three times is more than 0.3
  constexpr double kDigits = 1e12;  // and is to be shown, and weigh, as 0.3
  for (int64_t i = 0;; ++i) {
    const double value = first + static_cast<double>(i) * step;
    if (value > last + kSlack) break;
    alphas.push_back(std::min(last, std::round(value * kDigits) / kDigits));
  }
  return alphas;
}

void add_soup_interp(CLI::App& app, Backend& backend) {
  auto o = std::make_shared<InterpOptions>();
  CLI::App* cmd = app.add_subcommand("interp", "between a zero-shot model and its fine-tune");
  cmd->add_option("ingredients", o->ingredients, "the zero-shot model, the fine-tuned one")
      ->required()
      ->expected(2);
  cmd->add_option("--alpha", o->alpha,
                  "the share of the second, 0 to 1, or FIRST:LAST:STEP to score several and keep "
                  "the best; default 0.5, with --eval 0:1:0.1");
  cmd->add_option("--curve", o->curve,
                  "the scores over alpha as SVG; without --out that is all, and nothing is chosen");
  add_soup_options(*cmd, *o);
  cmd->get_option("--out")->required(false);
  add_evaluator_options(*cmd, o->evaluator);
  cmd->footer(
      "Examples:\n"
      "  clipnext soup interp -o soup/ --alpha 0.75 zero-shot/ fine-tuned/\n"
      "  clipnext soup interp -o soup/ --alpha 0:1:0.1 --eval wds/held-out \\\n"
      "      --dataset_root data/{dataset} zero-shot/ fine-tuned/\n"
      "  clipnext soup interp --curve robustness.svg --eval imagenet1k --eval imagenet-r \\\n"
      "      --dataset_root /data/{dataset} zero-shot/ fine-tuned/");
  cmd->callback([o, &backend] {
    backend.choose_device(o->device);
    run(*o, backend);
  });
}

}  // namespace clipnext::cli
