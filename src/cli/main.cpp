// The program `clipnext`.
#include "cli/program.h"

int main(int argc, char** argv) {
  clipnext::cli::KernelBackend backend({argv + 1, argv + argc});
  return clipnext::cli::run_program(argc, argv, backend);
}
