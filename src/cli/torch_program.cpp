#include "cli/torch_program.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/error.h"

namespace clipnext::cli {

void execute_torch_program(const std::string& what, const std::vector<std::string>& arguments) {
  constexpr const char* kName = "clipnext-torch";
  const auto self = std::filesystem::read_symlink("/proc/self/exe");
  const std::string program = (self.parent_path() / kName).string();
  require(std::filesystem::exists(program), what, " needs ", kName, ", which is not beside ",
          self.string(), "; ./dev build --train adds it");
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  // libtorch's threads wait by spinning, which takes the cores from the threads that decode, and on
  // a shared machine from everybody. libgomp reads it when it is loaded.
  if (std::getenv("OMP_WAIT_POLICY") == nullptr) setenv("GOMP_SPINCOUNT", "30000", 0);
  execv(program.c_str(), argv.data());
  fail(program, " cannot be started: ", std::strerror(errno));
}

}  // namespace clipnext::cli
