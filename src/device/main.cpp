// The program `clipnext-torch`: the command line of `clipnext` over libtorch. `clipnext` executes
// it for `train` and for every --device but the processor.
#include "cli/program.h"
#include "device/torch_backend.h"
#include "train/process.h"

int main(int argc, char** argv) {
  using namespace clipnext;
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (!arguments.empty() && arguments.front() == "train") {
    return cli::exit_status_of([&] {
      return train::run_process({arguments.begin() + 1, arguments.end()});
    });
  }
  device::TorchBackend backend;
  return cli::run_program(argc, argv, backend);
}
