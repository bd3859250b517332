// The text of --help, from the table.
#include <algorithm>
#include <array>

#include "run/option_table.h"
#include "run/parse_options.h"
#include "run/recipes.h"

namespace clipnext::run {
namespace {

constexpr size_t kColumn = 40;

std::string left_side(const OptionRow& row) {
  std::string text = "  --" + std::string(row.name);
  if (!row.value.empty()) text += " " + std::string(row.value);
  for (const OptionAlias& alias : option_aliases()) {
    if (alias.means == row.name) text += ", --" + std::string(alias.name);
  }
  return text;
}

// What a row is without being given, where that says something.
std::string default_text(const OptionRow& row) {
  static const TrainOptions kDefaults;
  if (std::holds_alternative<bool TrainOptions::*>(row.field)) {
    return kDefaults.*std::get<bool TrainOptions::*>(row.field) ? " (default on)" : "";
  }
  const std::string text = python_text(row, kDefaults);
  if (text.empty() || text == "None" || text == "{}" || text == "[]") return "";
  return " (default " + (text == "\t" ? std::string("TAB") : text) + ")";
}

std::string line(const OptionRow& row) {
  std::string text = left_side(row);
  text += text.size() + 2 > kColumn ? "  " : std::string(kColumn - text.size(), ' ');
  text += row.help;
  if (!row.choices.empty()) {
    text += ":";
    for (const std::string_view choice : row.choices) text += " " + std::string(choice);
  }
  return text + default_text(row) + "\n";
}

}  // namespace

std::string help_text() {
  std::string text =
      "clipnext train [OPTIONS]: trains a CLIP model, with open_clip's options and files\n";
  for (const OptionGroup group :
       {OptionGroup::kData, OptionGroup::kModel, OptionGroup::kOptimisation, OptionGroup::kRun,
        OptionGroup::kDistributed, OptionGroup::kOurs}) {
    text += "\n" + std::string(group_title(group)) + "\n";
    for (const OptionRow& row : option_table()) {
      if (row.group == group) text += line(row);
    }
  }
  text += "  --no-FLAG" + std::string(kColumn - 11, ' ') + "take back a flag, such as a recipe's\n";
  text += "\nRecipes\n";
  for (const Recipe& recipe : builtin_recipes()) {
    const std::string name = "  " + recipe.name;
    text += name + std::string(name.size() < kColumn ? kColumn - name.size() : 1, ' ') +
            recipe.about + "\n";
  }
  return text + R"(
Examples
  clipnext train --recipe emoji-atto --train-data 'emoji-train/{00000..00011}.tar'
  clipnext train --model convnext_tiny --train-data pairs.tsv --csv-img-key path --batch-size 64
    --precision amp_bf16 --name first --save-most-recent
  clipnext train --name first --resume latest ...        go on after an interruption
  clipnext train --recipe convnext-large-320-5e-5 --dry-run --workers 6
  srun clipnext train --recipe convnext-large-320-5e-5 --train-data 'pipe:aws s3 cp s3://b/{00000..41455}.tar -'
  torchrun --no-python --nproc-per-node 8 clipnext train ...    or: clipnext train --nproc 8 ...
)";
}

}  // namespace clipnext::run
