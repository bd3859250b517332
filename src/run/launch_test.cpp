#include "run/launch.h"

#include <gtest/gtest.h>

#include "run/fixtures_test.h"

namespace clipnext::run {
namespace {

Environment slurm(const std::string& rank, const std::string& local, const std::string& tasks) {
  return {{"SLURM_PROCID", rank},
          {"SLURM_LOCALID", local},
          {"SLURM_NTASKS", tasks},
          {"SLURM_JOB_ID", "41"},
          {"SLURM_JOB_NODELIST", "gpu[07-09]"}};
}

Environment torchrun(const std::string& rank, const std::string& local, const std::string& world) {
  return {{"RANK", rank},
          {"LOCAL_RANK", local},
          {"WORLD_SIZE", world},
          {"MASTER_ADDR", "head"},
          {"MASTER_PORT", "29500"}};
}

Environment mpirun() {
  return {{"OMPI_COMM_WORLD_RANK", "3"},
          {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
          {"OMPI_COMM_WORLD_SIZE", "4"},
          {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}};
}

Environment together(Environment a, const Environment& b) {
  a.insert(b.begin(), b.end());
  return a;
}

struct Case {
  const char* name;
  Environment environment;
  int64_t rank, local_rank, size;
  const char* launcher;
};

// Spec: training.md section 10, item 14.
TEST(Launch, EveryLauncherIsRecognised) {
  const Case cases[] = {
      {"alone", {}, 0, 0, 1, ""},
      {"torchrun", torchrun("5", "1", "8"), 5, 1, 8, "torchrun"},
      {"srun", slurm("2", "0", "3"), 2, 0, 3, "Slurm"},
      // One task on each of three machines, each of which starts four.
      {"srun and torchrun", together(torchrun("9", "1", "12"), slurm("2", "0", "3")), 9, 1, 12,
       "torchrun"},
      {"mpirun", mpirun(), 3, 1, 4, "Open MPI"},
      {"srun with PMI", together({{"PMI_RANK", "2"}, {"PMI_SIZE", "3"}}, slurm("2", "0", "3")), 2,
       0, 3, "PMI"},
      {"PMI alone",
       {{"PMI_RANK", "1"}, {"PMI_SIZE", "2"}, {"MPI_LOCALRANKID", "1"}},
       1,
       1,
       2,
       "PMI"},
      {"one process of torchrun", torchrun("0", "0", "1"), 0, 0, 1, ""},
      // As the reference: WORLD_SIZE decides, whatever Slurm says.
      {"alone within a job", together({{"WORLD_SIZE", "1"}}, slurm("0", "0", "8")), 0, 0, 1, ""},
      {"srun of one task", slurm("0", "0", "1"), 0, 0, 1, ""},
  };
  for (const Case& one : cases) {
    const World world = detect_world(one.environment);
    EXPECT_EQ(world.rank, one.rank) << one.name;
    EXPECT_EQ(world.local_rank, one.local_rank) << one.name;
    EXPECT_EQ(world.size, one.size) << one.name;
    EXPECT_EQ(world.distributed, one.size > 1) << one.name;
    EXPECT_EQ(world.launcher, one.launcher) << one.name;
  }
}

TEST(Launch, VariablesThatDoNotFitTogetherAreRefused) {
  const std::pair<Environment, const char*> cases[] = {
      {torchrun("8", "0", "8"), "RANK=8"},
      {torchrun("x", "0", "8"), "RANK=x"},
      {torchrun("0", "0", "-2"), "WORLD_SIZE=-2"},
      {torchrun("1", "9", "8"), "LOCAL_RANK=9"},
      {{{"WORLD_SIZE", "8"}}, "no variable says which"},
      {together({{"WORLD_SIZE", "8"}}, slurm("1", "1", "2")), "two launchers are mixed"},
      {together({{"WORLD_SIZE", "8"}}, mpirun()), "two launchers are mixed"},
  };
  for (const auto& one : cases) {
    const std::string message = message_of([&] { detect_world(one.first); });
    EXPECT_NE(message.find(one.second), std::string::npos) << message;
  }
}

TEST(Launch, ProcessesMeetWhereTheLauncherSays) {
  const auto meet = [](const Environment& environment, std::optional<std::string> url = {}) {
    const Rendezvous r = find_rendezvous(environment, url, detect_world(environment));
    return r.host + " " + std::to_string(r.port);
  };
  EXPECT_EQ(meet(torchrun("0", "0", "2")), "head 29500");
  EXPECT_EQ(meet(torchrun("0", "0", "2"), "env://"), "head 29500");
  EXPECT_EQ(meet(slurm("0", "0", "2")), "gpu07 12843");
  EXPECT_EQ(meet(together({{"MASTER_ADDR", "a"}}, slurm("0", "0", "2"))), "a 12843");
  EXPECT_EQ(meet(mpirun(), "tcp://10.0.0.1:99"), "10.0.0.1 99");
  EXPECT_EQ(meet(mpirun(), "tcp://[::1]:99"), "::1 99");
  Environment here = mpirun();
  here["OMPI_COMM_WORLD_LOCAL_SIZE"] = "4";
  EXPECT_EQ(meet(here), "127.0.0.1 12802");
  EXPECT_NE(message_of([&] { meet(mpirun()); }).find("MASTER_ADDR"), std::string::npos);
  for (const char* bad : {"tcp://host", "file:///x", "tcp://h:0", "tcp://h:x", "tcp://:5"}) {
    EXPECT_NE(message_of([&] { meet(mpirun(), bad); }), "no error") << bad;
  }
}

TEST(Launch, NodeListsAreExpandedAsSlurmWritesThem) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(expand_node_list("a"), (Names{"a"}));
  EXPECT_EQ(expand_node_list("host[01-03,7],b"),
            (Names{"host01", "host02", "host03", "host7", "b"}));
  EXPECT_EQ(expand_node_list("r[1-2]n[09-10].x,c"),
            (Names{"r1n09.x", "r1n10.x", "r2n09.x", "r2n10.x", "c"}));
  for (const char* bad : {"a[1", "a]1[", "a[2-1]", "a[x]", "a[1-99999999]", "a[[1]]"}) {
    EXPECT_THROW(expand_node_list(bad), Error) << bad;
  }
}

TEST(Launch, ChildrenOfOneMachineFindOneAnother) {
  const Environment child = child_environment({{"PATH", "/bin"}, {"RANK", "9"}}, 1, 2, 4321);
  const World world = detect_world(child);
  EXPECT_EQ(world.rank, 1);
  EXPECT_EQ(world.local_rank, 1);
  EXPECT_EQ(world.size, 2);
  EXPECT_EQ(find_rendezvous(child, {}, world).port, 4321);
  EXPECT_EQ(child.at("PATH"), "/bin");
  EXPECT_EQ(child.at("LOCAL_WORLD_SIZE"), "2");  // by which they share the cores
}

TEST(Launch, TheDeviceFollowsTheLocalRank) {
  TrainOptions options;
  std::vector<std::string> warnings;
  const World alone;
  const World third{
      .rank = 6, .local_rank = 2, .size = 8, .distributed = true, .launcher = "Slurm"};
  EXPECT_EQ(choose_device(options, alone, true, warnings), "cuda");
  EXPECT_EQ(choose_device(options, third, true, warnings), "cuda:2");
  EXPECT_TRUE(warnings.empty());
  EXPECT_EQ(choose_device(options, third, false, warnings), "cpu");
  EXPECT_EQ(warnings.size(), 1U);
  options.device = "cuda:5";
  EXPECT_EQ(choose_device(options, alone, true, warnings), "cuda:5");
  EXPECT_EQ(choose_device(options, third, true, warnings), "cuda:2");
  EXPECT_EQ(warnings.size(), 2U);
  options.no_set_device_rank = true;
  EXPECT_EQ(choose_device(options, third, true, warnings), "cuda:5");
  options.device = "tpu";
  EXPECT_THROW(choose_device(options, alone, true, warnings), Error);
}

TEST(Launch, TheBackendFollowsTheDevice) {
  TrainOptions options;
  EXPECT_EQ(choose_backend(options, "cuda:1"), "nccl");
  EXPECT_EQ(choose_backend(options, "cpu"), "gloo");
  options.dist_backend = "gloo";
  EXPECT_EQ(choose_backend(options, "cuda:1"), "gloo");
  options.dist_backend = "nccl";
  EXPECT_THROW(choose_backend(options, "cpu"), Error);
  options.dist_backend = "mpi";
  EXPECT_THROW(choose_backend(options, "cpu"), Error);
}

}  // namespace
}  // namespace clipnext::run
