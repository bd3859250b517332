#include "run/parse_options.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "model/nearest.h"
#include "run/check_options.h"
#include "run/option_table.h"
#include "run/recipes.h"

namespace clipnext::run {
namespace {

// What a token that begins with a dash stands for.
struct Named {
  const OptionRow* row = nullptr;  // null with `help` only
  std::string spelling = {};       // as written, for messages
  std::optional<std::string> value = std::nullopt;
  bool negated = false;
  bool help = false;
};

[[noreturn]] void usage(const std::string& message) { throw UsageError(message); }

[[noreturn]] void refuse(const RefusedOption& option) {
  const std::string reason(option.reason);
  usage("--" + std::string(option.name) + (reason.starts_with("is ") ? " " : ": ") + reason);
}

bool is_flag(const OptionRow& row) {
  return std::holds_alternative<bool TrainOptions::*>(row.field);
}

bool takes_many(const OptionRow& row) {
  return std::visit(
      [](const auto field) {
        using T = std::decay_t<decltype(std::declval<TrainOptions>().*field)>;
        return std::is_same_v<T, std::vector<int64_t>> || std::is_same_v<T, std::vector<double>> ||
               std::is_same_v<T, std::vector<std::string>> || std::is_same_v<T, KeyValues>;
      },
      row.field);
}

const RefusedOption* find_refused(std::string_view name) {
  const auto all = refused_options();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const RefusedOption& one) { return one.name == name; });
  return found == all.end() ? nullptr : &*found;
}

// A name that can be abbreviated: who has it decides whose abbreviations come first.
struct Name {
  std::string_view name;
  bool reference;  // of 3.3.0
};

std::vector<Name> all_names() {
  std::vector<Name> names = {{"help", true}};
  for (const OptionRow& row : option_table()) {
    names.push_back({row.name, row.origin == OptionOrigin::kReference});
  }
  for (const RefusedOption& one : refused_options()) {
    names.push_back({one.name, !one.reference_default.empty()});
  }
  for (const OptionAlias& alias : option_aliases()) names.push_back({alias.name, false});
  return names;
}

// The full name that `text` is, or is the beginning of; empty if there is none.
std::string_view complete(std::string_view text) {
  const std::vector<Name> names = all_names();
  for (const Name& one : names) {
    if (one.name == text) return one.name;
  }
  if (text.empty()) return {};
  for (const bool reference : {true, false}) {
    std::vector<std::string_view> matches;
    for (const Name& one : names) {
      if (one.reference == reference && one.name.starts_with(text)) matches.push_back(one.name);
    }
    if (matches.size() == 1) return matches.front();
    if (matches.size() > 1) {
      std::string list;
      for (const std::string_view match : matches) {
        list += (list.empty() ? "--" : ", --") + std::string(match);
      }
      usage("--" + std::string(text) + " could be " + list);
    }
  }
  return {};
}

// `--no-FLAG`, for a flag by its full name.
const OptionRow* negated_flag(std::string_view name) {
  if (!name.starts_with("no-")) return nullptr;
  const OptionRow* row = find_option(name.substr(3));
  return row != nullptr && is_flag(*row) ? row : nullptr;
}

std::vector<std::string> spelled_names() {
  std::vector<std::string> names;
  for (const OptionRow& row : option_table()) names.push_back("--" + std::string(row.name));
  return names;
}

// The option that a token names; nothing if it is a value.
std::optional<Named> read_name(const std::string& token) {
  if (token.size() < 2 || token[0] != '-') return std::nullopt;
  if (token == "-h") return Named{.spelling = token, .help = true};
  const bool dashes = token.starts_with("--");
  if (dashes && token.size() > 2) {
    const size_t equals = token.find('=');
    const std::string_view text = std::string_view(token).substr(0, equals).substr(2);
    Named named{.spelling = "--" + std::string(text)};
    if (equals != std::string::npos) named.value = token.substr(equals + 1);
    if (find_option(text) == nullptr && find_refused(text) == nullptr) {
      named.row = negated_flag(text);
      named.negated = named.row != nullptr;
    }
    if (!named.negated) {
      const std::string_view name = complete(text);
      if (name == "help") return Named{.spelling = token, .help = true};
      if (const RefusedOption* refused = find_refused(name)) refuse(*refused);
      named.row = name.empty() ? nullptr : find_option(name);
    }
    if (named.row != nullptr) return named;
  }
  // Numbers and text with blanks are values though they begin with a dash, as argparse has it.
  if (parse_python_float(token) || token.find(' ') != std::string::npos) return std::nullopt;
  usage("there is no option " + token.substr(0, token.find('=')) +
        model::did_you_mean(token.substr(0, token.find('=')), spelled_names()));
}

class Setter {
 public:
  Setter(const OptionRow& row, TrainOptions& options) : row_(row), options_(options) {}

  void flag(bool on) { options_.*std::get<bool TrainOptions::*>(row_.field) = on; }

  void values(const std::vector<std::string>& texts) {
    for (const std::string& text : texts) {
      if (!row_.name.starts_with("wandb-")) check_quotation(std::string(row_.name), text);
    }
    std::visit([&](const auto field) { set(options_.*field, texts); }, row_.field);
  }

 private:
  [[noreturn]] void complain(const std::string& text, const std::string& problem) const {
    usage("--" + std::string(row_.name) + " " + (text.empty() ? "\"\"" : text) + ": " + problem);
  }

  void check_bounds(double value, const std::string& text) const {
    if (!(value >= row_.bounds.low)) {
      complain(text, "at least " + python_text(row_.bounds.low) + " is needed");
    }
    if (!(value <= row_.bounds.high)) {
      complain(text, "at most " + python_text(row_.bounds.high) + " is possible");
    }
  }

  static std::string python_text(double bound) {
    return bound == static_cast<double>(static_cast<int64_t>(bound))
               ? std::to_string(static_cast<int64_t>(bound))
               : python_repr(bound);
  }

  void read(const std::string& text, int64_t& out) const {
    const auto value = parse_python_int(text);
    if (!value) complain(text, "expected a whole number");
    check_bounds(static_cast<double>(*value), text);
    out = *value;
  }

  void read(const std::string& text, double& out) const {
    const auto value = parse_python_float(text);
    if (!value) complain(text, "expected a number");
    check_bounds(*value, text);
    out = *value;
  }

  void read(const std::string& text, std::string& out) const {
    if (!row_.choices.empty() &&
        std::find(row_.choices.begin(), row_.choices.end(), text) == row_.choices.end()) {
      std::string list;
      for (const std::string_view choice : row_.choices) {
        list += (list.empty() ? "" : ", ") + std::string(choice);
      }
      const bool sound = text == "webdataset-audio" || text == "synthetic-audio";
      complain(text, sound ? "sound is not part of clipnext" : "there are " + list);
    }
    out = text;
  }

  void set(bool&, const std::vector<std::string>&) const {}

  template <class T>
  void set(std::optional<T>& out, const std::vector<std::string>& texts) const {
    T value{};
    read(texts.at(0), value);
    out = value;
  }

  template <class T>
  void set(std::vector<T>& out, const std::vector<std::string>& texts) const {
    std::vector<T> values;
    for (const std::string& text : texts) read(text, values.emplace_back());
    out = std::move(values);
  }

  void set(KeyValues& out, const std::vector<std::string>& texts) const {
    try {
      out = parse_key_values(texts);
    } catch (const Error& error) {
      usage("--" + std::string(row_.name) + ": " + error.what());
    }
  }

  template <class T>
  void set(T& out, const std::vector<std::string>& texts) const {
    read(texts.at(0), out);
  }

  const OptionRow& row_;
  TrainOptions& options_;
};

// The values behind arguments[at], up to the next option.
std::vector<std::string> take_values(std::span<const std::string> arguments, size_t& at,
                                     size_t most) {
  std::vector<std::string> values;
  while (at + 1 < arguments.size() && values.size() < most) {
    const std::string& next = arguments[at + 1];
    if (next == "--" || read_name(next)) break;
    values.push_back(next);
    ++at;
  }
  return values;
}

// Whether to go on: not after --help.
bool read_arguments(std::span<const std::string> arguments, TrainOptions& options) {
  constexpr size_t kMany = 1'000'000;
  for (size_t at = 0; at < arguments.size(); ++at) {
    const std::optional<Named> named = read_name(arguments[at]);
    if (!named) {
      usage("\"" + arguments[at] + "\" belongs to no option" +
            (at > 0 ? " (behind " + arguments[at - 1] + ")" : "") +
            ": is a quotation mark missing?");
    }
    if (named->help) return false;
    Setter setter(*named->row, options);
    if (is_flag(*named->row)) {
      if (named->value) usage(named->spelling + " takes no value, but has " + *named->value);
      setter.flag(!named->negated);
      continue;
    }
    const bool many = takes_many(*named->row);
    const auto values = named->value ? std::vector<std::string>{*named->value}
                                     : take_values(arguments, at, many ? kMany : 1);
    if (values.empty() && (!many || named->row->at_least_one)) {
      usage(named->spelling + " needs a value" +
            (at + 1 < arguments.size() ? ", and \"" + arguments[at + 1] + "\" is an option" : ""));
    }
    setter.values(values);
  }
  return true;
}

// As open_clip fills what was left open (values of the CLIP paper).
void fill_from_model(TrainOptions& options) {
  if (options.opt.find("timm") != std::string::npos) return;
  std::string name = options.model;
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const bool vit = name.find("vit") != std::string::npos;
  if (!options.lr) options.lr = 5.0e-4;
  if (!options.beta1) options.beta1 = 0.9;
  if (!options.beta2) options.beta2 = vit ? 0.98 : 0.999;
  if (!options.eps) options.eps = vit ? 1.0e-6 : 1.0e-8;
}

}  // namespace

ParsedOptions parse_options(std::span<const std::string> arguments) {
  ParsedOptions parsed;
  TrainOptions& options = parsed.options;
  parsed.help = !read_arguments(arguments, options);
  if (parsed.help) return parsed;
  if (options.recipe) {
    // The recipe's first, then the command line over it.
    const std::vector<std::string> recipe = find_recipe(*options.recipe).arguments;
    options = {};
    read_arguments(recipe, options);
    read_arguments(arguments, options);
  }
  fill_from_model(options);
  check_options(options, parsed.warnings);
  return parsed;
}

}  // namespace clipnext::run
