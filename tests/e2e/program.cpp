#include "e2e/program.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "base/file.h"

namespace clipnext::e2e {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kBetweenSignals{50};

void redirect(const fs::path& file, int flags, int descriptor) {
  const int fd = open(file.c_str(), flags);
  if (fd < 0 || dup2(fd, descriptor) < 0) _exit(126);
  close(fd);
}

[[noreturn]] void become(const Run& o, const fs::path& io) {
  redirect(io / "in", O_RDONLY, STDIN_FILENO);
  redirect(io / "out", O_WRONLY, STDOUT_FILENO);
  redirect(io / "err", O_WRONLY, STDERR_FILENO);
  unsetenv("CLIPNEXT_MODEL");
  for (const auto& [name, value] : o.environment) setenv(name.c_str(), value.c_str(), 1);
  if (chdir(o.folder.c_str()) != 0) _exit(126);
  std::vector<char*> argv = {const_cast<char*>(o.program.c_str())};
  for (const std::string& arg : o.args) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  execvp(argv[0], argv.data());
  _exit(127);
}

}  // namespace

Json Outcome::json() const {
  Json value = Json::parse(out, nullptr, false);
  EXPECT_FALSE(value.is_discarded()) << "not JSON: " << out << "\n" << err;
  return value;
}

Outcome run(const Run& options) {
  const TestFolder io;
  std::ofstream(io / "in", std::ios::binary) << options.input;
  // Here, since a child may be killed before it opens them.
  for (const char* name : {"out", "err"}) std::ofstream(io / name, std::ios::binary).flush();
  const pid_t child = fork();
  if (child == 0) become(options, io.path());
  if (const auto ms = options.kill_after_ms ? options.kill_after_ms : options.interrupt_after_ms) {
    std::this_thread::sleep_for(std::chrono::milliseconds(*ms));
    for (const int signal : options.kill_after_ms ? std::vector<int>{SIGKILL} : options.signals) {
      kill(child, signal);
      std::this_thread::sleep_for(kBetweenSignals);
    }
  }
  int status = 0;
  rusage used{};
  wait4(child, &status, 0, &used);
  Outcome outcome{
      .status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
      .out = read_file(io / "out"),
      .err = read_file(io / "err"),
      .peak_bytes = used.ru_maxrss * 1024,
  };
  return outcome;
}

Outcome run(std::vector<std::string> args) { return run(Run{.args = std::move(args)}); }

void expect_error(const Outcome& outcome, int status, const std::string& part) {
  EXPECT_EQ(outcome.status, status) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  const size_t at = outcome.err.find("clipnext: ");
  ASSERT_NE(at, std::string::npos) << outcome.err;
  const std::string line = outcome.err.substr(at);
  EXPECT_TRUE(at == 0 || outcome.err[at - 1] == '\n') << outcome.err;
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
  EXPECT_NE(line.find(part), std::string::npos) << line;
}

std::string Program::write(const std::string& name, const std::string& content) const {
  fs::create_directories((folder_ / name).parent_path());
  std::ofstream(folder_ / name, std::ios::binary) << content;
  return path(name);
}

std::string source_path(const std::string& name) {
  return std::string(CLIPNEXT_SOURCE_DIR) + "/" + name;
}

std::string picture(const std::string& name) {
  return source_path("examples/emoji/pictures/" + name + ".png");
}

std::string read(const std::string& path) { return read_file(path); }

}  // namespace clipnext::e2e
