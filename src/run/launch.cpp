#include "run/launch.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/error.h"

extern char** environ;

namespace clipnext::run {
namespace {

struct Launcher {
  const char* name;
  const char* local_rank;
  const char* rank;
  const char* size;
};

// In the order in which open_clip looks.
constexpr std::array kLaunchers = {
    Launcher{"torchrun", "LOCAL_RANK", "RANK", "WORLD_SIZE"},
    Launcher{"PMI", "MPI_LOCALRANKID", "PMI_RANK", "PMI_SIZE"},
    Launcher{"Slurm", "SLURM_LOCALID", "SLURM_PROCID", "SLURM_NTASKS"},
    Launcher{"Open MPI", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_RANK",
             "OMPI_COMM_WORLD_SIZE"},
};

std::optional<std::string> find(const Environment& environment, const std::string& name) {
  const auto found = environment.find(name);
  if (found == environment.end()) return std::nullopt;
  return found->second;
}

int64_t parse_number(std::string_view text, const std::string& name) {
  int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  require(error == std::errc() && at == end && value >= 0, name, "=", text,
          " is set in the environment, but is no number of processes");
  return value;
}

struct Found {
  int64_t value = 0;
  const Launcher* launcher = nullptr;  // null: nobody said
  const char* name = nullptr;
};

Found first_of(const Environment& environment, const char* Launcher::*which, int64_t otherwise) {
  for (const Launcher& launcher : kLaunchers) {
    if (const auto text = find(environment, launcher.*which)) {
      return {parse_number(*text, launcher.*which), &launcher, launcher.*which};
    }
  }
  return {.value = otherwise};
}

// Open MPI and PMI say it only for processes that they started.
bool started_by_mpi(const Environment& environment) {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}) {
    const auto text = find(environment, name);
    if (text && parse_number(*text, name) > 1) return true;
  }
  return false;
}

bool is_distributed(const Environment& environment) {
  if (const auto size = find(environment, "WORLD_SIZE")) {
    return parse_number(*size, "WORLD_SIZE") > 1;
  }
  if (const auto tasks = find(environment, "SLURM_NTASKS")) {
    if (parse_number(*tasks, "SLURM_NTASKS") > 1) return true;
  }
  return started_by_mpi(environment);
}

// Rank and size must come from launchers that agree.
void check_triple(const Environment& environment, const Found& rank, const Found& size,
                  const Found& local_rank) {
  require(rank.launcher != nullptr, size.name, " says ", size.value,
          " processes, but no variable says which one this is (RANK, PMI_RANK, SLURM_PROCID, "
          "OMPI_COMM_WORLD_RANK)");
  if (rank.launcher != size.launcher) {
    const auto text = find(environment, rank.launcher->size);
    const int64_t other = text ? parse_number(*text, rank.launcher->size) : size.value;
    require(other == size.value, size.name, " says ", size.value,
            " processes, but the rank comes from ", rank.name, ", and ", rank.launcher->size,
            " says ", other,
            ": two launchers are mixed; set RANK, WORLD_SIZE and LOCAL_RANK all three or none");
  }
  require(rank.value < size.value, rank.name, "=", rank.value, " is not below ", size.name, "=",
          size.value);
  require(local_rank.value < size.value,
          local_rank.name != nullptr ? local_rank.name : "local rank", "=", local_rank.value,
          " is not below ", size.name, "=", size.value);
}

// The first "[...]" of a name is expanded, the rest by itself.
void expand_name(std::string_view name, const std::string& before, std::vector<std::string>& out,
                 std::string_view list) {
  constexpr size_t kMost = 1'000'000;
  const size_t open = name.find('[');
  if (open == std::string_view::npos) {
    require(out.size() < kMost, "node list ", list, ": more than a million machines");
    out.push_back(before + std::string(name));
    return;
  }
  const size_t close = name.find(']', open);
  require(close != std::string_view::npos, "node list ", list, ": a [ is never closed");
  std::string_view ranges = name.substr(open + 1, close - open - 1);
  while (!ranges.empty()) {
    const size_t comma = std::min(ranges.find(','), ranges.size());
    const std::string_view range = ranges.substr(0, comma);
    ranges.remove_prefix(std::min(comma + 1, ranges.size()));
    const size_t dash = range.find('-');
    const std::string_view low = range.substr(0, dash);
    const std::string_view high = dash == std::string_view::npos ? low : range.substr(dash + 1);
    const int64_t first = parse_number(low, "node list");
    const int64_t last = parse_number(high, "node list");
    require(first <= last && last - first < static_cast<int64_t>(kMost), "node list ", list,
            ": the range ", range, " is none");
    for (int64_t i = first; i <= last; ++i) {
      std::string digits = std::to_string(i);
      if (digits.size() < low.size()) digits.insert(0, low.size() - digits.size(), '0');
      std::string prefix = before;
      (prefix += name.substr(0, open)) += digits;
      expand_name(name.substr(close + 1), prefix, out, list);
    }
  }
}

Rendezvous parse_tcp(const std::string& url) {
  const std::string address = url.substr(std::string_view("tcp://").size());
  const size_t colon = address.rfind(':');
  require(colon != std::string::npos && colon > 0, "--dist-url ", url, " is not tcp://HOST:PORT");
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  const std::string digits = address.substr(colon + 1, address.find('/', colon) - colon - 1);
  const int64_t port = parse_number(digits, "--dist-url " + url + ": port");
  require(port > 0 && port < 65536, "--dist-url ", url, ": there is no port ", port);
  return {host, port};
}

std::string master_host(const Environment& environment, const World& world) {
  if (auto address = find(environment, "MASTER_ADDR")) return *address;
  for (const char* name : {"SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST", "SLURM_NODELIST"}) {
    const auto list = find(environment, name);
    if (!list || list->empty()) continue;
    const auto hosts = expand_node_list(*list);
    if (!hosts.empty()) return hosts.front();
  }
  // mpirun on a single machine.
  if (find(environment, "OMPI_COMM_WORLD_LOCAL_SIZE") == std::to_string(world.size)) {
    return "127.0.0.1";
  }
  fail(
      "the processes of this run do not know where to meet: set MASTER_ADDR to the machine of rank "
      "0 (and MASTER_PORT), or give --dist-url tcp://HOST:PORT");
}

int64_t master_port(const Environment& environment) {
  if (const auto text = find(environment, "MASTER_PORT")) {
    const int64_t port = parse_number(*text, "MASTER_PORT");
    require(port > 0 && port < 65536, "MASTER_PORT=", port, " is no port");
    return port;
  }
  // The port of LAION's scripts; jobs that share a machine get different ones, below those that
  // systems hand out themselves.
  constexpr int64_t kPort = 12802;
  constexpr int64_t kPorts = 19000;
  for (const char* name : {"SLURM_JOB_ID", "SLURM_JOBID"}) {
    if (const auto text = find(environment, name))
      return kPort + parse_number(*text, name) % kPorts;
  }
  return kPort;
}

}  // namespace

Environment read_environment() {
  Environment all;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string_view::npos) {
      all.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return all;
}

World detect_world(const Environment& environment) {
  if (!is_distributed(environment)) return {};
  const Found local_rank = first_of(environment, &Launcher::local_rank, 0);
  const Found rank = first_of(environment, &Launcher::rank, 0);
  const Found size = first_of(environment, &Launcher::size, 1);
  check_triple(environment, rank, size, local_rank);
  return {.rank = rank.value,
          .local_rank = local_rank.value,
          .size = size.value,
          .distributed = size.value > 1,
          .launcher = rank.launcher->name};
}

std::vector<std::string> expand_node_list(std::string_view list) {
  std::vector<std::string> names;
  size_t begin = 0;
  int depth = 0;
  for (size_t i = 0; i <= list.size(); ++i) {
    if (i < list.size() && list[i] == '[') ++depth;
    if (i < list.size() && list[i] == ']') --depth;
    require(depth >= 0 && depth <= 1, "node list ", list, ": brackets do not match");
    if (i == list.size() || (list[i] == ',' && depth == 0)) {
      if (i > begin) expand_name(list.substr(begin, i - begin), "", names, list);
      begin = i + 1;
    }
  }
  require(depth == 0, "node list ", list, ": a [ is never closed");
  return names;
}

Rendezvous find_rendezvous(const Environment& environment, const std::optional<std::string>& url,
                           const World& world) {
  if (url && url->starts_with("tcp://")) return parse_tcp(*url);
  require(!url || *url == "env://", "--dist-url ", url.value_or(""),
          " is neither env:// nor tcp://HOST:PORT");
  return {master_host(environment, world), master_port(environment)};
}

Environment child_environment(const Environment& parent, int64_t index, int64_t count,
                              int64_t port) {
  Environment child = parent;
  child["RANK"] = child["LOCAL_RANK"] = std::to_string(index);
  child["WORLD_SIZE"] = child["LOCAL_WORLD_SIZE"] = std::to_string(count);
  child["MASTER_ADDR"] = "127.0.0.1";
  child["MASTER_PORT"] = std::to_string(port);
  return child;
}

std::string choose_device(const TrainOptions& options, const World& world, bool cuda_available,
                          std::vector<std::string>& warnings) {
  const std::string& device = options.device;
  const std::string kind = device.substr(0, device.find(':'));
  require(kind == "cuda" || kind == "cpu", "--device ", device, ": there are cuda, cuda:N and cpu");
  if (kind == "cuda" && !cuda_available) {
    warnings.push_back("--device " + device + " is not there: computing on the CPU");
    return "cpu";
  }
  if (kind == "cpu" || !world.distributed || options.no_set_device_rank) return device;
  if (kind != device) {
    warnings.push_back("--device " + device + ": each process takes the GPU of its local rank");
  }
  return kind + ":" + std::to_string(world.local_rank);
}

std::string choose_backend(const TrainOptions& options, std::string_view device) {
  if (!options.dist_backend) return device.starts_with("cuda") ? "nccl" : "gloo";
  const std::string& backend = *options.dist_backend;
  require(backend == "gloo" || backend == "nccl", "--dist-backend ", backend,
          ": there are gloo and nccl");
  require(backend != "nccl" || device.starts_with("cuda"),
          "--dist-backend nccl needs a GPU, and this "
          "process computes on ",
          device);
  return backend;
}

}  // namespace clipnext::run
