#include "base/cgroup.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "base/test_folder.h"

namespace clipnext {
namespace {

namespace fs = std::filesystem;

class Cgroup : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
  }
  int cpus() { return cgroup_cpus(folder_ / "membership", folder_ / "mount"); }

  const TestFolder temporary_;
  const fs::path folder_ = temporary_.path();
};

TEST_F(Cgroup, TheSmallestQuotaAboveCounts) {
  write("membership", "0::/slurm/job_7/step_0\n");
  write("mount/slurm/cpu.max", "800000 100000\n");
  write("mount/slurm/job_7/cpu.max", "300000 100000\n");
  write("mount/slurm/job_7/step_0/cpu.max", "max 100000\n");
  EXPECT_EQ(cpus(), 3);
  write("mount/slurm/job_7/step_0/cpu.max", "150000 100000\n");
  EXPECT_EQ(cpus(), 2);  // rounded
  write("mount/slurm/job_7/step_0/cpu.max", "1000 100000\n");
  EXPECT_EQ(cpus(), 1);
}

TEST_F(Cgroup, AContainersOwnGroupIsTheMount) {
  write("membership", "0::/system.slice/docker-abc.scope\n");
  write("mount/cpu.max", "200000 100000\n");
  EXPECT_EQ(cpus(), 2);
}

TEST_F(Cgroup, VersionOneHasItsOwnFiles) {
  write("membership", "5:memory:/job\n4:cpu,cpuacct:/job\n3:cpuset:/other\n");
  write("mount/cpu/job/cpu.cfs_quota_us", "-1\n");
  write("mount/cpu/job/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cpus(), 0);
  write("mount/cpu/job/cpu.cfs_quota_us", "400000\n");
  EXPECT_EQ(cpus(), 4);
}

TEST_F(Cgroup, WithoutAQuotaThereIsNone) {
  EXPECT_EQ(cpus(), 0);
  write("membership", "0::/\nnonsense\n");
  EXPECT_EQ(cpus(), 0);
  write("mount/cpu.max", "max 100000\n");
  EXPECT_EQ(cpus(), 0);
  write("mount/cpu.max", "many few\n");
  EXPECT_EQ(cpus(), 0);
}

}  // namespace
}  // namespace clipnext
