#include "data/epoch_size.h"

#include <charconv>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text_lines.h"

namespace clipnext::data {
namespace {

namespace fs = std::filesystem;

void check(const EpochShares& shares) {
  require(shares.batch_size > 0 && shares.world > 0 && shares.workers > 0,
          "an epoch of batches of ", shares.batch_size, ", ", shares.world, " ranks and ",
          shares.workers, " workers: expected 1 or more of each");
}

int64_t ceil_div(int64_t a, int64_t b) { return a / b + (a % b != 0 ? 1 : 0); }

// A number as Python writes and reads it: digits, single underscores between them.
int64_t parse_len(std::string_view text, const std::string& file) {
  std::string digits;
  for (const char c : trim(text)) {
    if (c != '_') digits += c;
  }
  int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  require(error == std::errc() && end == digits.data() + digits.size() && value > 0, file,
          ": expected a number of samples, found \"", trim(text).substr(0, 40), "\"");
  return value;
}

int64_t sum_sizes(const ShardList& shards, const std::string& file) {
  const Json sizes = parse_json(read_file(file), file);
  require(sizes.is_object(), file, ": expected an object from shard name to number of samples");
  int64_t sum = 0;
  for (int64_t i = 0; i < shards.size(); ++i) {
    const std::string url = shards.url(i);
    const std::string name = url.substr(url.rfind('/') + 1);  // npos + 1 is 0
    const auto size = sizes.find(name);
    require(size != sizes.end(), file, ": no entry for shard ", name);
    require(size->is_number_unsigned() && std::in_range<int64_t>(size->get<uint64_t>()), file,
            ": entry ", name, " is ", size->dump(), ", expected a number of samples");
    sum = checked_add(sum, size->get<int64_t>(), "samples of sizes.json");
  }
  return sum;
}

}  // namespace

EpochSize shard_epoch(int64_t num_samples, const EpochShares& shares) {
  check(shares);
  require(num_samples > 0, "an epoch of ", num_samples, " samples: expected 1 or more");
  const int64_t global_batch = checked_mul(shares.batch_size, shares.world, "global batch");
  const int64_t worker_batches = ceil_div(ceil_div(num_samples, global_batch), shares.workers);
  EpochSize size;
  size.batches = checked_mul(worker_batches, shares.workers, "batches of an epoch");
  size.samples = checked_mul(size.batches, global_batch, "samples of an epoch");
  return size;
}

EpochSize table_epoch(int64_t rows, const EpochShares& shares) {
  check(shares);
  const int64_t batches = ceil_div(rows, shares.world) / shares.batch_size;
  require(batches > 0, rows, " samples for ", shares.world, " ranks do not fill one batch of ",
          shares.batch_size, "; take a smaller --batch-size");
  return {.batches = batches, .samples = rows};
}

EpochSize validation_size(int64_t num_samples, int64_t batch_size) {
  require(num_samples >= 0 && batch_size > 0, "validation on ", num_samples,
          " samples in batches of ", batch_size);
  return {.batches = ceil_div(num_samples, batch_size), .samples = num_samples};
}

std::optional<int64_t> find_num_samples(const ShardList& shards) {
  const std::string first = shards.url(0);
  const size_t slash = first.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : first.substr(0, slash + 1);
  std::error_code ignored;
  if (const std::string file = folder + "sizes.json"; fs::exists(file, ignored)) {
    return sum_sizes(shards, file);
  }
  if (const std::string file = folder + "__len__"; fs::exists(file, ignored)) {
    return parse_len(read_file(file), file);
  }
  return std::nullopt;
}

int64_t training_samples(const ShardList& shards, int64_t given, SizePrecedence precedence) {
  require(given >= 0, "--train-num-samples ", given, ": expected 1 or more");
  if (given > 0 && precedence == SizePrecedence::kOption) return given;
  const auto found = find_num_samples(shards);
  require(found.has_value() || given > 0,
          "how many samples an epoch has is not known: give --train-num-samples, or put sizes.json "
          "or __len__ beside ",
          shards.url(0));
  const int64_t samples = found.value_or(given);
  require(samples > 0, "the shards beside ", shards.url(0), " hold no sample, says sizes.json");
  return samples;
}

void require_shard_for_each(const ShardList& shards, const EpochShares& shares) {
  check(shares);
  const int64_t total = checked_mul(shares.workers, shares.world, "workers of all ranks");
  require(shards.size() >= total, "training needs a shard for each worker of each rank: there are ",
          shards.size(), ", and ", shares.workers, " workers on ", shares.world,
          " ranks; take fewer --workers, or --dataset-resampled");
}

}  // namespace clipnext::data
