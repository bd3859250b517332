// Every option of `clipnext train`, in one table: name, value, meaning, and the field it sets.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "run/options.h"

namespace clipnext::run {

/// The headings of --help, in this order.
enum class OptionGroup : uint8_t { kData, kModel, kOptimisation, kRun, kDistributed, kOurs };

/// Who has the option: open_clip_train 3.3.0 (whose abbreviations stay what they are there), a
/// later open_clip, or only we.
enum class OptionOrigin : uint8_t { kReference, kLater, kOwn };

/// Where a value goes; the type says how it is read. A bool is a flag without a value, vectors and
/// KeyValues take all values up to the next option.
using OptionField =
    std::variant<bool TrainOptions::*, int64_t TrainOptions::*, double TrainOptions::*,
                 std::string TrainOptions::*, std::optional<int64_t> TrainOptions::*,
                 std::optional<double> TrainOptions::*, std::optional<std::string> TrainOptions::*,
                 std::vector<int64_t> TrainOptions::*, std::vector<double> TrainOptions::*,
                 std::vector<std::string> TrainOptions::*, KeyValues TrainOptions::*>;

struct Bounds {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

struct OptionRow {
  std::string_view name;  // without the dashes
  OptionGroup group;
  OptionOrigin origin;
  std::string_view value;  // what its value is called; empty for a flag
  OptionField field;
  std::string_view help;
  std::vector<std::string_view> choices = {};
  Bounds bounds = {};
  bool at_least_one = false;  // of a list of values
};

std::span<const OptionRow> option_table();

/// Another spelling that open_clip, or a command line people paste, has for an option.
struct OptionAlias {
  std::string_view name, means;
};
std::span<const OptionAlias> option_aliases();

/// An option of the reference that is not taken, and why.
struct RefusedOption {
  std::string_view name;
  std::string_view reason;
  std::string_view reference_default = {};  // as params.txt of 3.3.0 shows it; empty: not in 3.3.0
};
std::span<const RefusedOption> refused_options();

/// The row of a name or alias, null if there is none.
const OptionRow* find_option(std::string_view name);
std::string_view group_title(OptionGroup group);

/// The value of a row's field as Python prints it: `None`, `True`, `5e-05`, `[224, 224]`.
std::string python_text(const OptionRow& row, const TrainOptions& options);

}  // namespace clipnext::run
