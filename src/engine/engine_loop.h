// The engine's thread: takes new work, plans a step, runs it, hands the results out, and again.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "antiphon/engine.h"
#include "common/clock.h"
#include "engine/cost_model.h"
#include "engine/kv_pages.h"
#include "engine/live_sequence.h"
#include "engine/planner.h"
#include "engine/prefix_cache.h"
#include "engine/recording.h"
#include "engine/replay_ticket.h"
#include "engine/replayed_sequence.h"
#include "engine/sequence_port.h"
#include "engine/sequence_recorder.h"
#include "engine/step.h"
#include "engine/wake_up.h"
#include "model/audio_codec.h"
#include "model/language_model.h"
#include "model/stream_grammar.h"
#include "model/text_tokenizer.h"

namespace antiphon {

// What the loop runs; outlives it. Fakes of model and codec let its tests run without weights.
struct EngineParts {
  const LanguageModel& model;
  const AudioCodec& codec;
  const TextTokenizer& tokenizer;
  const Clock& clock;
  ModelIdentity identity = {};
};

class EngineLoop {
 public:
  EngineLoop(const EngineParts& parts, const EngineOptions& options);

  // ---- Any thread.

  const StreamGrammar& grammar() const { return grammar_; }
  // A new sequence, served until its port is closed.
  void Add(std::shared_ptr<SequencePort> port, const SequenceOptions& options);
  // A recording to be run again, until its ticket has an outcome. `here`: ArithmeticOf this engine.
  void AddReplay(std::shared_ptr<ReplayTicket> ticket, Recording recording, const std::string& here);
  // Something was posted to a port, or a port or ticket was closed.
  void Wake() { wake_up_.Ring(); }
  // Makes Run return after the step under way.
  void Stop();

  // Consistent copies, as of the last step. open_sequences is not the loop's to know.
  EngineStatistics statistics() const;
  StepCost cost() const;

  // ---- The engine's thread.

  // Runs until Stop, waiting while there is nothing to do.
  void Run();
  // One step, or less when there is nothing to do: then returns false.
  bool RunOnce();
  // Sequences that are taken in from now on are recorded. The folder outlives the loop.
  void RecordTo(const RecordingSetup& setup) { recording_ = setup; }
  // Starts the counters, or what was learnt about the cost of steps, anew; or keeps that as a trial of all
  // sizes.
  void ForgetStatistics();
  void ForgetCost();
  void SettleCost();

 private:
  // The part of a plan that belongs to one sequence.
  struct Job {
    ScheduledSequence* sequence;
    WorkItem work;
    int64_t rows;
  };

  void TakeWork();
  void TakeIn(std::shared_ptr<SequencePort> port, const SequenceOptions& options);
  std::vector<Job> Plan(TimePoint now) const;
  void RunJobs(std::span<const Job> planned);
  bool ReservePages(const Job& job);
  bool FreePagesFor(const ScheduledSequence& sequence);
  void FinishStep(std::span<const Job> jobs, std::vector<StepItem> items);
  void Learn(const StepLoad& load, const StepTimes& times);
  bool stopping() const;

  const EngineParts parts_;
  const ModelIdentity identity_;
  const StreamGrammar grammar_;
  const PlannerLimits limits_;
  WakeUp wake_up_;

  // The engine's thread only. Sequences go before the pages they use.
  PagePool pages_;
  PrefixCache prefixes_;
  KvPool pool_;
  const StepRunner runner_;
  std::vector<std::unique_ptr<LiveSequence>> forks_;  // on their way to sequences_
  ForkCounters fork_counters_;
  const SequenceContext context_;
  int64_t next_id_ = 0;
  std::vector<std::unique_ptr<LiveSequence>> sequences_;
  std::vector<std::unique_ptr<ReplayedSequence>> replays_;
  RecordingSetup recording_;

  struct Added {
    std::shared_ptr<SequencePort> port;
    SequenceOptions options;
  };
  struct AddedReplay {
    std::shared_ptr<ReplayTicket> ticket;
    Recording recording;
    std::string here;
  };
  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::vector<Added> added_;
  std::vector<AddedReplay> added_replays_;
  bool stopping_ = false;
  EngineStatistics statistics_;
  StepCost cost_;
};

}  // namespace antiphon
