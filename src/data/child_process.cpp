#include "data/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/error.h"

extern char** environ;

namespace clipnext::data {
namespace {

// What the child has before it runs: its files, its group, and signals as a shell expects them.
class SpawnSetup {
 public:
  explicit SpawnSetup(int output) {
    posix_spawn_file_actions_init(&files_);
    posix_spawnattr_init(&attributes_);
    posix_spawn_file_actions_addopen(&files_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files_, output, STDOUT_FILENO);
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes_, &signals);
    for (const int number : {SIGPIPE, SIGXFSZ, SIGINT, SIGTERM, SIGHUP})
      sigaddset(&signals, number);
    posix_spawnattr_setsigdefault(&attributes_, &signals);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  }
  ~SpawnSetup() {
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&files_);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;

  // Returns 0 or an error number.
  int spawn(pid_t& pid, const std::vector<std::string>& command) const {
    std::vector<char*> arguments;
    arguments.reserve(command.size() + 1);
    // execvp takes them as char* but does not write to them (POSIX.1-2017, exec, rationale).
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    return posix_spawnp(&pid, arguments[0], &files_, &attributes_, arguments.data(), environ);
  }

 private:
  posix_spawn_file_actions_t files_{};
  posix_spawnattr_t attributes_{};
};

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& command) {
  int ends[2];
  require(pipe2(ends, O_CLOEXEC) == 0, "no pipe for ", command[0], ": ", std::strerror(errno));
  const int error = SpawnSetup(ends[1]).spawn(pid_, command);
  close(ends[1]);
  if (error == 0) {
    output_ = ends[0];
    return;
  }
  close(ends[0]);
  pid_ = -1;
  fail(command[0], " cannot be started: ", std::strerror(error),
       error == ENOENT ? "; install it, or put it into PATH" : "");
}

ChildProcess::~ChildProcess() {
  close_output();
  if (pid_ < 0) return;
  kill_group();
  while (waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
  }
}

void ChildProcess::close_output() {
  if (output_ >= 0) close(output_);
  output_ = -1;
}

void ChildProcess::kill_group() { kill(-pid_, SIGKILL); }

bool ChildProcess::ended() {
  const pid_t found = waitpid(pid_, &status_, WNOHANG);
  if (found == 0 || (found < 0 && errno == EINTR)) return false;
  require(found == pid_, "exit status lost: ", std::strerror(errno));
  pid_ = -1;
  return true;
}

int ChildProcess::wait(StopFlag stop) {
  using Clock = std::chrono::steady_clock;
  constexpr auto kGrace = std::chrono::seconds(10);
  close_output();
  const auto begin = Clock::now();
  auto pause = std::chrono::microseconds(100);
  bool killed = false;
  while (!ended()) {
    throw_if_stopped(stop);
    if (!killed && Clock::now() - begin > kGrace) {
      kill_group();
      killed = true;
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, std::chrono::microseconds(50'000));
  }
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
}

}  // namespace clipnext::data
