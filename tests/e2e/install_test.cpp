// cmake --install, find_package(clipnext), and the example in clipnext.hpp.
#include "base/text_lines.h"
#include "e2e/program.h"

namespace clipnext::e2e {
namespace {

// The program in the header's first comment: its lines begin with "//   ".
std::string example_of(const std::string& header) {
  constexpr std::string_view kMark = "//   ";
  std::string program;
  for (const std::string& line : split_lines(header)) {
    if (line == "#pragma once") break;
    if (line.starts_with(kMark)) program += line.substr(kMark.size());
    program += "\n";
  }
  return program;
}

Outcome cmake(std::vector<std::string> args) {
  return run({.args = std::move(args), .program = CLIPNEXT_CMAKE});
}

TEST_F(Program, InstalledPackageBuildsAndRunsTheExamples) {
  const Outcome install = cmake({"--install", CLIPNEXT_BUILD_DIR, "--prefix", path("prefix")});
  ASSERT_EQ(install.status, 0) << install.err;
  const std::string example =
      write("example.cpp", example_of(read(path("prefix/include/clipnext/clipnext.hpp"))));
  const std::string sanitize = CLIPNEXT_SANITIZE;
  const std::string flags = sanitize.empty() ? "" : "-fsanitize=" + sanitize;
  const Outcome configure =
      cmake({"-G", "Ninja", "-S", source_path("tests/e2e/consumer"), "-B", path("build"),
             "-DCMAKE_PREFIX_PATH=" + path("prefix"), "-DEXAMPLE=" + example,
             std::string("-DCMAKE_CXX_COMPILER=") + CLIPNEXT_CXX,
             std::string("-DCMAKE_C_COMPILER=") + CLIPNEXT_C, "-DCMAKE_CXX_FLAGS=" + flags,
             "-DCMAKE_C_FLAGS=" + flags});
  ASSERT_EQ(configure.status, 0) << configure.err;
  const Outcome build = cmake({"--build", path("build")});
  ASSERT_EQ(build.status, 0) << build.out << build.err;

  const std::vector<std::string> args = {source_path("models/emoji-convnext-atto"),
                                         picture("taxi")};
  const Outcome cpp = run({.args = args, .program = path("build/example")});
  EXPECT_EQ(cpp.status, 0) << cpp.err;
  EXPECT_EQ(cpp.out.find("128 values, the first "), 0U) << cpp.out;
  EXPECT_LT(cpp.out.find("a taxi"), cpp.out.find("a cactus")) << cpp.out;

  const Outcome c = run({.args = args, .program = path("build/c_example")});
  EXPECT_EQ(c.status, 0) << c.err;
  EXPECT_EQ(c.out.find("128 a taxi\n2 1 none.png: "), 0U) << c.out;

  const Outcome program = run({.args = {"--version"}, .program = path("prefix/bin/clipnext")});
  EXPECT_EQ(program.status, 0) << program.err;
}

}  // namespace
}  // namespace clipnext::e2e
