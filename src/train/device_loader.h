// A loader's batches on the device that trains on them.
#pragma once

#include <ATen/ATen.h>
#include <c10/core/Event.h>

#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <vector>

#include "model/config.h"
#include "pipeline/train_loader.h"
#include "train/step.h"

namespace clipnext::train {

/// What a DeviceLoader gives: the pairs, and their batch's numbers and place.
struct LoadedBatch {
  DeviceBatch pairs;
  std::vector<int64_t> numbers;
  pipeline::LoaderPosition after;
};

/// A thread of its own takes the next batch to the device, by a stream of its own, while the one
/// before it is computed on; so one batch more lies there. On the CPU there is nothing to take.
class DeviceLoader {
 public:
  DeviceLoader(std::unique_ptr<pipeline::TrainLoader> loader, const model::ClipConfig& config,
               at::Device device);
  /// `ahead`: whether by a thread of its own.
  DeviceLoader(std::unique_ptr<pipeline::TrainLoader> loader, const model::ClipConfig& config,
               at::Device device, bool ahead);
  /// Waits for no data.
  ~DeviceLoader();
  DeviceLoader(const DeviceLoader&) = delete;
  DeviceLoader& operator=(const DeviceLoader&) = delete;

  /// As TrainLoader has them. What next() gives is there for all that is queued after it on the
  /// calling thread's stream.
  void begin_epoch(int64_t epoch, const pipeline::LoaderPosition& from = {});
  std::optional<LoadedBatch> next();

 private:
  struct Arrival {
    std::optional<LoadedBatch> batch;
    std::optional<c10::Event> copied;
  };
  Arrival load();
  void drop_coming();

  std::unique_ptr<pipeline::TrainLoader> loader_;
  int64_t height_, width_;
  at::Device device_;
  bool ahead_;
  std::optional<c10::Stream> stream_;  // of the copies, where the device has streams
  std::future<Arrival> coming_;
};

}  // namespace clipnext::train
