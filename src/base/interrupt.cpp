#include "base/interrupt.h"

#include <unistd.h>

#include <csignal>

#include "base/error.h"
#include "base/file.h"

namespace clipnext {
namespace {

constexpr int kInterruptedStatus = 130;

volatile std::sig_atomic_t flag = 0;

void on_signal(int signal) {
  // A job that is taken off its machine may hear of it twice, in two ways, while it still saves.
  if (flag == signal || (flag != 0 && signal == SIGINT)) {
    remove_temporary_files();
    _exit(kInterruptedStatus);
  }
  if (flag == 0) flag = signal;
}

}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  // Without SA_RESTART: reading from a terminal or a pipe ends too.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) sigaction(signal, &action, nullptr);
  std::signal(SIGXFSZ, SIG_IGN);
}

bool interrupted() noexcept { return flag != 0; }

void throw_if_interrupted() {
  if (interrupted()) throw Interrupted();
}

}  // namespace clipnext
