// Samples that have a number each: lists and folders, and the order in which workers read them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "data/sample_source.h"

namespace clipnext::data {

/// Samples 0 .. size() - 1. Any number of threads may read at once.
class SampleTable {
 public:
  virtual ~SampleTable() = default;
  virtual int64_t size() const = 0;
  /// Nothing if the sample cannot be used, which `on_fault` is told.
  virtual std::optional<RawSample> read(int64_t i, const OnFault& on_fault) const = 0;
};

struct TableOrder {
  /// Training: a new random order each epoch, the same on all ranks, continued from its begin to a
  /// multiple of the ranks (as torch's DistributedSampler); rank r has its samples r, r + world,
  /// ... Otherwise the order of the table, the same for each rank.
  bool training = true;
  bool shuffled = true;  // in training; otherwise each epoch has the order of the table
  int64_t seed = 0;
  /// A rank's samples go to its workers in turn, so many at a time: with the batch size, batch i of
  /// the rank is worker i modulo workers' next one, so an epoch takes no sample twice.
  int64_t block = 1;
};

/// What a worker reads: in training without end, in the same order again; otherwise once. next()
/// throws Error if none of the worker's samples could be read, and in training if it has none.
class TableSource : public SampleSource {
 public:
  TableSource(std::shared_ptr<const SampleTable> table, const TableOrder& order, const WorkerId& id,
              OnFault on_fault);

  void begin_epoch(int64_t epoch) override;
  std::optional<RawSample> next() override;

 private:
  std::optional<int64_t> row(int64_t i) const;

  std::shared_ptr<const SampleTable> table_;
  TableOrder order_;
  WorkerId id_;
  OnFault on_fault_;
  uint64_t key_ = 0;     // of this epoch's order
  int64_t place_ = 0;    // in the worker's list
  int64_t samples_ = 0;  // of this pass
};

/// Nothing but black pictures with the caption "Dummy caption", to measure everything else.
class SyntheticTable : public SampleTable {
 public:
  /// Throws Error unless size > 0.
  explicit SyntheticTable(int64_t size);
  int64_t size() const override { return size_; }
  std::optional<RawSample> read(int64_t i, const OnFault& on_fault) const override;

 private:
  int64_t size_;
};

/// The sample of an image file and its caption; nothing if the file cannot be read or is empty.
std::optional<RawSample> read_image_file(const std::string& path, std::string caption,
                                         const OnFault& on_fault);

}  // namespace clipnext::data
