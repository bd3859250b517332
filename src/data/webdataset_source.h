// Samples of webdataset shards, as open_clip's pipelines give them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "data/sample_source.h"
#include "data/shard_list.h"
#include "data/shard_order.h"
#include "data/shard_reader.h"
#include "data/shuffle_buffer.h"

namespace clipnext::data {

struct WebdatasetConfig {
  ShardOrderConfig order = {};
  MemberKeys keys = {};
  // Of encoded samples, in training: how many are held, and how many before the first comes out.
  int64_t sample_shuffle_size = 5000;
  int64_t sample_shuffle_initial = 1000;
};

/// Replaces buffer sizes by those that OPENCLIP_WDS_SHARD_SHUFFLE_SIZE, ..._SHARD_SHUFFLE_INITIAL,
/// ..._SAMPLE_SHUFFLE_SIZE and ..._SAMPLE_SHUFFLE_INITIAL give. Throws Error for one that is not a
/// number of 0 or more.
void read_buffer_sizes(WebdatasetConfig& config);

/// In training: the worker's shards, their samples through a shuffle buffer. Once all its shards
/// were read, and the buffer is empty, it begins again with the same order. In validation: its
/// shards once, as they lie. next() throws Error if a whole pass over the worker's shards (with
/// resampling: that many draws, 64 to 1000) gave nothing but faults, and in training if the worker
/// has no shard or the pass no sample; faults of a part are told to `on_fault` only.
class WebdatasetSource : public SampleSource {
 public:
  WebdatasetSource(std::shared_ptr<const ShardList> shards, const WebdatasetConfig& config,
                   const WorkerId& id, OnFault on_fault);
  WebdatasetSource(const WebdatasetSource&) = delete;
  WebdatasetSource& operator=(const WebdatasetSource&) = delete;

  void begin_epoch(int64_t epoch) override;
  std::optional<RawSample> next() override;
  void stop_on(StopFlag stop) override { stop_ = stop; }

 private:
  bool training() const { return config_.order.mode != ShardMode::kOnce; }
  void begin_pass();
  std::optional<RawSample> read();
  [[noreturn]] void fail_without_samples() const;
  uint64_t key(Purpose purpose) const;

  std::shared_ptr<const ShardList> shards_;
  WebdatasetConfig config_;
  WorkerId id_;
  OnFault on_fault_;  // tells the one given, and keeps the last
  StopFlag stop_ = nullptr;

  int64_t epoch_ = 0;
  std::optional<ShardOrder> order_;
  std::optional<ShuffleBuffer<RawSample>> shuffle_;
  std::unique_ptr<ShardReader> reader_;  // null between shards
  int64_t opened_ = 0;                   // shards of this pass
  int64_t samples_ = 0;                  // of this pass
  int64_t barren_ = 0;                   // shards since the last sample
  std::string last_fault_;               // of this pass
};

}  // namespace clipnext::data
