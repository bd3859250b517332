#include "run/console.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "base/text_lines.h"
#include "run/python_literal.h"

namespace clipnext::run {
namespace {

// C's formats give Python's text: {:#g} is %#g and so on. Only numbers that are none differ, where
// C may show a sign.
[[gnu::format(printf, 1, 0)]] std::string number(const char* pattern, double value) {
  if (std::isnan(value)) return "nan";
  std::array<char, 400> text{};
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  std::snprintf(text.data(), text.size(), pattern, value);
#pragma GCC diagnostic pop
  return text.data();
}

// str.capitalize(): the first letter large, all others small.
std::string capitalised(std::string text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    text[i] = static_cast<char>(i == 0 ? std::toupper(c) : std::tolower(c));
  }
  return text;
}

// Reads a text from its beginning, piece by piece; after the first miss nothing fits any more.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool skip(std::string_view expected) {
    ok_ = ok_ && rest_.starts_with(expected);
    if (ok_) rest_.remove_prefix(expected.size());
    return ok_;
  }
  void blanks() {
    while (!rest_.empty() && rest_.front() == ' ') rest_.remove_prefix(1);
  }
  template <class T>
  void read(T& value) {
    if (!ok_) return;
    if constexpr (std::is_same_v<T, double>) {
      const size_t end = std::min(rest_.find_first_not_of("+-.0123456789einfa"), rest_.size());
      // "/s" and ")" end a number; of "nan" and "inf" all letters are allowed above.
      const auto parsed = parse_python_float(rest_.substr(0, end));
      ok_ = parsed.has_value();
      if (ok_) value = *parsed;
      if (ok_) rest_.remove_prefix(end);
    } else {
      const auto [at, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
      ok_ = error == std::errc();
      if (ok_) rest_.remove_prefix(static_cast<size_t>(at - rest_.data()));
    }
  }
  std::string until(std::string_view mark) {
    const size_t at = rest_.find(mark);
    ok_ = ok_ && at != std::string_view::npos;
    if (!ok_) return {};
    std::string text(rest_.substr(0, at));
    rest_.remove_prefix(at + mark.size());
    return text;
  }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool starts_with(std::string_view text) const { return rest_.starts_with(text); }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace

void AverageMeter::update(double value, int64_t count) {
  value_ = value;
  sum_ += value * static_cast<double>(count);
  count_ += count;
  average_ = sum_ / static_cast<double>(count_);
}

void LossMeter::update(double value, int64_t batch, int64_t samples_seen) {
  mean_.update(value, batch);
  if (ema_samples_ <= 0) return;
  if (last_samples_ < 0) {
    ema_ = value;
  } else {
    const double decay = std::exp(-static_cast<double>(samples_seen - last_samples_) /
                                  static_cast<double>(ema_samples_));
    ema_ = decay * ema_ + (1 - decay) * value;
  }
  last_samples_ = samples_seen;
}

void LossMeter::begin_epoch() { mean_.reset(); }

std::string train_line(const TrainLine& line) {
  // As many digits as the reference counts with a logarithm.
  const auto digits = static_cast<size_t>(std::max(
      std::ceil(std::log(static_cast<double>(line.samples_per_epoch) + 1) / std::log(10.0)), 0.0));
  std::string samples = std::to_string(line.samples);
  if (samples.size() < digits) samples.insert(0, digits - samples.size(), ' ');
  const double percent =
      100.0 * static_cast<double>(line.step) / static_cast<double>(line.steps_per_epoch);
  std::string text = "Train Epoch: " + std::to_string(line.epoch) + " [" + samples + "/" +
                     std::to_string(line.samples_per_epoch) + " (" + number("%.0f", percent) +
                     "%)] Data (t): " + number("%.3f", line.data_time) +
                     " Batch (t): " + number("%.3f", line.batch_time) + ", " +
                     number("%#g", line.samples_per_second) + "/s, " +
                     number("%#g", line.samples_per_second_per_gpu) +
                     "/s/gpu LR: " + number("%5f", line.lr) +
                     " Logit Scale: " + number("%.3f", line.logit_scale);
  for (const LoggedLoss& loss : line.losses) {
    text += " " + capitalised(loss.name) + ": " + number("%#.5g", loss.value) + " (" +
            number("%#.5g", loss.average) + ")";
  }
  return text;
}

OrderedJson train_json(const TrainLine& line) {
  OrderedJson json = {{"event", "train"},
                      {"epoch", line.epoch},
                      {"step", line.step},
                      {"steps_per_epoch", line.steps_per_epoch},
                      {"samples", line.samples},
                      {"samples_per_epoch", line.samples_per_epoch},
                      {"data_time", line.data_time},
                      {"batch_time", line.batch_time},
                      {"samples_per_second", line.samples_per_second},
                      {"lr", line.lr},
                      {"logit_scale", line.logit_scale}};
  for (const LoggedLoss& loss : line.losses) json[loss.name] = loss.value;
  return json;
}

std::optional<TrainLine> parse_train_line(std::string_view text) {
  constexpr std::string_view kBegin = "Train Epoch: ";
  const size_t begin = text.find(kBegin);
  if (begin == std::string_view::npos) return std::nullopt;
  Scanner in(trim(text.substr(begin + kBegin.size())));
  TrainLine line;
  int64_t percent = 0;
  in.read(line.epoch);
  in.skip(" [");
  in.blanks();
  in.read(line.samples);
  in.skip("/");
  in.read(line.samples_per_epoch);
  in.skip(" (");
  in.read(percent);
  in.skip("%)] Data (t): ");
  in.read(line.data_time);
  in.skip(" Batch (t): ");
  in.read(line.batch_time);
  in.skip(", ");
  in.read(line.samples_per_second);
  in.skip("/s, ");
  in.read(line.samples_per_second_per_gpu);
  in.skip("/s/gpu LR: ");
  in.read(line.lr);
  in.skip(" Logit Scale: ");
  in.read(line.logit_scale);
  while (in.ok() && !in.at_end()) {
    LoggedLoss loss;
    in.skip(" ");
    loss.name = in.until(": ");
    if (!loss.name.empty()) {
      loss.name[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(loss.name[0])));
    }
    in.read(loss.value);
    in.skip(" (");
    in.read(loss.average);
    in.skip(")");
    line.losses.push_back(loss);
  }
  if (!in.ok()) return std::nullopt;
  return line;
}

bool logs_step(int64_t step, int64_t every, int64_t steps_per_epoch) {
  return (step - 1) % every == 0 || step == steps_per_epoch;
}

std::string eval_progress_line(int64_t epoch, int64_t samples, int64_t total, double loss) {
  return "Eval Epoch: " + std::to_string(epoch) + " [" + std::to_string(samples) + " / " +
         std::to_string(total) + "]\tClip Loss: " + number("%.6f", loss) + "\t";
}

std::string eval_line(int64_t epoch, const std::vector<std::pair<std::string, double>>& metrics) {
  std::string text = "Eval Epoch: " + std::to_string(epoch) + " ";
  bool first = true;
  for (const auto& [name, value] : metrics) {
    if (!std::exchange(first, false)) text += "\t";
    text += name + ": " + number("%.4f", value);
  }
  return text;
}

std::optional<std::pair<int64_t, std::vector<std::pair<std::string, double>>>> parse_eval_line(
    std::string_view text) {
  constexpr std::string_view kBegin = "Eval Epoch: ";
  const size_t begin = text.find(kBegin);
  if (begin == std::string_view::npos) return std::nullopt;
  Scanner in(text.substr(begin + kBegin.size()));
  std::pair<int64_t, std::vector<std::pair<std::string, double>>> parsed;
  in.read(parsed.first);
  in.skip(" ");
  if (in.starts_with("[")) return std::nullopt;  // of a validation that is under way
  while (in.ok() && !in.at_end()) {
    if (!parsed.second.empty()) in.skip("\t");
    std::string name = in.until(": ");
    double value = 0;
    in.read(value);
    parsed.second.emplace_back(std::move(name), value);
  }
  if (!in.ok() || parsed.second.empty()) return std::nullopt;
  return parsed;
}

std::string log_prefix(std::string_view level, std::time_t when) {
  std::tm local{};
  localtime_r(&when, &local);
  std::array<char, 64> date{};
  std::strftime(date.data(), date.size(), "%Y-%m-%d,%H:%M:%S", &local);
  return std::string(date.data()) + " | " + std::string(level) + " | ";
}

}  // namespace clipnext::run
