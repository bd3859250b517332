// clipnext soup greedy: ingredients kept as long as the average gets better.
#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <memory>

#include "base/error.h"
#include "cli/soup_commands.h"
#include "cli/soup_evaluator.h"
#include "soup/greedy.h"

namespace clipnext::cli {
namespace {

struct GreedyOptions : SoupOptions {
  std::string accept = "gt";
  EvaluatorOptions evaluator;
};

void say_step(const Pot& pot, std::span<const size_t> members, const SoupEvaluator& evaluator,
              double value) {
  const std::string& name = pot.ingredients[members.back()].given;
  const std::string what =
      members.size() == 1 ? "alone" : "with " + std::to_string(members.size() - 1) + " before it";
  note(format("%s %.5f  %s, %s", evaluator.metric().c_str(), value, name.c_str(), what.c_str()));
}

std::string trace_text(const Pot& pot, const soup::GreedyResult& result) {
  std::string text;
  for (const soup::GreedyStep& step : result.trace) {
    text += format("  %s  alone %.5f  soup %.5f  %s\n", step.admitted ? "+" : "-", step.alone,
                   step.score, pot.ingredients[step.candidate].given.c_str());
  }
  return text;
}

void run(const GreedyOptions& o, Backend& backend) {
  if (!o.evaluator.given()) throw CLI::RequiredError("--eval or --eval-command");
  check_evaluator_options(o.evaluator, /*selects=*/true);
  const Pot pot = open_pot(o, o.ingredients);
  soup::check_output(o.out, o.force);
  if (o.dry_run) {
    soup::Plan plan = soup::make_plan(pot.ingredients, plan_options(o), &pot.config);
    finish_soup(o, pot,
                {.ingredients = pot.ingredients,
                 .plan = std::move(plan),
                 .provenance = {.version = {}, .recipe = "greedy"}},
                backend);
    return;
  }
  SoupEvaluator evaluator(o.evaluator, o, pot, backend, o.out);
  if (evaluator.known() > 0) {
    note("going on with " + std::to_string(evaluator.known()) + " scores computed before");
  }
  const auto score = [&](std::span<const size_t> members) {
    const double value = evaluator.value(evaluator.score({members.begin(), members.end()}));
    if (!o.common.json) say_step(pot, members, evaluator, value);
    return value;
  };
  soup::GreedyResult result =
      soup::greedy(pot.ingredients.size(), score,
                   o.accept == "ge" ? soup::Accept::kGreaterOrEqual : soup::Accept::kGreater);
  if (!o.common.json) print(trace_text(pot, result));

  Cooked cooked{.ingredients = some_of(pot, result.members),
                .plan = {},
                .provenance = {.version = {}, .recipe = "greedy"}};
  cooked.plan = soup::make_plan(cooked.ingredients, plan_options(o), &pot.config);
  for (const size_t i : result.members) {
    cooked.provenance.scores.push_back(evaluator.score({i}));
  }
  cooked.provenance.result_scores = evaluator.score(result.members);
  for (const soup::Ingredient& i : pot.ingredients) cooked.provenance.candidates.push_back(i.name);
  cooked.provenance.evaluator = evaluator.description();
  cooked.provenance.metric = evaluator.metric();
  cooked.provenance.greedy = std::move(result);
  finish_soup(o, pot, std::move(cooked), backend);
  evaluator.forget();
}

}  // namespace

void add_soup_greedy(CLI::App& app, Backend& backend) {
  auto o = std::make_shared<GreedyOptions>();
  CLI::App* cmd = app.add_subcommand(
      "greedy", "ingredients by their scores, each kept if the average gets better with it");
  cmd->add_option("ingredients", o->ingredients, "model folders and checkpoints of any format")
      ->required()
      ->expected(1, 1000);
  add_soup_options(*cmd, *o);
  add_evaluator_options(*cmd, o->evaluator);
  cmd->add_option("--accept", o->accept,
                  "gt: kept if the score is greater; ge: or equal. Of equal scores the ingredient "
                  "named first comes first")
      ->check(CLI::IsMember({"gt", "ge"}))
      ->capture_default_str();
  cmd->footer(
      "Scores are kept as they come, so a run that was killed goes on where it was.\n\nExamples:\n"
      "  clipnext soup greedy -o soup/ --eval wds/held-out --dataset_root data/{dataset} \\\n"
      "      --metric acc1 run-a/ run-b/ run-c/\n"
      "  clipnext soup greedy -o soup/ --eval-command ./score.sh --metric acc run-*/");
  cmd->callback([o, &backend] {
    backend.choose_device(o->device);
    run(*o, backend);
  });
}

}  // namespace clipnext::cli
