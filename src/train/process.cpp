#include "train/process.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/thread_pool.h"
#include "run/launch.h"
#include "run/parse_options.h"
#include "train/device.h"
#include "train/local_launch.h"
#include "train/loop.h"
#include "train/memory.h"

namespace clipnext::train {
namespace {

constexpr int kInterrupted = 130;

Meeting meeting(const run::TrainOptions& options, const run::World& world,
                const std::string& device) {
  Meeting meeting{.rank = world.rank, .size = world.size};
  if (world.size == 1) return meeting;
  const run::Rendezvous place =
      run::find_rendezvous(run::read_environment(), options.dist_url, world);
  meeting.host = place.host;
  meeting.port = static_cast<int>(place.port);
  meeting.backend = run::choose_backend(options, device);
  meeting.device = find_device(device);
  meeting.timeout = std::chrono::seconds(options.dist_timeout);
  return meeting;
}

/// How many processes of the run this machine has, as launchers say; Slurm's "2(x3)" begins with
/// it.
int64_t local_size(const run::Environment& environment) {
  for (const char* name : {"LOCAL_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS",
                           "SLURM_STEP_TASKS_PER_NODE", "SLURM_TASKS_PER_NODE"}) {
    const auto found = environment.find(name);
    if (found == environment.end()) continue;
    return std::max<int64_t>(1, std::strtoll(found->second.c_str(), nullptr, 10));
  }
  return 1;
}

/// Processes on one machine share its cores.
void set_threads(const run::TrainOptions& options, const run::World& world) {
  const int64_t sharing = world.distributed ? local_size(run::read_environment()) : 1;
  const int64_t threads =
      options.threads > 0 ? options.threads : std::max<int64_t>(1, usable_cpus() / sharing);
  at::set_num_threads(static_cast<int>(threads));
}

int run_rank(const run::ParsedOptions& parsed, const run::World& world) {
  keep_freed_memory();
  const run::TrainOptions& options = parsed.options;
  std::vector<std::string> warnings = parsed.warnings;
  const bool gpu = options.device.starts_with("cuda") && find_gpus().count > 0;
  const std::string device = run::choose_device(options, world, gpu, warnings);
  const at::Device place = find_device(device);
  use_device(place);
  if (!place.is_cpu()) allow_fast_training();
  set_threads(options, world);
  Group group(meeting(options, world, device));
  return train(options, world, device, warnings, group) == Ending::kDone ? 0 : kInterrupted;
}

int run_here(const std::vector<std::string>& arguments) {
  const run::ParsedOptions parsed = run::parse_options(arguments);
  const run::Environment environment = run::read_environment();
  follow_launcher(environment);
  const run::World world = run::detect_world(environment);
  run::check_world(parsed.options, std::max(world.size, parsed.options.nproc));
  if (parsed.options.nproc > 1 && !world.distributed) {
    return launch_local(parsed.options.nproc, arguments, environment);
  }
  catch_interrupts();
  return run_rank(parsed, world);
}

}  // namespace

int run_process(const std::vector<std::string>& arguments) {
  return translated([&] { return run_here(arguments); });
}

}  // namespace clipnext::train
