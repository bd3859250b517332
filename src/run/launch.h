// Who we are among the processes of a run, from the environment that torchrun, srun or mpirun made,
// and where the processes meet: spec training.md 7.1.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "run/options.h"

namespace clipnext::run {

using Environment = std::map<std::string, std::string>;
/// The process's own.
Environment read_environment();

struct World {
  int64_t rank = 0;        // of all processes
  int64_t local_rank = 0;  // of those on this machine
  int64_t size = 1;
  bool distributed = false;  // size > 1
  std::string launcher;      // for messages: "torchrun", "Slurm", "PMI", "Open MPI"; empty: alone
};

/// As open_clip resolves them, variable by variable, the first that is set: distributed if
/// WORLD_SIZE, else SLURM_NTASKS says more than one. Beyond that, processes that mpirun alone
/// started (OMPI_COMM_WORLD_SIZE, PMI_SIZE) count too. Throws Error for variables that are no
/// numbers or do not fit together, rather than waiting for processes that never come.
World detect_world(const Environment& environment);

/// A TCP address where the first process listens.
struct Rendezvous {
  std::string host;
  int64_t port = 0;
};

/// From --dist-url: env:// (also without it) takes MASTER_ADDR and MASTER_PORT, without them the
/// first machine of Slurm's list and a port that follows from the job; tcp://HOST:PORT. Throws
/// Error that says what is missing.
Rendezvous find_rendezvous(const Environment& environment, const std::optional<std::string>& url,
                           const World& world);

/// `a[01-03,7]b,c` as Slurm writes SLURM_JOB_NODELIST: a01b, a02b, a03b, a7b, c. Throws Error for
/// text that is none and for lists of more than a million.
std::vector<std::string> expand_node_list(std::string_view list);

/// The variables of process `index` of `count` that --nproc starts on this machine, over those of
/// the parent.
Environment child_environment(const Environment& parent, int64_t index, int64_t count,
                              int64_t port);

/// The device a process computes on: --device, with the local rank where there are several GPUs
/// unless --no-set-device-rank; an index that was given is dropped then, with a warning. Falls back
/// to the CPU where no GPU is there, as the reference does, with a warning.
std::string choose_device(const TrainOptions& options, const World& world, bool cuda_available,
                          std::vector<std::string>& warnings);

/// --dist-backend, or by the device: nccl on a GPU, else gloo. Throws Error for others.
std::string choose_backend(const TrainOptions& options, std::string_view device);

}  // namespace clipnext::run
