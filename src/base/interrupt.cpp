#include "base/interrupt.h"

#include <unistd.h>

#include <csignal>
#include <ctime>

#include "base/error.h"
#include "base/file.h"

namespace clipnext {
namespace {

constexpr int kInterruptedStatus = 130;

constexpr time_t kSameNotice = 5;  // seconds

volatile std::sig_atomic_t flag = 0;
volatile time_t first_at = 0;

/// A job that is taken off its machine may hear of it twice while it still saves: in two ways, or
/// at the same time from its launcher and with everything else that runs there.
bool ends_at_once(int signal) {
  if (signal == SIGINT) return flag != 0;
  return flag == signal && time(nullptr) - first_at >= kSameNotice;
}

void on_signal(int signal) {
  if (ends_at_once(signal)) {
    remove_temporary_files();
    _exit(kInterruptedStatus);
  }
  if (flag != 0) return;
  first_at = time(nullptr);
  flag = signal;
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
