#include "engine/engine_loop.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <utility>

#include "common/logging.h"
#include "engine/exception_status.h"

namespace antiphon {
namespace {

constexpr double kAverageFade = 0.95;  // of step_ms_average

PlannerLimits LimitsOf(const EngineOptions& options) {
  PlannerLimits limits;
  limits.max_rows = options.max_batch_positions;
  limits.by_deadline = options.schedule == Schedule::kDeadlines;
  return limits;
}

int Pages(const EngineOptions& options, const ModelConfig& config) {
  if (options.kv_pages > 0) return options.kv_pages;
  const int64_t of_one = (config.max_positions + options.page_positions - 1) / options.page_positions;
  return static_cast<int>(options.max_sequences * of_one);
}

// A frame that somebody is waiting for.
bool IsTimedFrame(const WorkItem& work, const StepItem& item) {
  if (!HasDeadline(work.kind)) return false;
  // Of a response only frames can be late: the way to the first one has one deadline, not one a step.
  return item.answers() ? item.answered->has_frame : work.hears;
}

// The place of a step in EngineStatistics::steps_by_prediction.
size_t RatioClass(double measured_ms, double predicted_ms) {
  constexpr double kBounds[] = {0.5, 0.8, 1, 1.25, 1.5, 2, 4};
  const auto* bound =
      std::ranges::find_if(kBounds, [&](double b) { return measured_ms <= b * predicted_ms; });
  return static_cast<size_t>(bound - std::begin(kBounds));
}

// The place of a step of so many positions, at least 1, in EngineStatistics::steps_by_size.
size_t SizeClass(int64_t positions, size_t classes) {
  const int powers = std::bit_width(static_cast<uint64_t>(positions - 1));
  return std::min(static_cast<size_t>(powers), classes - 1);
}

}  // namespace

EngineLoop::EngineLoop(const EngineParts& parts, const EngineOptions& options)
    : parts_(parts),
      identity_(parts.identity),
      grammar_(parts.model.config()),
      limits_(LimitsOf(options)),
      pages_(Pages(options, parts.model.config()), options.page_positions),
      prefixes_(&pages_, options.prefix_pages),
      pool_(parts.model.MakePool(Pages(options, parts.model.config()), options.page_positions,
                                 options.kv_format)),
      runner_(parts.model, parts.codec, grammar_, parts.clock),
      context_{parts.model.config(),
               grammar_,
               parts.codec,
               parts.tokenizer,
               parts.clock,
               pages_,
               prefixes_,
               options.first_audio_target,
               identity_,
               options.speculative_steps,
               forks_,
               fork_counters_} {
  ForgetStatistics();
}

void EngineLoop::Add(std::shared_ptr<SequencePort> port, const SequenceOptions& options) {
  {
    const std::lock_guard lock(mutex_);
    added_.push_back({std::move(port), options});
  }
  Wake();
}

void EngineLoop::AddReplay(std::shared_ptr<ReplayTicket> ticket, Recording recording,
                           const std::string& here) {
  {
    const std::lock_guard lock(mutex_);
    added_replays_.push_back({std::move(ticket), std::move(recording), here});
  }
  Wake();
}

void EngineLoop::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  Wake();
}

bool EngineLoop::stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

EngineStatistics EngineLoop::statistics() const {
  const std::lock_guard lock(mutex_);
  return statistics_;
}

StepCost EngineLoop::cost() const {
  const std::lock_guard lock(mutex_);
  return cost_;
}

void EngineLoop::ForgetStatistics() {
  fork_counters_ = {};
  prefixes_.ForgetCounters();
  const std::lock_guard lock(mutex_);
  statistics_ = {};
  statistics_.pages = pages_.pages();
}

void EngineLoop::ForgetCost() {
  const std::lock_guard lock(mutex_);
  cost_ = {};
}

void EngineLoop::SettleCost() {
  const std::lock_guard lock(mutex_);
  cost_.Settle();
}

void EngineLoop::Run() {
  while (!stopping()) {
    if (!RunOnce()) wake_up_.Wait();
  }
}

bool EngineLoop::RunOnce() {
  TakeWork();
  const std::vector<Job> jobs = Plan(parts_.clock.Now());
  if (!jobs.empty()) RunJobs(jobs);
  const std::lock_guard lock(mutex_);
  statistics_.pages_in_use = pages_.pages_in_use();
  statistics_.forks = fork_counters_.forks;
  statistics_.forks_lost = fork_counters_.forks_lost;
  statistics_.speculations_kept = fork_counters_.speculations_kept;
  statistics_.speculations_dropped = fork_counters_.speculations_dropped;
  statistics_.speculative_steps = fork_counters_.speculative_steps;
  statistics_.speculative_steps_wasted = fork_counters_.speculative_steps_wasted;
  statistics_.prefix_hits = prefixes_.counters().hits;
  statistics_.prefix_misses = prefixes_.counters().misses;
  statistics_.prefix_positions = prefixes_.counters().positions;
  statistics_.prefix_pages = prefixes_.pages();
  return !jobs.empty();
}

void EngineLoop::TakeIn(std::shared_ptr<SequencePort> port, const SequenceOptions& options) {
  auto sequence = std::make_unique<LiveSequence>(next_id_++, std::move(port), options, context_);
  if (recording_.folder != nullptr) {
    sequence->Record(
        std::make_unique<SequenceRecorder>(recording_.folder->Open(), recording_.head, recording_.max_bytes));
  }
  sequences_.push_back(std::move(sequence));
}

void EngineLoop::TakeWork() {
  std::vector<Added> added;
  std::vector<AddedReplay> added_replays;
  {
    const std::lock_guard lock(mutex_);
    added.swap(added_);
    added_replays.swap(added_replays_);
  }
  for (Added& sequence : added) TakeIn(std::move(sequence.port), sequence.options);
  for (AddedReplay& replay : added_replays) {
    replays_.push_back(std::make_unique<ReplayedSequence>(
        next_id_++, std::move(replay.ticket), std::move(replay.recording), replay.here, context_,
        [this](const SequenceGap& gap) { parts_.model.CloseGap(gap, pool_); }));
  }
  for (const auto& replay : replays_) replay->TakeRequests();
  std::erase_if(replays_, [](const auto& replay) { return replay->closed(); });
  // A fork is there in time for what was asked of it already, also when its original is closed by now.
  for (size_t i = 0; i < sequences_.size(); ++i) {
    sequences_[i]->TakeRequests();
    std::move(forks_.begin(), forks_.end(), std::back_inserter(sequences_));
    forks_.clear();
  }
  std::erase_if(sequences_, [](const auto& sequence) { return sequence->closed(); });
}

std::vector<EngineLoop::Job> EngineLoop::Plan(TimePoint now) const {
  std::vector<WorkItem> items;
  std::vector<ScheduledSequence*> sequences;
  const auto consider = [&](ScheduledSequence* sequence) {
    if (const auto work = sequence->NextWork()) {
      items.push_back(*work);
      sequences.push_back(sequence);
    }
  };
  for (const auto& sequence : sequences_) consider(sequence.get());
  for (const auto& replay : replays_) consider(replay.get());
  std::vector<Job> jobs;
  for (const PlannedWork& planned : PlanStep(items, cost(), limits_, now)) {
    jobs.push_back({sequences[planned.item], items[planned.item], planned.rows});
  }
  return jobs;
}

// A step that fails is run again sequence by sequence, so that only the one that cannot be run suffers.
void EngineLoop::RunJobs(std::span<const Job> planned) {
  std::vector<Job> jobs;
  std::copy_if(planned.begin(), planned.end(), std::back_inserter(jobs),
               [this](const Job& job) { return ReservePages(job); });
  std::erase_if(jobs, [](const Job& job) { return !job.sequence->NextWork(); });  // it gave way since
  if (jobs.empty()) return;
  std::vector<StepItem> finished;
  try {
    std::vector<StepItem> items;
    for (const Job& job : jobs) items.push_back(job.sequence->BeginStep(job.rows));
    const StepTimes times = runner_.Run(items, pool_);
    Learn(LoadOf(items), times);
    finished = std::move(items);
  } catch (...) {
    const Status error = CurrentExceptionStatus();
    LogError("a step of {} sequences failed: {}", jobs.size(), error.ToString());
    if (jobs.size() == 1) {
      jobs[0].sequence->FailStep(error);
      return;
    }
  }
  if (!finished.empty()) return FinishStep(jobs, std::move(finished));
  for (const Job& job : jobs) RunJobs({&job, 1});
}

bool EngineLoop::ReservePages(const Job& job) {
  if (!job.sequence->NextWork()) return false;  // it gave way to one before it
  Status error = ResourceExhausted("the engine has no memory left for another position");
  try {
    const auto copy = [this](const PageCopy& page) { CopyPage(page, pool_); };
    const auto close = [this](const SequenceGap& gap) { parts_.model.CloseGap(gap, pool_); };
    do {
      if (job.sequence->Reserve(job.rows, copy, close)) return true;
    } while (FreePagesFor(*job.sequence));
  } catch (...) {
    error = CurrentExceptionStatus();
  }
  job.sequence->FailStep(error);
  return false;
}

// What can be done without goes before anything else fails: beginnings that nobody uses, answers begun ahead,
// then forks, one at a time.
bool EngineLoop::FreePagesFor(const ScheduledSequence& sequence) {
  if (prefixes_.FreePage()) return true;
  if (sequence.expendable()) return false;
  for (const auto& other : sequences_) {
    if (other->DropSpeculation()) return true;
  }
  for (const auto& other : sequences_) {
    if (other->GiveWay(ResourceExhausted("the fork gave way: the engine has no memory left"))) return true;
  }
  return false;
}

// Never throws: by now every sequence is answerable for itself.
void EngineLoop::FinishStep(std::span<const Job> jobs, std::vector<StepItem> items) {
  const TimePoint now = parts_.clock.Now();
  uint64_t spoken = 0;
  uint64_t timed = 0;
  uint64_t missed = 0;
  for (size_t i = 0; i < jobs.size(); ++i) {
    spoken += items[i].answered && items[i].answered->has_frame ? 1 : 0;
    if (!IsTimedFrame(jobs[i].work, items[i])) continue;
    ++timed;
    missed += now > std::max(jobs[i].work.deadline, jobs[i].work.promised) ? 1 : 0;
  }
  {
    const std::lock_guard lock(mutex_);
    statistics_.spoken_frames += spoken;
    statistics_.timed_frames += timed;
    statistics_.deadline_misses += missed;
  }
  for (size_t i = 0; i < jobs.size(); ++i) {
    try {
      jobs[i].sequence->FinishStep(std::move(items[i]));
    } catch (...) {
      jobs[i].sequence->FailStep(CurrentExceptionStatus());
    }
  }
}

void EngineLoop::Learn(const StepLoad& load, const StepTimes& times) {
  const double took = Milliseconds(times.total());
  const std::lock_guard lock(mutex_);
  const double predicted = Milliseconds(cost_.Predict(load));
  cost_.Learn(load, times);
  if (predicted > 0) {
    statistics_.step_ms_predicted_total += predicted;
    statistics_.step_error_ms_total += std::abs(took - predicted);
    ++statistics_.steps_by_prediction[RatioClass(took, predicted)];
  }
  statistics_.admission_headroom = cost_.headroom();
  double& average = statistics_.step_ms_average;
  average = statistics_.steps == 0 ? took : kAverageFade * average + (1 - kAverageFade) * took;
  statistics_.step_ms_total += took;
  ++statistics_.steps;
  statistics_.positions += static_cast<uint64_t>(load.rows);
  auto& sizes = statistics_.steps_by_size;
  ++sizes[SizeClass(load.rows, sizes.size())];
}

}  // namespace antiphon
