#include "soup/provenance.h"

#include "weights/tensor.h"

namespace clipnext::soup {
namespace {

OrderedJson ingredient_json(const Ingredient& ingredient) {
  OrderedJson json = {{"name", ingredient.name}};
  const auto text = [&](const char* key, const char* from) {
    const auto found = ingredient.metadata.find(from);
    if (found != ingredient.metadata.end()) json[key] = found->second;
  };
  json["dtype"] = dtype_of(ingredient);
  text("epoch", "epoch");
  text("declared_name", "name");
  if (const auto scale = logit_scale_of(ingredient)) json["logit_scale"] = *scale;
  if (ingredient.config) json["image_size"] = ingredient.config->image_height;
  return json;
}

OrderedJson greedy_json(const GreedyResult& result, const std::vector<std::string>& candidates) {
  OrderedJson steps = OrderedJson::array();
  for (const GreedyStep& step : result.trace) {
    steps.push_back({{"candidate", candidates[step.candidate]},
                     {"alone", step.alone},
                     {"score", step.score},
                     {"admitted", step.admitted},
                     {"soup_size", step.soup_size}});
  }
  return steps;
}

std::optional<double> logit_scale_of(const Plan& plan) {
  for (const PlannedTensor& tensor : plan.tensors) {
    if (tensor.name == "logit_scale" && tensor.sources.size() == 1 && tensor.numel() == 1) {
      return weights::to_f32(tensor.sources[0])[0];
    }
  }
  return std::nullopt;
}

}  // namespace

OrderedJson provenance_json(const Provenance& p, const Plan& plan,
                            std::span<const Ingredient> ingredients) {
  OrderedJson json = {{"clipnext", p.version}, {"recipe", p.recipe}};
  json["accumulate"] = plan.accumulate == Accumulate::kF64 ? "f64" : "f32seq";
  if (p.alpha) json["alpha"] = *p.alpha;
  OrderedJson list = OrderedJson::array();
  for (size_t i = 0; i < ingredients.size(); ++i) {
    OrderedJson one = ingredient_json(ingredients[i]);
    if (i < p.sha256.size()) one["sha256"] = p.sha256[i];
    one["weight"] = plan.weights[i];
    if (i < p.scores.size() && !p.scores[i].empty()) one["scores"] = p.scores[i];
    list.push_back(std::move(one));
  }
  json["ingredients"] = std::move(list);
  if (const auto scale = logit_scale_of(plan)) json["logit_scale"] = *scale;
  if (!p.evaluator.empty()) json["evaluator"] = p.evaluator;
  if (!p.metric.empty()) json["metric"] = p.metric;
  if (!p.result_scores.empty()) json["scores"] = p.result_scores;
  if (p.greedy) json["greedy"] = greedy_json(*p.greedy, p.candidates);
  if (!p.output_sha256.empty()) json["sha256"] = p.output_sha256;
  return json;
}

}  // namespace clipnext::soup
