// Ctrl-C as a flag that long work looks at, so that nothing is left half done.
#pragma once

namespace clipnext {

/// From now on SIGINT, SIGTERM, SIGHUP and SIGUSR1 (of batch systems) set the flag. SIGINT after it
/// is set, or the same one again after five seconds, ends the process at once, less the temporary
/// files of its FileWriters. A file above the size limit of the process is an error when it is
/// written, not a signal.
void catch_interrupts();

/// Whether a signal came since catch_interrupts().
bool interrupted() noexcept;

/// Throws Interrupted if a signal came. Called between items, never in the middle of one.
void throw_if_interrupted();

}  // namespace clipnext
