// A progress line on stderr for anything that takes longer than two seconds.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace clipnext {

/// Counts items from any thread and, once two seconds have passed, keeps one line on a terminal
/// up to date: name, bar, done/total, rate, time left. Without a terminal it prints a line every
/// ten seconds. finish() (or destruction) ends the line.
class Progress {
 public:
  /// total = 0: unknown. unit: what is counted, in the plural.
  Progress(std::string name, int64_t total, std::string unit, bool quiet = false);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void add(int64_t count = 1);
  void finish();

 private:
  using Clock = std::chrono::steady_clock;

  void draw(bool last);
  std::string text_line(bool last, int64_t count, double elapsed, double rate) const;

  std::string name_, unit_;
  int64_t total_;
  bool quiet_, terminal_;
  Clock::time_point begin_;
  std::atomic<int64_t> count_{0};
  std::mutex mutex_;
  Clock::time_point next_;
  bool drawn_ = false;
  bool finished_ = false;
};

/// From now on every Progress prints a line of JSON each second, for a program that watches:
/// {"progress": name, "done", "total" (null if unknown), "unit", "per_second", "seconds",
/// "finished"}.
void print_progress_as_json() noexcept;

/// "1h02m", "3m20s", "12s".
std::string format_duration(double seconds);

}  // namespace clipnext
