#include "train/local_launch.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>

#include "base/error.h"

namespace clipnext::train {
namespace {

constexpr const char* kLauncher = "CLIPNEXT_LAUNCHER";  // its process id
constexpr int kGraceSeconds = 30;  // for the others to end by themselves when one has failed

/// A port that nobody listens on now.
int64_t free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  require(fd >= 0, "no socket: ", std::strerror(errno));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  const bool found = bind(fd, generic, size) == 0 && getsockname(fd, generic, &size) == 0;
  close(fd);
  require(found, "no free port on 127.0.0.1: ", std::strerror(errno));
  return ntohs(address.sin_port);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// In a process group of its own, so that a Ctrl-C reaches it once, through us.
pid_t start(std::vector<std::string> command, const run::Environment& environment) {
  std::vector<std::string> variables;
  for (const auto& [name, value] : environment) {
    variables.push_back(name);
    variables.back().append("=").append(value);
  }
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  pid_t pid = 0;
  const int failed = posix_spawn(&pid, "/proc/self/exe", nullptr, &attributes,
                                 pointers(command).data(), pointers(variables).data());
  posix_spawnattr_destroy(&attributes);
  require(failed == 0, "a process could not be started: ", std::strerror(failed));
  return pid;
}

int status_of(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

/// The processes that run, and what became of the others.
class Children {
 public:
  void add(pid_t pid) { running_.push_back(pid); }
  bool any() const { return !running_.empty(); }
  int status() const { return status_; }

  void send(int signal) const {
    for (const pid_t pid : running_) kill(pid, signal);
  }

  /// Takes note of those that ended.
  void reap() {
    int wait_status = 0;
    for (pid_t pid = 0; (pid = waitpid(-1, &wait_status, WNOHANG)) > 0;) {
      std::erase(running_, pid);
      if (status_ == 0) status_ = status_of(wait_status);
    }
  }

 private:
  std::vector<pid_t> running_;
  int status_ = 0;  // of the first that failed
};

}  // namespace

int launch_local(int64_t count, const std::vector<std::string>& arguments,
                 const run::Environment& environment) {
  sigset_t awaited;
  sigemptyset(&awaited);
  for (const int signal : {SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGUSR1}) sigaddset(&awaited, signal);
  pthread_sigmask(SIG_BLOCK, &awaited, nullptr);

  const int64_t port = free_port();
  Children children;
  for (int64_t i = 0; i < count; ++i) {
    std::vector<std::string> command = {"clipnext-torch", "train"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    run::Environment own = run::child_environment(environment, i, count, port);
    own[kLauncher] = std::to_string(getpid());
    children.add(start(std::move(command), own));
  }
  time_t deadline = 0;
  while (children.any()) {
    const timespec second{1, 0};
    const int signal = sigtimedwait(&awaited, nullptr, &second);
    if (signal > 0 && signal != SIGCHLD) children.send(signal);
    children.reap();
    // Those that an interrupt ended are no failure of the others, which end alike.
    if (children.status() == 0 || children.status() == 130) continue;
    const time_t now = time(nullptr);
    if (deadline == 0) deadline = now + kGraceSeconds;
    if (now >= deadline) children.send(SIGKILL);
  }
  return children.status();
}

void follow_launcher(const run::Environment& environment) {
  const auto launcher = environment.find(kLauncher);
  if (launcher == environment.end()) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  require(std::to_string(getppid()) == launcher->second,
          "the process that started this one is gone");
}

}  // namespace clipnext::train
