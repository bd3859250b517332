// A program whose output is read.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "data/stop.h"

namespace clipnext::data {

/// Runs a command in a process group of its own, with standard input empty and standard error ours.
class ChildProcess {
 public:
  /// command[0] is looked for in PATH. Throws Error if it cannot be started.
  explicit ChildProcess(const std::vector<std::string>& command);
  /// Kills it and its group if it still runs, and waits for it.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  /// Where its standard output is read; -1 after wait().
  int output() const { return output_; }
  /// Closes the output and waits for the end; one that goes on for 10 seconds after that is killed.
  /// Returns its exit status, 128 + N if signal N ended it. Throws Interrupted, also for `stop`.
  int wait(StopFlag stop = nullptr);

 private:
  bool ended();
  void close_output();
  void kill_group();

  pid_t pid_ = -1;
  int output_ = -1;
  int status_ = 0;  // once ended
};

}  // namespace clipnext::data
