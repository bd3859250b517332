// Threads that take whichever sample is needed first: of the worker whose batch comes next in the
// consumer's order, of those that nobody is reading from. The random numbers of a sample come from
// its place in its worker's stream, so which thread has it, and when, changes nothing.
#include "pipeline/train_loader.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/random.h"
#include "pipeline/batch_filler.h"
#include "pipeline/train_sample.h"

namespace clipnext::pipeline {

namespace {

constexpr uint64_t kAugmentation = 0x6175676D656E74;  // "augment": the purpose of these numbers

void check(const TrainLoaderConfig& config, size_t workers) {
  require(workers > 0, "a training loader needs at least one worker");
  require(config.batch_size > 0, "a batch size of ", config.batch_size, "; expected at least 1");
  require(config.shared_by > 0, "data shared by ", config.shared_by, " ranks; expected at least 1");
  require(config.prefetch > 0, "prefetching ", config.prefetch, " batches; expected at least 1");
  require(config.context_length >= 2, "a context of ", config.context_length,
          " tokens; start and end need 2");
  const image::PreprocessConfig& input = config.preprocess;
  require(input.width > 0 && input.height > 0 && input.width <= 65535 && input.height <= 65535,
          "an input of ", input.width, "x", input.height, " pixels; sides must be 1 to 65535");
  if (config.augment) image::check(*config.augment);
}

/// What one worker is at. Of it a thread that has `reading` set may use the source and begin
/// `filling`, without lock; where it fails there, `reading` stays set.
struct Worker {
  int64_t index = 0;
  std::unique_ptr<data::SampleSource> source;

  bool reading = false;
  bool begun = false;    // the source is in this epoch; the reader's
  int64_t to_skip = 0;   // samples to read and drop first; the reader's
  uint64_t key = 0;      // of the random numbers of this epoch
  int64_t taken = 0;     // samples of this epoch that the source gave; the reader's too
  int64_t made = 0;      // batches of this epoch that are finished
  int64_t bad_ones = 0;  // since the last good one
  bool ended = false;    // the source has no more
  std::exception_ptr error;
  std::optional<BatchFiller> filling;
  struct Ready {
    TrainBatch batch;
    int64_t taken = 0;
  };
  std::deque<Ready> ready;

  bool is_through() const { return ended && !filling && ready.empty(); }
};

}  // namespace

struct TrainLoader::State {
  State(std::vector<std::unique_ptr<data::SampleSource>> sources,
        std::shared_ptr<const text::Tokenizer> words, const TrainLoaderConfig& options,
        data::OnFault on_fault);
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void begin_epoch(int64_t epoch, const LoaderPosition& from);
  std::optional<TrainBatch> next();
  void pause();

 private:
  void stop();
  void reset(Worker& worker, const LoaderPosition& from);
  void work();
  Worker* choose();
  bool can_read(const Worker& worker) const;
  /// Which batch of the epoch a worker's sample is of, if none is bad.
  int64_t due_batch(const Worker& worker, int64_t ordinal) const {
    return ordinal / config_.batch_size * static_cast<int64_t>(workers_.size()) + worker.index;
  }
  bool is_mine(const Worker& worker, int64_t ordinal) const {
    return due_batch(worker, ordinal) % config_.shared_by == config_.rank % config_.shared_by;
  }
  int64_t batch_index(const Worker& worker) const {
    return worker.made * static_cast<int64_t>(workers_.size()) + worker.index;
  }
  void take_one(Worker& worker, std::unique_lock<std::mutex>& lock);
  std::optional<data::RawSample> read(Worker& worker);
  void prepare(Worker& worker, const data::RawSample& sample, size_t place, uint64_t key,
               std::unique_lock<std::mutex>& lock);
  bool prepare_or_report(const data::RawSample& sample, uint64_t key, float* pixels,
                         std::vector<int32_t>& tokens) const;
  static void count_bad(Worker& worker, const data::RawSample& sample);
  void fail_worker(Worker& worker, std::exception_ptr error);
  void finish_if_due(Worker& worker, std::unique_lock<std::mutex>& lock);
  void wait_for(const Worker& worker, std::unique_lock<std::mutex>& lock);
  void throw_failure() const;

  const TrainLoaderConfig config_;
  const std::shared_ptr<const text::Tokenizer> tokenizer_;
  const data::OnFault on_fault_;
  const size_t sample_floats_;

  std::mutex mutex_;                             // for all below
  std::condition_variable wake_, ready_, idle_;  // there is work; a batch or an error; none works
  std::vector<Worker> workers_;
  bool stop_ = false;
  bool paused_ = true;
  std::atomic<bool> hurry_ = false;  // stop_ or paused_, for those without the lock, and sources
  int active_ = 0;                   // threads that are at a sample
  int64_t epoch_ = 0;
  size_t turn_ = 0;  // the worker whose batch is next
  LoaderPosition position_;
  std::vector<std::thread> threads_;
};

TrainLoader::State::State(std::vector<std::unique_ptr<data::SampleSource>> sources,
                          std::shared_ptr<const text::Tokenizer> words,
                          const TrainLoaderConfig& options, data::OnFault on_fault)
    : config_(options),
      tokenizer_(std::move(words)),
      on_fault_(std::move(on_fault)),
      sample_floats_(size_t{3} * static_cast<size_t>(options.preprocess.height) *
                     static_cast<size_t>(options.preprocess.width)) {
  const int64_t floats =
      checked_mul(config_.batch_size, static_cast<int64_t>(sample_floats_), "pixels of a batch");
  checked_mul(floats, sizeof(float), "bytes of a batch");
  workers_.resize(sources.size());
  for (size_t i = 0; i < sources.size(); ++i) {
    workers_[i].index = static_cast<int64_t>(i);
    workers_[i].source = std::move(sources[i]);
    workers_[i].source->stop_on(&hurry_);
    workers_[i].ended = true;  // until an epoch begins
  }
  const size_t wanted =
      config_.threads > 0 ? static_cast<size_t>(config_.threads) : workers_.size();
  try {
    for (size_t i = 0; i < wanted; ++i) threads_.emplace_back([this] { work(); });
  } catch (const std::system_error& error) {
    // Fewer threads than wanted do the same work.
    if (threads_.empty()) fail("no thread for loading data can be started: ", error.what());
  }
}

TrainLoader::State::~State() { stop(); }

void TrainLoader::State::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    hurry_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void TrainLoader::State::begin_epoch(int64_t epoch, const LoaderPosition& from) {
  require(from.batches >= 0 && (from.batches == 0 || from.taken.size() == workers_.size()),
          "the position in the epoch is of ", from.taken.size(), " workers, and there are ",
          workers_.size(), "; a run goes on with as many workers as it had");
  std::unique_lock lock(mutex_);
  paused_ = true;
  hurry_ = true;
  idle_.wait(lock, [this] { return active_ == 0; });
  epoch_ = epoch;
  position_ = from;
  position_.taken.resize(workers_.size());
  turn_ = static_cast<size_t>(from.batches) % workers_.size();
  for (Worker& worker : workers_) reset(worker, position_);
  paused_ = false;
  hurry_ = false;
  lock.unlock();
  wake_.notify_all();
}

void TrainLoader::State::reset(Worker& worker, const LoaderPosition& from) {
  const auto count = static_cast<int64_t>(workers_.size());
  worker.reading = false;
  worker.begun = false;
  worker.to_skip = worker.taken = from.taken[static_cast<size_t>(worker.index)];
  // Workers before the one whose turn it is have given one batch more.
  worker.made = from.batches / count + (worker.index < from.batches % count ? 1 : 0);
  worker.bad_ones = 0;
  worker.ended = false;
  worker.error = nullptr;
  worker.filling.reset();
  worker.ready.clear();
  worker.key = config_.seed;
  for (const int64_t number :
       {static_cast<int64_t>(kAugmentation), config_.rank, worker.index, epoch_}) {
    worker.key = random_key(worker.key, static_cast<uint64_t>(number));
  }
}

std::optional<TrainBatch> TrainLoader::State::next() {
  throw_if_interrupted();
  std::unique_lock lock(mutex_);
  if (config_.batches_per_epoch > 0 && position_.batches >= config_.batches_per_epoch) {
    return std::nullopt;
  }
  for (size_t passed = 0; passed < workers_.size(); ++passed) {
    Worker& worker = workers_[turn_];
    wait_for(worker, lock);
    if (paused_) return std::nullopt;
    if (worker.ready.empty() && worker.error) std::rethrow_exception(worker.error);
    turn_ = (turn_ + 1) % workers_.size();
    if (worker.ready.empty()) continue;
    TrainBatch batch = std::move(worker.ready.front().batch);
    ++position_.batches;
    position_.taken[static_cast<size_t>(worker.index)] = worker.ready.front().taken;
    batch.after = position_;
    worker.ready.pop_front();
    wake_.notify_one();
    return batch;
  }
  return std::nullopt;
}

void TrainLoader::State::pause() {
  const std::lock_guard lock(mutex_);
  paused_ = true;
  hurry_ = true;
  ready_.notify_all();
}

void TrainLoader::State::wait_for(const Worker& worker, std::unique_lock<std::mutex>& lock) {
  using Clock = std::chrono::steady_clock;
  constexpr auto kSignalCheck = std::chrono::milliseconds(100);  // a signal wakes nobody
  constexpr auto kPatience = std::chrono::seconds(5);
  const auto begin = Clock::now();
  while (!paused_ && worker.ready.empty() && !worker.error && !worker.is_through()) {
    ready_.wait_for(lock, kSignalCheck);
    throw_if_interrupted();
    if (Clock::now() - begin > kPatience) throw_failure();
  }
}

/// Where another worker has failed the epoch cannot be finished, so a slow one is not waited for.
void TrainLoader::State::throw_failure() const {
  for (const Worker& worker : workers_) {
    if (worker.error) std::rethrow_exception(worker.error);
  }
}

void TrainLoader::State::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    Worker* worker = nullptr;
    wake_.wait(lock, [&] { return stop_ || (worker = choose()) != nullptr; });
    if (stop_) return;
    ++active_;
    try {
      take_one(*worker, lock);
    } catch (...) {
      if (!lock.owns_lock()) lock.lock();
      fail_worker(*worker, std::current_exception());
    }
    --active_;
    if (active_ == 0) idle_.notify_all();
  }
}

/// The worker whose batch is needed first, of those that a sample can be read from.
Worker* TrainLoader::State::choose() {
  Worker* first = nullptr;
  if (paused_) return first;
  for (Worker& worker : workers_) {
    if (!can_read(worker)) continue;
    if (first == nullptr || batch_index(worker) < batch_index(*first)) first = &worker;
  }
  return first;
}

bool TrainLoader::State::can_read(const Worker& worker) const {
  if (worker.reading || worker.ended || worker.error) return false;
  if (worker.filling) return worker.filling->wants();
  const int64_t limit = config_.batches_per_epoch;
  return static_cast<int64_t>(worker.ready.size()) < config_.prefetch &&
         (limit == 0 || batch_index(worker) < limit);
}

/// Reads a sample and prepares it, the lock released during either, and where it throws perhaps
/// still.
void TrainLoader::State::take_one(Worker& worker, std::unique_lock<std::mutex>& lock) {
  worker.reading = true;
  lock.unlock();
  // A batch may be of hundreds of megabytes: there may be no room, and it takes a while.
  if (!worker.filling) worker.filling.emplace(config_.batch_size, sample_floats_);
  const std::optional<data::RawSample> sample = read(worker);
  lock.lock();
  worker.reading = false;
  if (!sample) {
    worker.ended = true;
    return finish_if_due(worker, lock);
  }
  const int64_t ordinal = worker.taken++;
  const int64_t number =
      due_batch(worker, ordinal) * config_.batch_size + ordinal % config_.batch_size;
  const size_t place = worker.filling->begin(number);
  if (can_read(worker)) wake_.notify_one();
  prepare(worker, *sample, place, random_key(worker.key, static_cast<uint64_t>(ordinal)), lock);
  finish_if_due(worker, lock);
}

std::optional<data::RawSample> TrainLoader::State::read(Worker& worker) {
  if (!worker.begun) worker.source->begin_epoch(epoch_);
  worker.begun = true;
  for (; worker.to_skip > 0; --worker.to_skip) {
    throw_if_interrupted();
    if (hurry_) return std::nullopt;  // nobody waits for this epoch any more
    require(worker.source->next().has_value(), "the data of loader worker ", worker.index,
            " ends before the place where the epoch was left; is it the same data?");
  }
  for (; !is_mine(worker, worker.taken); ++worker.taken) {
    throw_if_interrupted();
    if (hurry_ || !worker.source->next()) return std::nullopt;
  }
  throw_if_interrupted();
  return worker.source->next();
}

void TrainLoader::State::prepare(Worker& worker, const data::RawSample& sample, size_t place,
                                 uint64_t key, std::unique_lock<std::mutex>& lock) {
  BatchFiller& filler = *worker.filling;
  float* const pixels = filler.pixels(place);
  lock.unlock();
  std::vector<int32_t> tokens;
  const bool good = prepare_or_report(sample, key, pixels, tokens);
  lock.lock();
  if (good) {
    filler.done(place, std::move(tokens));
    worker.bad_ones = 0;
  } else {
    filler.failed(place);
    count_bad(worker, sample);
  }
}

/// Whether the sample is good.
bool TrainLoader::State::prepare_or_report(const data::RawSample& sample, uint64_t key,
                                           float* pixels, std::vector<int32_t>& tokens) const {
  try {
    tokens = prepare_sample(sample, config_, *tokenizer_, RandomStream(key), pixels);
    return true;
  } catch (const Error& reason) {
    on_fault_(sample.name, reason.what());
    return false;
  }
}

/// Data that begins again for ever must not be tried for ever if nothing of it can be used.
void TrainLoader::State::count_bad(Worker& worker, const data::RawSample& sample) {
  constexpr int64_t kHopeless = 10'000;
  require(++worker.bad_ones < kHopeless, sample.name, ": this and the ", kHopeless - 1,
          " samples before it cannot be used; what is wrong was reported for each");
}

void TrainLoader::State::fail_worker(Worker& worker, std::exception_ptr error) {
  if (!worker.error) worker.error = std::move(error);
  ready_.notify_all();
}

/// Hands over the batch that is filled if the worker's last sample for it is done.
void TrainLoader::State::finish_if_due(Worker& worker, std::unique_lock<std::mutex>& lock) {
  if (worker.reading || worker.error || worker.filling->pending() > 0) return;
  if (!worker.filling->full() && !worker.ended) return;
  lock.unlock();  // a batch that wants nothing and waits for nothing is left alone by the others
  TrainBatch batch = worker.filling->finish();
  lock.lock();
  worker.filling.reset();
  if (batch.n == config_.batch_size || (config_.keep_partial && batch.n > 0)) {
    worker.ready.push_back({std::move(batch), worker.taken});
    ++worker.made;
  }
  ready_.notify_all();
}

TrainLoader::TrainLoader(std::vector<std::unique_ptr<data::SampleSource>> workers,
                         std::shared_ptr<const text::Tokenizer> tokenizer,
                         const TrainLoaderConfig& config, data::OnFault on_fault) {
  check(config, workers.size());
  state_ = std::make_unique<State>(std::move(workers), std::move(tokenizer), config,
                                   std::move(on_fault));
}

TrainLoader::~TrainLoader() = default;

void TrainLoader::begin_epoch(int64_t epoch, const LoaderPosition& from) {
  state_->begin_epoch(epoch, from);
}

std::optional<TrainBatch> TrainLoader::next() { return state_->next(); }

void TrainLoader::pause() { state_->pause(); }

}  // namespace clipnext::pipeline
