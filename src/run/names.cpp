#include "run/names.h"

#include <algorithm>
#include <array>
#include <utility>

#include "run/option_table.h"
#include "run/parse_options.h"

namespace clipnext::run {
namespace {

std::string truth(bool value) { return value ? "True" : "False"; }

std::string with_underscores(std::string_view name) {
  std::string out(name);
  std::replace(out.begin(), out.end(), '-', '_');
  return out;
}

std::string shown(const TrainOptions& options, std::string_view option) {
  return python_text(*find_option(option), options);
}

}  // namespace

std::string automatic_name(const TrainOptions& options, std::time_t when) {
  std::tm local{};
  localtime_r(&when, &local);
  std::array<char, 64> date{};
  std::strftime(date.data(), date.size(), "%Y_%m_%d-%H_%M_%S", &local);
  std::string model = options.model;
  std::replace(model.begin(), model.end(), '/', '-');
  return std::string(date.data()) + "-model_" + model + "-lr_" + shown(options, "lr") + "-b_" +
         shown(options, "batch-size") + "-j_" + shown(options, "workers") + "-p_" +
         options.precision;
}

std::vector<std::pair<std::string, std::string>> params(const TrainOptions& options,
                                                        const RunFacts& facts) {
  std::vector<std::pair<std::string, std::string>> lines;
  for (const OptionRow& row : option_table()) {
    if (row.name == "device") continue;  // of the facts
    lines.emplace_back(with_underscores(row.name), python_text(row, options));
  }
  for (const RefusedOption& refused : refused_options()) {
    if (refused.reference_default.empty()) continue;
    lines.emplace_back(with_underscores(refused.name), refused.reference_default);
  }
  const auto names = [&](const char* name) {
    return options.report_to.find(name) != std::string::npos ||
           options.report_to.find("all") != std::string::npos;
  };
  lines.insert(lines.end(),
               {{"device", facts.device},
                {"rank", std::to_string(facts.rank)},
                {"local_rank", std::to_string(facts.local_rank)},
                {"world_size", std::to_string(facts.world_size)},
                {"distributed", truth(facts.distributed)},
                {"distill", truth(options.distill_model && options.distill_pretrained)},
                {"log_path", facts.log_path.empty() ? "None" : facts.log_path},
                {"log_level", options.debug ? "10" : "20"},  // logging.DEBUG, logging.INFO
                {"checkpoint_path", facts.checkpoint_path},
                {"tensorboard", truth(names("tensorboard"))},
                {"tensorboard_path", facts.tensorboard_path},
                {"wandb", truth(names("wandb"))},
                {"clipnext", CLIPNEXT_VERSION}});
  std::sort(lines.begin(), lines.end());
  return lines;
}

std::string params_text(const TrainOptions& options, const RunFacts& facts) {
  std::string text;
  for (const auto& [key, value] : params(options, facts)) {
    (text += key) += ": ";
    (text += value) += "\n";
  }
  return text;
}

}  // namespace clipnext::run
