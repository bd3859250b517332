#include "run/remote_sync.h"

#include <fnmatch.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text_lines.h"
#include "data/child_process.h"

extern char** environ;

namespace clipnext::run {
namespace {

namespace fs = std::filesystem;

std::string joined(std::string folder, const std::string& name) {
  while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
  return folder + "/" + name;
}

std::string name_of(const TrainOptions& options) {
  require(options.name.has_value(), "the run has no name");
  return joined(*options.remote_sync, *options.name);
}

/// Runs a program to its end, a signal to this process notwithstanding: what a run wrote last is
/// copied after one.
void run_program(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  std::string shown;
  for (const std::string& word : command) {
    arguments.push_back(const_cast<char*>(word.c_str()));
    shown += (shown.empty() ? "" : " ") + word;
  }
  arguments.push_back(nullptr);
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, arguments[0], nullptr, nullptr, arguments.data(), environ);
  require(error == 0, shown, ": cannot be started: ", std::strerror(error));
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    require(errno == EINTR, shown, ": ", std::strerror(errno));
  }
  require(WIFEXITED(status) && WEXITSTATUS(status) == 0, "--remote-sync: ", shown, " failed with ",
          WIFEXITED(status) ? "status " : "signal ",
          WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

std::string output_of(const std::vector<std::string>& command, int& status) {
  data::ChildProcess child(command);
  std::string output;
  char block[4096];
  while (true) {
    const ssize_t n = read(child.output(), block, sizeof block);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    output.append(block, static_cast<size_t>(n));
  }
  status = child.wait();
  return output;
}

/// Left out of the copy, as `aws s3 sync` spells it: epoch_latest in any format, what a FileWriter
/// is writing, and what fetch_latest is fetching.
constexpr std::array kLeftOut = {"*epoch_latest.*", "*.tmp.*", "*.part"};

bool is_left_out(const fs::path& file) {
  return std::any_of(kLeftOut.begin(), kLeftOut.end(), [&](const char* pattern) {
    return fnmatch(pattern, file.filename().c_str(), 0) == 0;
  });
}

/// Whether the copy is the file's already; not where one of the two cannot be looked at.
bool is_copied(const fs::path& file, const fs::path& copy) {
  std::error_code error;
  const auto copied = fs::last_write_time(copy, error);
  if (error) return false;
  const auto written = fs::last_write_time(file, error);
  return !error && copied >= written && fs::file_size(copy, error) == fs::file_size(file, error);
}

void copy_whole(const fs::path& file, const fs::path& copy) {
  if (is_copied(file, copy)) return;
  // Beside its place first: the copy, too, is whole or not there.
  const fs::path part = copy.string() + ".part";
  std::error_code error, ignored;
  fs::copy_file(file, part, fs::copy_options::overwrite_existing, error);
  if (!error) fs::rename(part, copy, error);
  if (!error) return;
  fs::remove(part, ignored);
  // A run that goes on removes files of its own, such as a snapshot that an epoch's end replaces.
  const bool removed = fs::status(file, ignored).type() == fs::file_type::not_found;
  require(removed, "--remote-sync: ", copy.string(), ": cannot be written: ", error.message());
}

void copy_folder(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::create_directories(to, error);
  require(!error, "--remote-sync: ", to.string(), ": cannot be made: ", error.message());
  for (const auto& entry : fs::recursive_directory_iterator(from)) {
    const fs::path target = to / entry.path().lexically_relative(from);
    if (entry.is_directory()) {
      fs::create_directories(target, error);
      require(!error, "--remote-sync: ", target.string(), ": cannot be made: ", error.message());
    } else if (entry.is_regular_file() && !is_left_out(entry.path())) {
      copy_whole(entry.path(), target);
    }
  }
}

void copy_run(const std::string& protocol, const std::string& local, const std::string& remote) {
  if (protocol == "s3") {
    std::vector<std::string> command = {"aws", "s3", "sync", local, remote};
    for (const char* pattern : kLeftOut) {
      command.emplace_back("--exclude");
      command.emplace_back(pattern);
    }
    return run_program(command);
  }
  require(protocol == "fsspec", "--remote-sync-protocol ", protocol, ": s3 or fsspec");
  std::string folder = remote;
  if (folder.starts_with("file://")) folder = folder.substr(7);
  require(folder.find("://") == std::string::npos, "--remote-sync ", remote,
          ": fsspec is Python's; here it copies to folders, and s3 by `aws s3 sync`");
  copy_folder(local, folder);
}

struct Found {
  int64_t completed = 0;
  std::string file;
};

void consider(const std::string& file, std::optional<Found>& best) {
  const auto name = parse_checkpoint_name(file);
  if (!name || !name->completed) return;
  if (!best || *name->completed > best->completed) best = Found{*name->completed, file};
}

}  // namespace

RemoteSync::RemoteSync(const TrainOptions& options, const RunPaths& paths,
                       std::function<void(const std::string&)> warn)
    : protocol_(options.remote_sync_protocol),
      local_(paths.folder.string()),
      remote_(name_of(options)),
      warn_(std::move(warn)) {
  copy_run(protocol_, local_, remote_);
  const auto pause = std::chrono::seconds(options.remote_sync_frequency);
  thread_ = std::thread([this, pause] {
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, pause, [&] { return stopping_; })) {
      lock.unlock();
      try {
        copy_again();
      } catch (const std::exception&) {
        // `warn` failed. A log that cannot be written ends the run at the run's own next line.
      }
      lock.lock();
    }
  });
}

RemoteSync::~RemoteSync() { stop(); }

void RemoteSync::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void RemoteSync::copy_again() {
  try {
    copy_run(protocol_, local_, remote_);
  } catch (const std::exception& error) {
    warn_(error.what());
  }
}

void RemoteSync::finish() {
  stop();
  copy_again();
}

void fetch_latest(const TrainOptions& options, const RunPaths& paths) {
  const std::string folder = joined(name_of(options), "checkpoints");
  int status = 0;
  const std::string list = output_of({"aws", "s3", "ls", folder + "/"}, status);
  // 1 is also what it ends with where there is nothing.
  require(status <= 1, "--remote-sync: aws s3 ls ", folder, "/ failed with status ", status);
  std::optional<Found> there, here;
  for (const std::string& line : split_items(list)) {
    consider(line.substr(line.find_last_of(' ') + 1), there);
  }
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(paths.checkpoints(), ignored)) {
    consider(entry.path().filename().string(), here);
  }
  if (!there || (here && here->completed >= there->completed)) return;
  const fs::path target = paths.checkpoints() / there->file;
  const std::string part = target.string() + ".part";
  run_program({"aws", "s3", "cp", joined(folder, there->file), part});
  fs::rename(part, target);
}

}  // namespace clipnext::run
