// --device in the program without libtorch: what hands the command line over to clipnext-torch.
#include "base/text_lines.h"
#include "e2e/program.h"

namespace clipnext::e2e {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kCommands = {"classify", "embed", "similarity",
                                            "bench",    "demo",  "eval"};

/// A copy of the program in a folder where a test decides what is beside it.
class Device : public Program {
 protected:
  Device() { fs::copy_file(CLIPNEXT_PROGRAM, folder_ / "clipnext"); }

  Outcome run_copy(std::vector<std::string> args) const {
    return run({.args = std::move(args), .program = path("clipnext")});
  }
};

TEST_F(Device, HelpOfEveryCommandThatEmbedsShowsIt) {
  for (const std::string& command : kCommands) {
    const Outcome help = run_copy({command, "--help"});
    EXPECT_NE(help.out.find("--device"), std::string::npos) << command;
  }
}

TEST_F(Device, CpuIsTheProgramItself) {
  const std::string out = path("x.npy");
  ASSERT_EQ(run_copy({"embed", picture("taxi"), "--out", out, "--device", "cpu"}).status, 0);
  const std::string chosen = read(out);
  ASSERT_EQ(run_copy({"embed", picture("taxi"), "--out", out}).status, 0);
  EXPECT_EQ(read(out), chosen);
}

TEST_F(Device, OthersNeedTheOtherProgram) {
  for (const char* device : {"cuda", "cuda:1"}) {
    const Outcome outcome =
        run_copy({"embed", picture("taxi"), "--out", path("x.npy"), "--device", device});
    expect_error(outcome, 1, std::string("--device ") + device + " needs clipnext-torch");
    EXPECT_NE(outcome.err.find("./dev build --train"), std::string::npos) << outcome.err;
  }
  EXPECT_FALSE(fs::exists(path("x.npy")));
  EXPECT_FALSE(fs::exists(path("x.txt")));
  expect_error(run_copy({"train", "--train-data", "x"}), 1, "clipnext train needs clipnext-torch");
}

TEST_F(Device, TheOtherProgramGetsTheCommandLineAsItIsAndGivesTheStatus) {
  write("clipnext-torch", "#!/bin/sh\nprintf '%s\\n' \"$@\"\nexit 7\n");
  fs::permissions(path("clipnext-torch"), fs::perms::owner_all);
  const std::vector<std::string> args = {"classify", "a b.jpg", "--labels", "one, two",
                                         "--device", "cuda:3",  "--json"};
  const Outcome outcome = run_copy(args);
  EXPECT_EQ(outcome.status, 7) << outcome.err;
  EXPECT_EQ(split_lines(outcome.out), args);
  const Outcome training = run_copy({"train", "--epochs", "3"});
  EXPECT_EQ(training.status, 7) << training.err;
  EXPECT_EQ(split_lines(training.out), (std::vector<std::string>{"train", "--epochs", "3"}));
  for (const std::string& command : kCommands) {
    std::vector<std::string> line = {command, "--device", "cuda"};
    if (command == "embed") line.insert(line.end(), {"--out", "x.npy"});
    const Outcome over = run_copy(line);
    EXPECT_EQ(over.status, 7) << command << over.err;
    EXPECT_EQ(split_lines(over.out), line);
  }
}

TEST_F(Device, WrongNamesAreWrongCommandLines) {
  for (const char* name : {"tpu", "cuda:", "cuda:x", "cuda:-1", "cuda:100", ""}) {
    expect_error(run_copy({"bench", "--batch", "1", "--device", name}), 2, "--device");
  }
  expect_error(run_copy({"bench", "--preprocess", "x.jpg", "--device", "cuda"}), 2, "--preprocess");
}

}  // namespace
}  // namespace clipnext::e2e
