#include "train/device_loader.h"

#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <utility>

#include "train/device.h"

namespace clipnext::train {

namespace {

/// One for all loaders of this process, which has one device: libtorch keeps the memory that a
/// stream has used for that stream.
c10::Stream copy_stream(at::Device device) {
  static const c10::Stream stream =
      c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device);
  return stream;
}

/// On the CPU; the memory stays with the tensor.
at::Tensor pixels_of(pipeline::TrainBatch& batch, int64_t height, int64_t width) {
  auto held = std::make_shared<std::vector<float>>(std::move(batch.pixels));
  return at::from_blob(
      held->data(), {batch.n, height, width, 3}, [held](void*) {}, at::kFloat);
}

}  // namespace

DeviceLoader::DeviceLoader(std::unique_ptr<pipeline::TrainLoader> loader,
                           const model::ClipConfig& config, at::Device device)
    : DeviceLoader(std::move(loader), config, device, !device.is_cpu()) {}

DeviceLoader::DeviceLoader(std::unique_ptr<pipeline::TrainLoader> loader,
                           const model::ClipConfig& config, at::Device device, bool ahead)
    : loader_(std::move(loader)),
      height_(config.image_height),
      width_(config.image_width),
      device_(device),
      ahead_(ahead) {
  if (!device.is_cpu()) stream_ = copy_stream(device);
}

DeviceLoader::~DeviceLoader() { drop_coming(); }

void DeviceLoader::drop_coming() {
  if (!coming_.valid()) return;
  loader_->pause();  // it may wait for data that never comes
  coming_.wait();
  coming_ = {};
}

void DeviceLoader::begin_epoch(int64_t epoch, const pipeline::LoaderPosition& from) {
  drop_coming();
  loader_->begin_epoch(epoch, from);
}

DeviceLoader::Arrival DeviceLoader::load() {
  auto batch = loader_->next();
  if (!batch) return {};
  Arrival arrival;
  at::Tensor pixels = pixels_of(*batch, height_, width_);
  if (stream_) {
    const c10::StreamGuard guard(*stream_);
    pixels = send(pixels, device_);
    arrival.copied.emplace(device_.type());
    arrival.copied->record(*stream_);
  }
  arrival.batch = {{std::move(pixels), std::move(batch->tokens)},
                   std::move(batch->numbers),
                   std::move(batch->after)};
  return arrival;
}

std::optional<LoadedBatch> DeviceLoader::next() {
  const auto begin = [this] { return std::async(std::launch::async, [this] { return load(); }); };
  if (ahead_ && !coming_.valid()) coming_ = begin();
  Arrival arrival = ahead_ ? coming_.get() : load();
  if (!arrival.batch) return std::nullopt;
  if (ahead_) coming_ = begin();
  if (arrival.copied) {
    const c10::impl::VirtualGuardImpl streams(device_.type());
    const c10::Stream current = streams.getStream(device_);
    arrival.copied->block(current);
    // The memory came from the copies' stream, which must not get it back too early.
    streams.recordDataPtrOnStream(arrival.batch->pairs.pixels.storage().data_ptr(), current);
  }
  return std::move(arrival.batch);
}

}  // namespace clipnext::train
