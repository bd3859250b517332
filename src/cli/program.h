// A whole program: its command line, and errors as one line and an exit status.
#pragma once

#include <functional>

#include "cli/backend.h"

namespace clipnext::cli {

/// Does what the command line says and returns the exit status.
int run_program(int argc, char** argv, Backend& backend);

/// The exit status of work that gives one, or of the error it ends with, which is printed.
int exit_status_of(const std::function<int()>& work);

}  // namespace clipnext::cli
