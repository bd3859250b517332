#include "data/table_source.h"

#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "data/fault.h"
#include "data/permutation.h"
#include "data/random_purpose.h"
#include "data/tar.h"

namespace clipnext::data {

TableSource::TableSource(std::shared_ptr<const SampleTable> table, const TableOrder& order,
                         const WorkerId& id, OnFault on_fault)
    : table_(std::move(table)), order_(order), id_(id), on_fault_(std::move(on_fault)) {
  begin_epoch(0);
}

void TableSource::begin_epoch(int64_t epoch) {
  key_ = stream_key(order_.seed, Purpose::kRowOrder, {epoch});
  place_ = 0;
  samples_ = 0;
}

// Sample i of the worker's list; nothing beyond its end.
std::optional<int64_t> TableSource::row(int64_t i) const {
  const int64_t block = i / order_.block * id_.workers + id_.worker;
  const int64_t place = block * order_.block + i % order_.block;  // in the rank's list
  const int64_t rows = table_->size();
  if (!order_.training) return place < rows ? std::optional(place) : std::nullopt;
  const int64_t rank_rows = (rows + id_.world - 1) / id_.world;
  if (place >= rank_rows) return std::nullopt;
  const int64_t listed = (id_.rank + place * id_.world) % rows;
  return order_.shuffled ? Permutation(rows, key_).at(listed) : listed;
}

std::optional<RawSample> TableSource::next() {
  while (true) {
    throw_if_interrupted();
    const auto i = row(place_);
    if (i) {
      ++place_;
      auto sample = table_->read(*i, on_fault_);
      if (!sample) continue;
      ++samples_;
      return sample;
    }
    if (samples_ == 0 && (order_.training || place_ > 0)) {
      require(place_ > 0, "worker ", id_.worker, " of rank ", id_.rank, " has none of the ",
              table_->size(), " samples; take fewer workers or smaller batches");
      fail("none of the ", place_, " samples of worker ", id_.worker, " of rank ", id_.rank,
           " could be read");
    }
    if (!order_.training) return std::nullopt;
    place_ = 0;
    samples_ = 0;
  }
}

SyntheticTable::SyntheticTable(int64_t size) : size_(size) {
  require(size > 0, "synthetic data needs a number of samples (--train-num-samples)");
}

std::optional<RawSample> SyntheticTable::read(int64_t i, const OnFault& /*on_fault*/) const {
  return RawSample{
      .name = "synthetic sample " + std::to_string(i), .image = {}, .caption = "Dummy caption"};
}

std::optional<RawSample> read_image_file(const std::string& path, std::string caption,
                                         const OnFault& on_fault) {
  RawSample sample = {.name = path, .image = {}, .caption = std::move(caption)};
  try {
    sample.image = read_file(path, kMaxMemberBytes);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    on_fault(path, reason_of(error, path));
    return std::nullopt;
  }
  // An image of no bytes would be taken for a black one (RawSample).
  if (sample.image.empty()) {
    on_fault(path, "the image is empty");
    return std::nullopt;
  }
  return sample;
}

}  // namespace clipnext::data
