#include "data/webdataset_source.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/text_lines.h"

namespace clipnext::data {
namespace {

void read_size(const char* suffix, int64_t& size) {
  const std::string name = std::string("OPENCLIP_WDS_") + suffix;
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return;
  const std::string_view text = trim(value);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  require(error == std::errc() && end == text.data() + text.size() && size >= 0,
          "environment variable ", name, " is \"", value, "\", expected a number of 0 or more");
}

// After so many shards in a row without a sample a resampled stream gives up. Few shards may be
// drawn often before a good one comes; many that fail are a network that is down.
int64_t barren_limit(int64_t shards) { return std::clamp<int64_t>(shards, 64, 1000); }

}  // namespace

void read_buffer_sizes(WebdatasetConfig& config) {
  read_size("SHARD_SHUFFLE_SIZE", config.order.shuffle_size);
  read_size("SHARD_SHUFFLE_INITIAL", config.order.shuffle_initial);
  read_size("SAMPLE_SHUFFLE_SIZE", config.sample_shuffle_size);
  read_size("SAMPLE_SHUFFLE_INITIAL", config.sample_shuffle_initial);
}

WebdatasetSource::WebdatasetSource(std::shared_ptr<const ShardList> shards,
                                   const WebdatasetConfig& config, const WorkerId& id,
                                   OnFault on_fault)
    : shards_(std::move(shards)), config_(config), id_(id) {
  on_fault_ = [this, tell = std::move(on_fault)](const std::string& name,
                                                 const std::string& reason) {
    last_fault_ = name + ": " + reason;
    tell(name, reason);
  };
  begin_epoch(0);
}

void WebdatasetSource::begin_epoch(int64_t epoch) {
  epoch_ = epoch;
  begin_pass();
}

uint64_t WebdatasetSource::key(Purpose purpose) const {
  return stream_key(config_.order.seed, purpose, {id_.rank, id_.worker, epoch_});
}

void WebdatasetSource::begin_pass() {
  reader_.reset();
  order_.emplace(*shards_, config_.order, id_, epoch_);
  shuffle_.emplace(config_.sample_shuffle_size, config_.sample_shuffle_initial,
                   key(Purpose::kSampleShuffle));
  opened_ = samples_ = barren_ = 0;
  last_fault_.clear();
}

void WebdatasetSource::fail_without_samples() const {
  require(opened_ > 0, "worker ", id_.worker, " of rank ", id_.rank,
          " has no shard: ", shards_->size(),
          " shards are fewer than workers * ranks = ", id_.workers * id_.world);
  fail("no sample in ", barren_, " shards of worker ", id_.worker, " of rank ", id_.rank,
       last_fault_.empty() ? "" : "; the last fault was ", last_fault_);
}

// The next sample in the order of the shards; nothing at the end of a pass.
std::optional<RawSample> WebdatasetSource::read() {
  while (true) {
    throw_if_stopped(stop_);
    if (reader_ == nullptr) {
      const auto shard = order_->next();
      if (!shard) return std::nullopt;
      const RepeatedPart repeated = training() ? RepeatedPart::kNextSample : RepeatedPart::kFault;
      const uint64_t captions =
          random_key(key(Purpose::kCaptionChoice), static_cast<uint64_t>(opened_));
      reader_ = std::make_unique<ShardReader>(shards_->url(*shard), config_.keys, repeated,
                                              captions, on_fault_, stop_);
      ++opened_;
      ++barren_;
    }
    if (auto sample = reader_->next()) {
      barren_ = 0;
      ++samples_;
      return sample;
    }
    reader_.reset();
    const bool resampled = config_.order.mode == ShardMode::kResampled;
    if (resampled && barren_ >= barren_limit(shards_->size())) fail_without_samples();
  }
}

std::optional<RawSample> WebdatasetSource::next() {
  if (!training()) {
    auto sample = read();
    if (!sample && samples_ == 0 && !last_fault_.empty()) fail_without_samples();
    return sample;
  }
  while (true) {
    if (auto sample = shuffle_->next([this] { return read(); })) return sample;
    if (samples_ == 0) fail_without_samples();
    begin_pass();
  }
}

}  // namespace clipnext::data
