// The program as a whole: help, version, wrong command lines, models that are not there.
#include "e2e/program.h"

namespace clipnext::e2e {
namespace {

const std::vector<std::string> kCommands = {
    "classify", "embed",   "similarity", "tokenize", "preprocess", "inspect", "convert",
    "models",   "profile", "verify",     "bench",    "demo",       "version"};

TEST_F(Program, HelpListsEveryCommand) {
  const Outcome help = run({"--help"});
  EXPECT_EQ(help.status, 0);
  EXPECT_EQ(help.err, "");
  for (const std::string& command : kCommands) {
    EXPECT_NE(help.out.find("\n  " + command + " "), std::string::npos) << command;
  }
}

TEST_F(Program, EveryCommandHasHelpWithExamplesAndTheCommonOptions) {
  for (const std::string& command : kCommands) {
    const Outcome help = run({command, "--help"});
    EXPECT_EQ(help.status, 0) << command;
    const std::string example = "  clipnext " + command;
    for (const char* part : {"Example", example.c_str(), "--json", "--threads"}) {
      EXPECT_NE(help.out.find(part), std::string::npos) << command << ": " << part;
    }
  }
}

TEST_F(Program, VersionIsTheSameBothWays) {
  const Json version = run({"version", "--json"}).json();
  EXPECT_EQ(run({"--version"}).out, "clipnext " + version["version"].get<std::string>() + "\n");
  EXPECT_GE(version["cpus"].get<int>(), 1);
}

TEST_F(Program, EveryInstructionSetThatVersionListsMayBeChosen) {
  const Json isas = run({"version", "--json"}).json()["isas"];
  EXPECT_EQ(isas.at(0), "ref");
  for (const std::string isa : isas) {
    const Outcome chosen =
        run({.args = {"version", "--json"}, .environment = {{"CLIPNEXT_ISA", isa}}});
    EXPECT_EQ(chosen.json()["isa"], isa);
  }
}

TEST_F(Program, WrongCommandLinesExitWithTwo) {
  expect_error(run(std::vector<std::string>{}), 2, "command is required");
  expect_error(run({"nonsense"}), 2, "nonsense");
  expect_error(run({"clasify"}), 2, "did you mean classify");
  expect_error(run({"models", "--nonsense"}), 2, "--nonsense");
  expect_error(run({"models", "--threads", "-1"}), 2, "--threads");
  expect_error(run({"models", "--threads", "many"}), 2, "--threads");
  expect_error(run({"embed", picture("taxi")}), 2, "--out");
}

TEST_F(Program, TwoCommandsAreAWrongCommandLine) {
  EXPECT_EQ(run({"version", "models"}).status, 2);
}

TEST_F(Program, UnknownIsaIsAnErrorThatListsThoseThereAre) {
  const Outcome outcome = run({.args = {"version"}, .environment = {{"CLIPNEXT_ISA", "mmx"}}});
  expect_error(outcome, 1, "mmx");
  EXPECT_NE(outcome.err.find("ref"), std::string::npos) << outcome.err;
}

TEST_F(Program, MissingModelIsNamed) {
  expect_error(run({"classify", picture("taxi"), "--labels", "a", "--model", path("none")}), 1,
               path("none"));
  expect_error(run({"classify", picture("taxi"), "--labels", "a", "--model", "ViT-B-33"}), 1,
               "ViT-B-32");
}

TEST_F(Program, ModelNotNamedComesFromTheEnvironmentAndIsNamedOnStderr) {
  const std::vector<std::string> args = {"similarity", picture("taxi"), "--text", "a", "--json"};
  const Outcome demo = run(args);
  EXPECT_EQ(demo.status, 0) << demo.err;
  EXPECT_NE(demo.err.find("emoji-convnext-atto"), std::string::npos) << demo.err;
  const std::string folder = source_path("models/emoji-convnext-atto");
  const Outcome environment = run({.args = args, .environment = {{"CLIPNEXT_MODEL", folder}}});
  EXPECT_EQ(environment.json()["similarity"], demo.json()["similarity"]);
  EXPECT_NE(environment.err.find("emoji-convnext-atto"), std::string::npos) << environment.err;
  std::vector<std::string> named = args;
  named.insert(named.end(), {"--model", folder});
  EXPECT_EQ(run(named).err, "");
}

TEST_F(Program, FullDiskOnStandardOutputIsAnError) {
  const Outcome outcome =
      run({.args = {"-c", std::string(CLIPNEXT_PROGRAM) + " models > /dev/full"}, .program = "sh"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.err.find("clipnext: standard output"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace clipnext::e2e
