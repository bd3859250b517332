#include "model/muon.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"

namespace clipnext::model {
namespace {

constexpr int64_t kLeastSide = 4;
constexpr double kMostAspect = 128;

const std::map<std::string, Coefficients, std::less<>>& known_coefficients() {
  static const std::map<std::string, Coefficients, std::less<>> known = {
      // Keller Jordan's, kellerjordan.github.io/posts/muon
      {"original", {{3.4445, -4.7750, 2.0315}}},
      // leloykun.github.io/ponder/muon-opt-coeffs
      {"quintic",
       {{4.0848, -6.8946, 2.9270},
        {3.9505, -6.3029, 2.6377},
        {3.7418, -5.5913, 2.3037},
        {2.8769, -3.1427, 1.2046},
        {2.8366, -3.0525, 1.2012}}},
      // arXiv:2505.16932, with a safety of 1e-2 and of 2e-2
      {"polar_express",
       {{8.237312490495555, -23.157747414558198, 16.680568411445915},
        {4.082441999064835, -2.893047735332586, 0.5252849256975648},
        {3.9263479922546582, -2.8547468034765298, 0.5318022422894988},
        {3.2982187133085143, -2.424541981026706, 0.48632008358844075},
        {2.2970369434552573, -1.63662558125903, 0.4002628455953627},
        {1.8763805351440397, -1.2347896577722228, 0.35891887501668385},
        {1.8564423485617974, -1.2132449880935525, 0.3568003487825883},
        {1.8749994008682747, -1.2499988017229169, 0.3749994008546422}}},
      {"polar_express_safer",
       {{8.156554524902461, -22.48329292557795, 15.878769915207462},
        {4.0429299351667245, -2.808917465908704, 0.5000178451051299},
        {3.8916678022926563, -2.7724841532176825, 0.5060648178503389},
        {3.285753657755658, -2.3681294933425394, 0.46449024233003117},
        {2.3005307116270983, -1.6111665557258408, 0.3833374427545273},
        {1.8631210546382593, -1.2042160621002727, 0.3421879560523383},
        {1.8382572152247512, -1.1779263289537742, 0.3396513038637379},
        {1.8749999923301852, -1.2499999836060613, 0.374999991275876}}}};
  return known;
}

void check_name(const OptimizerOptions& options, std::string_view name,
                const std::vector<std::string>& known) {
  const std::string& value = options.text(name);
  if (std::find(known.begin(), known.end(), value) != known.end()) return;
  std::string names;
  for (const std::string& one : known) names += (names.empty() ? "" : ", ") + one;
  fail("Muon's ", name, " is ", value, ", expected one of ", names);
}

}  // namespace

bool suits_muon(std::span<const int64_t> shape) {
  const auto larger = std::count_if(shape.begin(), shape.end(), [](int64_t n) { return n > 1; });
  if (larger < 2 || shape[0] == 1 || shape[1] == 1) return false;
  const int64_t rows = shape[0];
  int64_t cols = 1;
  for (const int64_t side : shape.subspan(1)) cols *= side;
  const auto [least, most] = std::minmax(rows, cols);
  return least >= kLeastSide &&
         static_cast<double>(most) / static_cast<double>(least) <= kMostAspect;
}

Coefficients newton_schulz_steps(const OptimizerOptions& options) {
  const OptimizerOption* given = options.find("ns_coefficients");
  require(given != nullptr, "the optimizer has no ns_coefficients");
  const auto* own = std::get_if<Coefficients>(given);
  Coefficients steps =
      own != nullptr ? *own : known_coefficients().at(options.text("ns_coefficients"));
  const Coefficients::value_type last = steps.back();
  steps.resize(static_cast<size_t>(options.number("ns_steps")), last);
  return steps;
}

void check_muon(const OptimizerOptions& options) {
  check_name(options, "algo", {"muon", "adamuon"});
  check_name(options, "conv_mode", {"flatten", "batched"});
  if (!options.is_none("adjust_lr_fn")) {
    const bool ada = options.text("algo") == "adamuon";
    check_name(options, "adjust_lr_fn",
               {ada ? "rsqrt_in" : "original", "match_rms_adamw", "rms_to_rms"});
  }
  if (std::holds_alternative<std::string>(*options.find("ns_coefficients"))) {
    std::vector<std::string> names;
    for (const auto& [name, steps] : known_coefficients()) names.push_back(name);
    check_name(options, "ns_coefficients", names);
  }
  const double momentum = options.number("momentum");
  require(momentum >= 0 && momentum < 1, "Muon's momentum is ", momentum, ", expected in [0, 1)");
  const auto* steps = std::get_if<int64_t>(options.find("ns_steps"));
  require(steps != nullptr && *steps >= 0 && *steps <= 1000,
          "Muon's ns_steps is a whole number from 0 to 1000");
}

}  // namespace clipnext::model
