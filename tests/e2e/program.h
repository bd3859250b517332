// Runs the program in a process of its own, and gives each test a folder of its own.
#pragma once

#include <gtest/gtest.h>

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/test_folder.h"

namespace clipnext::e2e {

struct Outcome {
  int status = -1;  // exit status; 128 + signal if one ended it
  std::string out;
  std::string err;
  int64_t peak_bytes = 0;  // resident

  /// Standard output as one JSON value; fails the test if it is none.
  Json json() const;
};

struct Run {
  std::vector<std::string> args = {};
  std::string input = "";                               // standard input
  std::map<std::string, std::string> environment = {};  // over the test's own
  std::optional<int> interrupt_after_ms = {};           // `signals` then, one after the other
  std::vector<int> signals = {SIGINT};
  std::optional<int> kill_after_ms = {};  // SIGKILL then
  std::string program = CLIPNEXT_PROGRAM;
  std::string folder = CLIPNEXT_SOURCE_DIR;  // to run in
};

/// Runs to the end. CLIPNEXT_MODEL is unset unless given.
Outcome run(const Run& options);
Outcome run(std::vector<std::string> args);

/// An error as promised: status, nothing on stdout, one line that begins `clipnext: ` and holds
/// `part`.
void expect_error(const Outcome& outcome, int status, const std::string& part);

/// A test with an empty folder that goes away with it.
class Program : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string write(const std::string& name, const std::string& content) const;

  const TestFolder temporary_;
  const std::filesystem::path folder_ = temporary_.path();
};

/// A file of the source tree.
std::string source_path(const std::string& name);
/// One of the small pictures of examples/emoji/pictures.
std::string picture(const std::string& name);
std::string read(const std::string& path);

}  // namespace clipnext::e2e
