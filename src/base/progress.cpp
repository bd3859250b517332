#include "base/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>

#include "base/json.h"

namespace clipnext {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::atomic<bool> as_json{false};

std::string bar(double share) {
  constexpr int kCells = 24;
  const int full = std::clamp(static_cast<int>(share * kCells), 0, kCells);
  return "[" + std::string(static_cast<size_t>(full), '=') +
         std::string(static_cast<size_t>(kCells - full), ' ') + "]";
}

}  // namespace

std::string format_duration(double duration) {
  const auto total = static_cast<int64_t>(std::llround(std::max(duration, 0.0)));
  char text[48];
  if (total >= 3600) {
    std::snprintf(text, sizeof text, "%ldh%02ldm", static_cast<long>(total / 3600),
                  static_cast<long>(total / 60 % 60));
  } else if (total >= 60) {
    std::snprintf(text, sizeof text, "%ldm%02lds", static_cast<long>(total / 60),
                  static_cast<long>(total % 60));
  } else {
    std::snprintf(text, sizeof text, "%lds", static_cast<long>(total));
  }
  return text;
}

Progress::Progress(std::string name, int64_t total, std::string unit, bool quiet)
    : name_(std::move(name)),
      unit_(std::move(unit)),
      total_(total),
      quiet_(quiet),
      terminal_(isatty(STDERR_FILENO) != 0),
      begin_(Clock::now()),
      next_(begin_ + (as_json ? seconds(0) : seconds(2))) {}

void print_progress_as_json() noexcept { as_json = true; }

// What cannot be shown, for want of memory say, is not worth ending the program for.
Progress::~Progress() {
  try {
    finish();
  } catch (const std::exception&) {
    quiet_ = true;
  }
}

void Progress::add(int64_t count) {
  count_ += count;
  if (quiet_) return;
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock() || finished_) return;
  const auto now = Clock::now();
  if (now < next_) return;
  next_ = now + (as_json ? milliseconds(1000) : milliseconds(terminal_ ? 200 : 10000));
  draw(false);
}

void Progress::finish() {
  const std::lock_guard lock(mutex_);
  if (finished_) return;
  finished_ = true;
  if (drawn_) draw(true);
}

void Progress::draw(bool last) {
  const int64_t count = count_.load();
  const double elapsed = std::chrono::duration<double>(Clock::now() - begin_).count();
  const double rate = elapsed > 0 ? static_cast<double>(count) / elapsed : 0;
  drawn_ = true;
  if (as_json) {
    const OrderedJson line = {{"progress", name_},
                              {"done", count},
                              {"total", total_ > 0 ? OrderedJson(total_) : OrderedJson()},
                              {"unit", unit_},
                              {"per_second", rate},
                              {"seconds", elapsed},
                              {"finished", last}};
    std::fprintf(stderr, "%s\n", line.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
  } else {
    const std::string line = text_line(last, count, elapsed, rate);
    std::fprintf(stderr, terminal_ ? (last ? "\r\033[K%s\n" : "\r\033[K%s") : "%s\n", line.c_str());
  }
  std::fflush(stderr);
}

std::string Progress::text_line(bool last, int64_t count, double elapsed, double rate) const {
  std::string line = name_ + " ";
  if (total_ > 0) line += bar(static_cast<double>(count) / static_cast<double>(total_)) + " ";
  line += std::to_string(count);
  if (total_ > 0) line += "/" + std::to_string(total_);
  char text[64];
  std::snprintf(text, sizeof text, " %s, %.1f/s, ", unit_.c_str(), rate);
  line += text;
  if (last || total_ <= 0 || rate <= 0) {
    line += format_duration(elapsed);
  } else {
    line +=
        format_duration(static_cast<double>(std::max<int64_t>(total_ - count, 0)) / rate) + " left";
  }
  return line;
}

}  // namespace clipnext
