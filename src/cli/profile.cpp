// clipnext profile: parameters, operations and activations of a model, and two models' ratios.
#include "model/profile.h"

#include <CLI/App.hpp>
#include <algorithm>

#include "cli/commands.h"
#include "cli/common.h"
#include "model/source.h"

namespace clipnext::cli {
namespace {

struct Options {
  CommonOptions common;
  std::string name;
  std::string compare;
};

OrderedJson to_json(const model::PartProfile& p) {
  return {{"name", p.name},
          {"blocks", p.blocks},
          {"channels", p.channels},
          {"height", p.height},
          {"width", p.width},
          {"parameters", p.parameters},
          {"macs", p.macs},
          {"flops", 2 * p.macs},
          {"activations", p.activations},
          {"norm_elements", p.norm_elements},
          {"fvcore_macs", p.fvcore_macs}};
}

OrderedJson to_json(const model::TowerProfile& tower) {
  OrderedJson json = to_json(tower.sum);
  OrderedJson parts = OrderedJson::array();
  for (const model::PartProfile& part : tower.parts) parts.push_back(to_json(part));
  json["parts"] = std::move(parts);
  return json;
}

OrderedJson to_json(const model::Profile& p) {
  return {{"name", p.name},
          {"image_size", {p.image_height, p.image_width}},
          {"context_length", p.context_length},
          {"image", to_json(p.image)},
          {"text", to_json(p.text)},
          {"total", to_json(p.total)}};
}

// How many times `other` is of `p`: above 1 where `p` is the cheaper one.
struct Ratios {
  double parameters, flops, gmac, activations;
};

Ratios ratios(const model::Profile& p, const model::Profile& other) {
  const auto of = [](int64_t a, int64_t b) {
    return static_cast<double>(a) / static_cast<double>(std::max<int64_t>(b, 1));
  };
  return {.parameters = of(other.total.parameters, p.total.parameters),
          .flops = of(other.total.macs, p.total.macs),
          .gmac = of(other.total.fvcore_macs, p.total.fvcore_macs),
          .activations = of(other.total.activations, p.total.activations)};
}

std::string row(const std::string& name, const model::PartProfile& p) {
  const auto scaled = [](int64_t value, double unit) { return static_cast<double>(value) / unit; };
  return fit(name, 26) + format("  %9.3f  %9.3f  %9.3f  %9.3f\n", scaled(p.parameters, 1e6),
                                scaled(2 * p.macs, 1e9), scaled(p.fvcore_macs, 1e9),
                                scaled(p.activations, 1e6));
}

void print_tower(const char* name, const model::TowerProfile& tower) {
  for (const model::PartProfile& part : tower.parts) {
    std::string label = "  " + part.name;
    if (part.blocks > 0) {
      label +=
          format(" (%ld x %ld)", static_cast<long>(part.blocks), static_cast<long>(part.channels));
    }
    print(row(label, part));
  }
  print(row(name, tower.sum));
}

void print_profile(const model::Profile& p) {
  print(format("%s, image %ldx%ld, text %ld tokens, batch 1\n\n", p.name.c_str(),
               static_cast<long>(p.image_height), static_cast<long>(p.image_width),
               static_cast<long>(p.context_length)));
  print(fit("", 26) + "   params M     GFLOP   GMAC (fvcore)  act. M\n");
  print_tower("image", p.image);
  print_tower("text", p.text);
  print(row("total", p.total));
}

model::Profile profile(const std::string& name) {
  const model::ClipConfig config = model::open_config(name);
  if (name.empty()) note("model: " + config.name);
  return model::profile(config);
}

void run(const Options& o) {
  const model::Profile p = profile(o.name);
  if (o.compare.empty()) {
    if (o.common.json) {
      print_json(to_json(p));
    } else {
      print_profile(p);
    }
    return;
  }
  const model::Profile other = profile(o.compare);
  const Ratios r = ratios(p, other);
  if (o.common.json) {
    OrderedJson json = to_json(p);
    json["compare"] = to_json(other);
    json["ratios"] = {{"parameters", r.parameters},
                      {"flops", r.flops},
                      {"gmac", r.gmac},
                      {"activations", r.activations}};
    print_json(json);
    return;
  }
  print_profile(p);
  print("\n");
  print_profile(other);
  print(format("\n%s needs %.2fx the GMAC, %.2fx the activations and %.2fx the parameters of %s\n",
               other.name.c_str(), r.gmac, r.activations, r.parameters, p.name.c_str()));
}

}  // namespace

void add_profile(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* cmd =
      app.add_subcommand("profile", "parameters, operations and activations of a model");
  cmd->add_option("name", o->name,
                  "config name, model folder or checkpoint; default: $CLIPNEXT_MODEL, else the "
                  "demo model");
  cmd->add_option("--compare", o->compare, "a second model: how many times the first one's costs");
  add_common_options(*cmd, o->common);
  cmd->footer(
      "GFLOP as open_clip's table counts them, GMAC and activations as fvcore does; one image and\n"
      "one text of full length.\n\nExamples:\n"
      "  clipnext profile convnext_large_d_320\n"
      "  clipnext profile convnext_large_d_320 --compare ViT-L-14-336 --json");
  cmd->callback([o] { run(*o); });
}

}  // namespace clipnext::cli
