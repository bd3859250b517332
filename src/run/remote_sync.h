// --remote-sync: a run's folder is copied to another place while it trains.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "run/logs.h"
#include "run/options.h"

namespace clipnext::run {

/// Copies <logs>/<name> to <remote>/<name>: at once, every --remote-sync-frequency seconds, and at
/// the end. Protocol s3 runs `aws s3 sync` as open_clip does, fsspec copies to a folder (also
/// file://). epoch_latest and files that are being written (*.tmp.*, *.part) are left out. The
/// others appear whole, so what is copied is whole; one that is removed meanwhile is passed over.
class RemoteSync {
 public:
  /// The first copy is made here: throws Error if it fails. `warn` hears of later failures, from a
  /// thread of its own, where what it throws is lost.
  RemoteSync(const TrainOptions& options, const RunPaths& paths,
             std::function<void(const std::string&)> warn);
  ~RemoteSync();
  RemoteSync(const RemoteSync&) = delete;
  RemoteSync& operator=(const RemoteSync&) = delete;

  /// The last copy; nothing is copied any more after it.
  void finish();

 private:
  void stop();
  void copy_again();

  std::string protocol_, local_, remote_;
  std::function<void(const std::string&)> warn_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::thread thread_;
};

/// For --resume latest: brings the furthest checkpoint of <remote>/<name>/checkpoints here, unless
/// one as far is here already. Throws Error if that fails; nothing happens if there is none.
void fetch_latest(const TrainOptions& options, const RunPaths& paths);

}  // namespace clipnext::run
