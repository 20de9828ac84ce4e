// What the order of work does to conversations: simulated minutes on a clock of their own, with a cost model
// that is right.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "engine/planner.h"

namespace antiphon {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kPeriod{80};
const TimePoint kStart{seconds(1)};

// 3 ms a step, 0.5 a row, 1 a frame heard or spoken, 1 a thousand positions read.
StepCost Cost() {
  StepCost cost;
  for (int i = 0; i < 60; ++i) {
    for (const int units : {1, 2, 4, 8}) {
      const int64_t attended = int64_t{units} * (50 + 400 * (i % 5));
      cost.Learn({units, units, units, attended},
                 {units * milliseconds(1),
                  milliseconds(3) + units * std::chrono::microseconds(500) + attended * Nanoseconds(1000),
                  units * milliseconds(1)});
    }
  }
  return cost;
}

// Conversations whose frames come due one period after the other, beside work that nobody waits for.
class Machine {
 public:
  // A frame has `slack` from when it can be run.
  explicit Machine(const PlannerLimits& limits, milliseconds slack = kPeriod)
      : limits_(limits), slack_(slack) {}

  // One that speaks, or hears: a frame each period, the first `offset` from the start.
  void Converse(bool speaks, milliseconds offset) {
    voices_.push_back({.due = kStart + offset, .speaks = speaks});
  }
  // A text of so many positions, typed into a conversation at the start, again whenever it has been read; or
  // the same of a call of Generate.
  void Type(int64_t rows, WorkKind kind) { texts_.push_back({.rows = rows, .left = rows, .kind = kind}); }

  struct Result {
    int frames = 0;
    int missed = 0;
    Nanoseconds latest = Nanoseconds::min();  // beyond a deadline
    Nanoseconds longest_step{};
    int64_t rows_typed = 0;
  };
  Result Run(Nanoseconds length) {
    Result result;
    for (TimePoint now = kStart; now < kStart + length;) {
      const std::vector<WorkItem> items = Waiting(now);
      if (items.empty()) {
        now = NextFrame();
        continue;
      }
      const std::vector<PlannedWork> plan = PlanStep(items, cost_, limits_, now);
      StepLoad load;
      for (const PlannedWork& work : plan) {
        const WorkItem& item = items[work.item];
        load = load + StepLoad{work.rows, item.hears ? 1 : 0, item.speaks ? 1 : 0,
                               AttendedBy(work.rows, item.context)};
      }
      const Nanoseconds took = cost_.Predict(load);
      result.longest_step = std::max(result.longest_step, took);
      now += took;
      for (const PlannedWork& work : plan) Finish(items[work.item], work.rows, now, &result);
    }
    return result;
  }

 private:
  struct Voice {
    TimePoint due;  // from when its frame can be run; it has a period for it
    bool speaks = false;
    int64_t context = 200;
  };
  struct Text {
    int64_t rows = 0;
    int64_t left = 0;
    WorkKind kind = WorkKind::kBestEffort;
    TimePoint since = kStart;
  };

  std::vector<WorkItem> Waiting(TimePoint now) const {
    std::vector<WorkItem> items;
    for (size_t i = 0; i < voices_.size(); ++i) {
      const Voice& voice = voices_[i];
      if (voice.due > now) continue;
      items.push_back({.sequence = static_cast<int64_t>(i),
                       .kind = WorkKind::kTimed,
                       .ready = voice.due,
                       .deadline = voice.due + slack_,
                       .hears = !voice.speaks,
                       .speaks = voice.speaks,
                       .context = voice.context});
    }
    for (size_t i = 0; i < texts_.size(); ++i) {
      const Text& text = texts_[i];
      items.push_back({.sequence = static_cast<int64_t>(voices_.size() + i),
                       .kind = text.kind,
                       .ready = text.since,
                       .rows = text.left,
                       .context = text.rows - text.left});
    }
    return items;
  }

  TimePoint NextFrame() const {
    return std::ranges::min(voices_, {}, [](const Voice& voice) { return voice.due; }).due;
  }

  void Finish(const WorkItem& item, int64_t rows, TimePoint now, Result* result) {
    const auto index = static_cast<size_t>(item.sequence);
    if (index < voices_.size()) {
      ++result->frames;
      result->missed += now > item.deadline ? 1 : 0;
      result->latest = std::max<Nanoseconds>(result->latest, now - item.deadline);
      voices_[index].due += kPeriod;
      voices_[index].context = 200 + (voices_[index].context - 199) % 600;
    } else {
      Text& text = texts_[index - voices_.size()];
      result->rows_typed += rows;
      text.left -= rows;
      if (text.left == 0) text.left = text.rows;
      text.since = now;
    }
  }

  const StepCost cost_ = Cost();
  const PlannerLimits limits_;
  const milliseconds slack_;
  std::vector<Voice> voices_;
  std::vector<Text> texts_;
};

Machine::Result Talk(int voices, const std::vector<WorkKind>& texts, bool by_deadline = true,
                     milliseconds slack = kPeriod) {
  PlannerLimits limits;
  limits.by_deadline = by_deadline;
  Machine machine(limits, slack);
  for (int i = 0; i < voices; ++i) machine.Converse(i % 3 != 0, milliseconds(i * 37 % 80));
  for (const WorkKind kind : texts) machine.Type(900, kind);
  return machine.Run(seconds(60));
}

TEST(PlannerScheduleTest, ALongTypedPromptDelaysNobodyBeyondADeadline) {
  for (const int voices : {1, 4, 12}) {
    const auto result = Talk(voices, {WorkKind::kBestEffort, WorkKind::kBestEffort});
    EXPECT_GT(result.frames, voices * 745);
    EXPECT_EQ(result.missed, 0) << voices << " voices, latest by " << Milliseconds(result.latest) << " ms";
    EXPECT_LE(result.longest_step, PlannerLimits{}.max_step);
    EXPECT_GT(result.rows_typed, 900) << "and is read";
  }
}

TEST(PlannerScheduleTest, ABulkGenerateDelaysNobodyBeyondADeadline) {
  for (const int voices : {1, 4, 12}) {
    const auto result = Talk(voices, {WorkKind::kBulk, WorkKind::kBulk, WorkKind::kBulk});
    EXPECT_EQ(result.missed, 0) << voices << " voices, latest by " << Milliseconds(result.latest) << " ms";
    EXPECT_GT(result.rows_typed, 900);
  }
}

// At a load that is nearly too much, and with texts that have waited as long as they may, something has to
// give: never more than one step.
TEST(PlannerScheduleTest, EvenAFullMachineIsLateByLessThanAStep) {
  const auto alone = Talk(22, {});
  ASSERT_EQ(alone.missed, 0) << "latest by " << Milliseconds(alone.latest) << " ms";
  const auto beside = Talk(22, {WorkKind::kBestEffort, WorkKind::kBulk});
  EXPECT_LE(beside.latest, PlannerLimits{}.max_step);
  EXPECT_LT(beside.missed, beside.frames / 100);
}

TEST(PlannerScheduleTest, FirstComeFirstServedIsLateWhereDeadlinesAreKept) {
  const std::vector<WorkKind> texts(6, WorkKind::kBulk);
  const milliseconds slack(60);
  const auto deadlines = Talk(12, texts, /*by_deadline=*/true, slack);
  const auto arrival = Talk(12, texts, /*by_deadline=*/false, slack);
  EXPECT_EQ(deadlines.missed, 0) << "latest by " << Milliseconds(deadlines.latest) << " ms";
  EXPECT_GT(arrival.missed, arrival.frames / 100);
  EXPECT_LE(arrival.longest_step, PlannerLimits{}.max_step) << "the limits of a step are the same";
}

TEST(PlannerScheduleTest, ArrivalIsTheOrder) {
  PlannerLimits limits;
  limits.by_deadline = false;
  const TimePoint now = kStart + seconds(1);
  const std::vector<WorkItem> items = {
      {.sequence = 1, .kind = WorkKind::kFirstAudio, .ready = now, .deadline = now + milliseconds(5)},
      {.sequence = 2, .kind = WorkKind::kBulk, .ready = now - milliseconds(20)},
      {.sequence = 3, .kind = WorkKind::kTimed, .ready = now - milliseconds(10), .deadline = now}};
  const auto plan = PlanStep(items, Cost(), limits, now);
  ASSERT_EQ(plan.size(), 3u);
  EXPECT_EQ(plan[0].item, 1u);
  EXPECT_EQ(plan[1].item, 2u);
  EXPECT_EQ(plan[2].item, 0u);
}

}  // namespace
}  // namespace antiphon
