#include "train/loop.h"

#include <ATen/core/grad_mode.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <future>
#include <memory>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "kernels/cpu.h"
#include "run/console.h"
#include "run/logs.h"
#include "run/model_file.h"
#include "run/names.h"
#include "run/parse_options.h"
#include "run/remote_sync.h"
#include "run/schedule.h"
#include "run/tensorboard.h"
#include "run/training_config.h"
#include "train/run_state.h"
#include "train/setup.h"
#include "train/step.h"
#include "train/step_log.h"
#include "train/teacher.h"
#include "train/training_data.h"
#include "train/validation.h"

namespace clipnext::train {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// What the ranks agree on before each step.
struct Agreement {
  bool stop = false;      // some rank was told to
  bool snapshot = false;  // the first rank's clock says so
};

class TrainRun {
 public:
  TrainRun(run::TrainOptions options, const run::World& world, const std::string& device,
           Group& group)
      : options_(named(std::move(options), group)),
        world_(world),
        device_(device),
        group_(group),
        config_(run::training_config(options_)),
        paths_(run::run_paths(options_)),
        saves_(run::saves_logs(options_)),
        log_(log_path(), options_.debug, !group.first()),
        errors_({}, options_.debug),
        faults_(group.first() ? log_ : errors_),
        precision_(parse_precision(options_.precision)),
        tokenizer_(training_tokenizer(options_, config_)),
        step_log_(options_, group_, log_) {}

  Ending go(const std::vector<std::string>& warnings);

 private:
  static run::TrainOptions named(run::TrainOptions options, Group& group);
  std::filesystem::path log_path();
  run::RunFacts facts() const;
  void show_params();
  void write_params();
  void make_model();
  void resume();
  Ending epochs();
  std::optional<Ending> train_epoch();
  std::vector<DeviceBatch> next_batches(pipeline::LoaderPosition& after);
  StepPlace place() const;
  bool has_result(int64_t epoch);
  bool validates(int64_t completed) const;
  bool classifies(int64_t completed) const;
  bool evaluates(int64_t completed) const { return validates(completed) || classifies(completed); }
  void evaluate(int64_t completed);
  void share_statistics();
  Agreement agree();
  bool snapshots() const { return saves_ && options_.snapshot_minutes > 0; }
  EpochShape shape() const;
  void require_same_shape() const;
  int64_t run_step() const { return place().run_step(); }
  void save_snapshot();
  bool keeps(int64_t completed) const;
  void save_epoch(int64_t completed);
  void wait_for_save();
  bool stops_here() const;
  Ending after_epoch();
  void report_faults();

  run::TrainOptions options_;
  run::World world_;
  at::Device device_;
  Group& group_;
  model::ClipConfig config_;  // before the log: a wrong --model leaves no run behind
  run::RunPaths paths_;
  bool saves_;
  run::RunLog log_;     // of the first rank; the others are quiet
  run::RunLog errors_;  // of every rank
  FaultLog faults_;
  Precision precision_;
  std::shared_ptr<const text::Tokenizer> tokenizer_;

  Params params_;
  std::optional<Teacher> teacher_;
  std::unique_ptr<Stepper> stepper_;
  RunData data_;
  run::Schedule schedule_;
  int64_t steps_per_epoch_ = 0;
  RunProgress progress_;
  StepLog step_log_;
  std::unique_ptr<run::ScalarLog> scalars_;
  std::future<void> saving_;
  std::unique_ptr<run::RemoteSync> remote_;
  Clock::time_point last_snapshot_ = Clock::now();
};

run::TrainOptions TrainRun::named(run::TrainOptions options, Group& group) {
  // The clocks of machines differ: the first rank names the run.
  if (!options.name) {
    options.name = group.broadcast(run::automatic_name(options, std::time(nullptr)));
  }
  return options;
}

/// Makes the run's folder on the first rank, whose failure is everybody's.
std::filesystem::path TrainRun::log_path() {
  std::string failure;
  if (group_.first() && saves_) {
    try {
      run::open_run_folder(paths_, options_);
    } catch (const Error& error) {
      failure = error.what();
    }
  }
  failure = group_.broadcast(failure);
  require(failure.empty(), failure);
  if (!saves_) return {};
  if (options_.log_local && world_.local_rank == 0 && !group_.first()) {
    return paths_.local_log(group_.rank());
  }
  return group_.first() ? paths_.log() : std::filesystem::path();
}

run::RunFacts TrainRun::facts() const {
  return {.device = device_.str(),
          .rank = group_.rank(),
          .local_rank = world_.local_rank,
          .world_size = group_.size(),
          .distributed = group_.size() > 1,
          .log_path = saves_ ? paths_.log().string() : "",
          .checkpoint_path = paths_.checkpoints().string(),
          .tensorboard_path = paths_.tensorboard().string()};
}

void TrainRun::show_params() {
  if (!group_.first()) return;
  for (const auto& [key, value] : run::params(options_, facts())) {
    std::string line = "  ";
    log_.info(line.append(key).append(": ").append(value));
  }
}

void TrainRun::write_params() {
  if (!group_.first() || !saves_) return;
  write_file(paths_.params(), run::params_text(options_, facts()));
  write_file(paths_.checkpoints() / "open_clip_config.json",
             run::model_file(options_).dump(2) + "\n");
}

void TrainRun::make_model() {
  std::vector<std::string> notes;
  params_ = initial_params(options_, config_, device_, notes);
  // One process fetches; the stepper gives its parameters to the others.
  if (group_.first()) {
    const std::string trunk = load_image_weights(options_, config_, params_, notes);
    if (!trunk.empty()) log_.info("The image trunk begins with '" + trunk + "'");
  }
  cast(params_, config_, precision_);
  teacher_ = open_teacher(options_, config_, precision_, device_, notes);
  for (const std::string& note : notes) log_.warning(note);
  StepOptions step = step_options(options_, precision_);
  step.teacher = teacher_ ? &*teacher_ : nullptr;
  stepper_ = std::make_unique<Stepper>(params_, config_, make_optimizer(options_, config_, params_),
                                       group_, step);
  int64_t count = 0;
  for_each_param(params_, config_, [&](at::Tensor& t, const model::ParamInfo& info) {
    if (info.role != model::Role::kStatistic) count += t.numel();
  });
  log_.info("Model " + config_.name + ": " + std::to_string(count) + " parameters");
}

void TrainRun::resume() {
  if (!options_.resume) return;
  const std::string path = group_.broadcast([&] {
    if (!group_.first() || options_.resume != "latest") return *options_.resume;
    if (options_.remote_sync) run::fetch_latest(options_, paths_);
    std::vector<std::string> notes;
    const auto choice =
        run::find_latest(paths_, position_reader(config_, stepper_->optimizer()), notes);
    for (const std::string& note : notes) log_.warning(note);
    return choice ? choice->path.string() : std::string();
  }());
  if (path.empty()) {
    log_.info("No latest resume checkpoint found, training begins anew");
    return;
  }
  progress_ = load_state(path, config_, params_, *stepper_, group_);
  if (group_.first() && saves_) run::forget_results_after(paths_, progress_.epoch);
  log_.info("=> resuming from '" + path + "' (epoch " + std::to_string(progress_.epoch) +
            (progress_.step > 0 ? ", step " + std::to_string(progress_.step) : "") + ")");
}

Agreement TrainRun::agree() {
  const double minutes = seconds_since(last_snapshot_) / 60;
  const bool due = group_.first() && snapshots() && minutes >= options_.snapshot_minutes;
  at::Tensor flags = at::tensor({interrupted() ? 1.0F : 0.0F, due ? 1.0F : 0.0F});
  group_.all_reduce(flags);
  return {flags[0].item<float>() > 0, flags[1].item<float>() > 0};
}

void TrainRun::wait_for_save() {
  if (saving_.valid()) saving_.get();
}

void TrainRun::save_snapshot() {
  wait_for_save();
  last_snapshot_ = Clock::now();
  RunProgress everywhere = gather_progress(progress_, group_);
  everywhere.shape = shape();
  if (group_.first() && saves_) {
    write_snapshot_file(paths_.snapshot(), config_, *options_.name, params_, *stepper_, everywhere,
                        run_step());
    log_.debug("snapshot at epoch " + std::to_string(progress_.epoch) + ", step " +
               std::to_string(progress_.step));
  }
  group_.barrier();  // a launcher may end all processes as soon as one has left
}

/// Whether what that epoch came to gets a file of its own.
bool TrainRun::keeps(int64_t completed) const {
  return options_.save_most_recent ||
         run::saves_epoch(completed, options_.epochs, options_.save_frequency);
}

void TrainRun::save_epoch(int64_t completed) {
  if (!group_.first() || !saves_) return;
  const bool keeps = run::saves_epoch(completed, options_.epochs, options_.save_frequency);
  if (!keeps && !options_.save_most_recent) return;
  wait_for_save();
  auto state = std::make_shared<CheckpointCopy>(copy_state(config_, *options_.name, params_,
                                                           *stepper_, completed, run_step(),
                                                           completed * data_.epoch.samples));
  saving_ = std::async(std::launch::async, [this, state, keeps, completed] {
    const std::string& format = options_.checkpoint_format;
    if (keeps) {
      write_checkpoint_file(paths_.epoch(completed, format), config_, *state);
      const auto previous = run::previous_saved(completed, options_.save_frequency);
      std::error_code ignored;
      if (options_.delete_previous_checkpoint && previous) {
        std::filesystem::remove(paths_.epoch(*previous, format), ignored);
      }
    }
    if (options_.save_most_recent) write_checkpoint_file(paths_.latest(format), config_, *state);
    // What the finished epoch's file holds is not needed from the snapshot.
    std::error_code ignored;
    if (keeps) std::filesystem::remove(paths_.snapshot(), ignored);
  });
}

/// Fewer than a step needs if a signal came.
std::vector<DeviceBatch> TrainRun::next_batches(pipeline::LoaderPosition& after) {
  std::vector<DeviceBatch> batches;
  try {
    for (int64_t j = 0; j < options_.accum_freq; ++j) {
      auto batch = data_.loader->next();
      require(batch.has_value(), "the training data ended within an epoch");
      after = batch->after;
      batches.push_back(std::move(batch->pairs));
    }
  } catch (const Interrupted&) {  // agree() tells the others
  }
  return batches;
}

StepPlace TrainRun::place() const {
  return {.epoch = progress_.epoch,
          .step = progress_.step,
          .steps_per_epoch = steps_per_epoch_,
          .samples_per_epoch = data_.epoch.samples};
}

bool TrainRun::stops_here() const {
  return (options_.stop_after_steps && run_step() >= *options_.stop_after_steps) ||
         (options_.stop_after_epochs && progress_.epoch >= *options_.stop_after_epochs);
}

EpochShape TrainRun::shape() const {
  return {.steps = steps_per_epoch_,
          .batch_size = options_.batch_size,
          .accum_freq = options_.accum_freq};
}

/// A place within an epoch means nothing in one that is divided in another way.
void TrainRun::require_same_shape() const {
  if (progress_.step == 0) return;
  const auto described = [](const EpochShape& s) {
    return std::to_string(s.steps) + " steps of " + std::to_string(s.batch_size) + " x " +
           std::to_string(s.accum_freq) + " samples";
  };
  require(progress_.shape.value_or(shape()) == shape() && progress_.step < steps_per_epoch_,
          "--resume: it was at step ", progress_.step, " of an epoch",
          progress_.shape ? " of " + described(*progress_.shape) : "", ", and this one has ",
          described(shape()), " for each process; say the same --batch-size, --accum-freq and ",
          "--train-num-samples, or resume a finished epoch's checkpoint (--resume FILE)");
}

/// Trains from progress_.step to the end of the epoch, or to where the run ends.
std::optional<Ending> TrainRun::train_epoch() {
  data_.loader->begin_epoch(progress_.epoch, progress_.loader);
  step_log_.begin_epoch();
  Progress bar(
      "epoch " + std::to_string(progress_.epoch + 1) + "/" + std::to_string(options_.epochs),
      steps_per_epoch_ - progress_.step, "steps",
      !group_.first() || (!options_.json && isatty(STDERR_FILENO) == 0));
  auto begin = Clock::now();
  while (progress_.step < steps_per_epoch_) {
    if (stops_here()) {
      save_snapshot();
      return Ending::kDone;
    }
    pipeline::LoaderPosition after;
    const std::vector<DeviceBatch> batches = next_batches(after);
    // All ranks have their batches, or it is known that one will never have.
    const Agreement agreed = agree();
    if (agreed.stop || agreed.snapshot) save_snapshot();
    if (agreed.stop) return Ending::kInterrupted;
    const double waited = seconds_since(begin);
    const double lr = run::lr_at(schedule_, run_step());
    const StepReport report = stepper_->step(batches, lr, run_step());
    step_log_.add_times(waited, seconds_since(begin));
    begin = Clock::now();
    if (report.skipped) {
      log_.warning("step " + std::to_string(run_step()) + " was not finite and is left out (" +
                   std::to_string(stepper_->skipped_steps()) + " so far)");
    }
    step_log_.report(place(), report, lr, scalars_.get());
    progress_.loader = after;
    ++progress_.step;
    bar.add();
  }
  bar.finish();
  return std::nullopt;
}

/// Whether an evaluation of that epoch was finished before the run was stopped.
bool TrainRun::has_result(int64_t epoch) {
  bool found = false;
  if (group_.first() && saves_) {
    for (const OrderedJson& line : run::read_json_lines(paths_.results())) {
      found = found || line.value("epoch", int64_t{-1}) == epoch;
    }
  }
  return !group_.broadcast(found ? "found" : "").empty();
}

bool TrainRun::validates(int64_t completed) const {
  return options_.val_data && run::evaluates(completed, options_.epochs, options_.val_frequency);
}

bool TrainRun::classifies(int64_t completed) const {
  return (options_.imagenet_val || options_.imagenet_v2 || !options_.zeroshot_data.empty()) &&
         run::evaluates(completed, options_.epochs, options_.zeroshot_frequency);
}

/// A batch norm's running statistics are those of a rank's own samples; checkpoints hold the first
/// rank's, and what is measured is what a checkpoint holds.
void TrainRun::share_statistics() {
  const at::NoGradGuard no_grad;
  for_each_param(params_, config_, [&](at::Tensor& t, const model::ParamInfo& info) {
    if (info.role != model::Role::kStatistic) return;
    at::Tensor plain = t.detach();
    group_.broadcast(plain);
  });
}

void TrainRun::evaluate(int64_t completed) {
  if (!evaluates(completed)) return;
  wait_for_save();
  group_.barrier();  // from here on an interruption of one process may end all at once
  share_statistics();
  const Mode mode{.autocast = precision_.autocast};
  Metrics metrics;
  if (classifies(completed)) {
    Clip clip(config_, params_, precision_.autocast);
    metrics = validate_zero_shot(options_, clip, *tokenizer_, group_, device_, log_);
  }
  if (validates(completed)) {
    for (auto& metric : validate_pairs(options_, config_, params_, mode, tokenizer_, group_,
                                       faults_, log_, completed)) {
      metrics.push_back(metric);
    }
  }
  if (group_.first()) {
    log_.info(run::eval_line(completed, metrics));
    if (scalars_) {
      run::Scalars values;
      for (const auto& [name, value] : metrics) values.emplace_back("val/" + name, value);
      scalars_->write_epoch(values, completed, run_step());
    }
    OrderedJson result = OrderedJson::object();
    for (const auto& [name, value] : metrics) result[name] = value;
    if (saves_) run::append_result(paths_, completed, result);
    if (options_.json) print_event({{"event", "eval"}, {"epoch", completed}, {"metrics", result}});
  }
  group_.barrier();
}

Ending TrainRun::epochs() {
  data_ = open_training_data(options_, config_, tokenizer_, group_, device_, faults_);
  steps_per_epoch_ = data_.epoch.batches / options_.accum_freq;
  require(steps_per_epoch_ > 0, "an epoch of ", data_.epoch.batches,
          " batches has no step of --accum-freq ", options_.accum_freq);
  require_same_shape();
  schedule_ = run::make_schedule(options_, steps_per_epoch_);
  if (group_.first() && saves_) {
    scalars_ = std::make_unique<run::ScalarLog>(
        paths_.scalars(),
        run::writes_tensorboard(options_) ? paths_.tensorboard() : std::filesystem::path(),
        options_.resume ? std::optional(run_step()) : std::nullopt);
  }
  if (progress_.step == 0 && progress_.epoch > 0 && !has_result(progress_.epoch)) {
    evaluate(progress_.epoch);
  }
  while (progress_.epoch < options_.epochs && !stops_here()) {
    log_.info("Start epoch " + std::to_string(progress_.epoch));
    if (const auto ending = train_epoch()) return *ending;
    progress_ = {.epoch = progress_.epoch + 1};
    if (after_epoch() == Ending::kInterrupted) return Ending::kInterrupted;
  }
  return Ending::kDone;
}

/// Saves before it evaluates, which can be done again.
Ending TrainRun::after_epoch() {
  const int64_t completed = progress_.epoch;
  save_epoch(completed);
  if (!keeps(completed) && (evaluates(completed) || stops_here())) save_snapshot();
  try {
    evaluate(completed);
  } catch (const Interrupted&) {
    group_.tell_others(Leaving::kInterrupted);
    return Ending::kInterrupted;
  }
  return Ending::kDone;
}

void TrainRun::report_faults() {
  at::Tensor faults = at::tensor({faults_.count()}, at::kLong);
  group_.all_reduce(faults);
  if (const auto count = faults.item<int64_t>(); count > 0) {
    log_.warning(std::to_string(count) + " parts of the data were left out");
  }
}

Ending TrainRun::go(const std::vector<std::string>& warnings) {
  if (options_.json) print_progress_as_json();
  for (const std::string& warning : warnings) log_.warning(warning);
  const std::string slow = slow_precision_note(precision_, device_, kernels::detect_cpu());
  if (!slow.empty()) log_.warning(slow);
  log_.info("Running on " + device_.str() + ", rank " + std::to_string(group_.rank()) + " of " +
            std::to_string(group_.size()));
  require_supported(options_, config_);
  show_params();
  if (group_.first() && saves_ && options_.remote_sync) {
    remote_ = std::make_unique<run::RemoteSync>(
        options_, paths_, [this](const std::string& text) { log_.warning(text); });
    log_.info("remote sync successful.");
  }
  make_model();
  resume();
  write_params();  // of a run that may go on, over those of the run that began it
  if (!options_.train_data && options_.dataset_type != "synthetic") {
    evaluate(progress_.epoch);
    if (remote_) remote_->finish();
    return Ending::kDone;
  }
  const Ending ending = epochs();
  wait_for_save();
  if (remote_) remote_->finish();
  if (ending == Ending::kDone) report_faults();
  return ending;
}

}  // namespace

Ending train(const run::TrainOptions& options, const run::World& world, const std::string& device,
             const std::vector<std::string>& warnings, Group& group) {
  // Told before it is taken apart: its loader may sit in a pipe that gives nothing.
  std::unique_ptr<TrainRun> run;
  try {
    run = std::make_unique<TrainRun>(options, world, device, group);
    return run->go(warnings);
  } catch (const Interrupted&) {
    group.tell_others(Leaving::kInterrupted);
    throw;
  } catch (...) {
    group.tell_others(Leaving::kFailed);
    throw;
  }
}

}  // namespace clipnext::train
