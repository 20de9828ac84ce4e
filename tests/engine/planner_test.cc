#include "engine/planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace antiphon {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

const TimePoint kNow{milliseconds(1000)};

// Every stage costs 4 ms plus `per_row` a unit.
StepCost Cost(microseconds per_unit) {
  StepCost cost;
  for (const int units : {1, 2, 4, 8, 1, 2, 4, 8}) {
    const Nanoseconds took = milliseconds(4) + units * per_unit;
    cost.Learn({units, units, units}, {took, took, took});
  }
  return cost;
}

WorkItem Heard(int64_t sequence, milliseconds slack) {
  return {
      .sequence = sequence, .kind = WorkKind::kTimed, .ready = kNow, .deadline = kNow + slack, .hears = true};
}
WorkItem Speaking(int64_t sequence, milliseconds slack) {
  return {.sequence = sequence,
          .kind = WorkKind::kTimed,
          .ready = kNow,
          .deadline = kNow + slack,
          .speaks = true};
}
WorkItem FirstAudio(int64_t sequence, milliseconds slack) {
  return {.sequence = sequence, .kind = WorkKind::kFirstAudio, .ready = kNow, .deadline = kNow + slack};
}
WorkItem Text(int64_t sequence, int64_t rows, milliseconds waited) {
  return {.sequence = sequence, .kind = WorkKind::kBestEffort, .ready = kNow - waited, .rows = rows};
}

WorkItem Bulk(int64_t sequence, int64_t rows, milliseconds waited) {
  return {.sequence = sequence, .kind = WorkKind::kBulk, .ready = kNow - waited, .rows = rows};
}

// Sequence names in the order of the plan.
std::vector<int64_t> Sequences(const std::vector<WorkItem>& items, const std::vector<PlannedWork>& plan) {
  std::vector<int64_t> names;
  for (const PlannedWork& work : plan) names.push_back(items[work.item].sequence);
  return names;
}

std::vector<int64_t> Plan(const std::vector<WorkItem>& items, const StepCost& cost,
                          PlannerLimits limits = {}) {
  return Sequences(items, PlanStep(items, cost, limits, kNow));
}

TEST(PlannerTest, NothingFromNothing) { EXPECT_THAT(Plan({}, Cost(microseconds(10))), IsEmpty()); }

TEST(PlannerTest, EarliestDeadlineFirst) {
  EXPECT_THAT(Plan({Heard(1, milliseconds(80)), Speaking(2, milliseconds(60)), Heard(3, milliseconds(70))},
                   Cost(microseconds(10))),
              ElementsAre(2, 3, 1));
}

TEST(PlannerTest, EqualDeadlinesGoByWaitingTimeThenName) {
  std::vector<WorkItem> items = {Heard(5, milliseconds(80)), Heard(4, milliseconds(80)),
                                 Heard(9, milliseconds(80))};
  items[2].ready = kNow - milliseconds(1);
  EXPECT_THAT(Plan(items, Cost(microseconds(10))), ElementsAre(9, 4, 5));
}

TEST(PlannerTest, RowsNeverExceedTheLimit) {
  std::vector<WorkItem> items;
  for (int i = 0; i < 20; ++i) items.push_back(Heard(i, milliseconds(80)));
  PlannerLimits limits;
  limits.max_rows = 8;
  EXPECT_EQ(Plan(items, Cost(microseconds(1)), limits).size(), 8u);

  const std::vector<WorkItem> text = {Text(1, 500, milliseconds(0)), Text(2, 500, milliseconds(1))};
  limits.max_rows = 32;
  EXPECT_THAT(PlanStep(text, Cost(microseconds(1)), limits, kNow),
              ElementsAre(PlannedWork{1, 31}, PlannedWork{0, 1}));
}

TEST(PlannerTest, AStepEndsBeforeTheFirstDeadlineInIt) {
  // Alone a frame costs 4 + 1 ms in two stages: 10 ms; each further one 2 ms.
  std::vector<WorkItem> items;
  for (int i = 0; i < 10; ++i) items.push_back(Heard(i, milliseconds(17) + milliseconds(10 * i)));
  EXPECT_THAT(Plan(items, Cost(microseconds(1000))), ElementsAre(0, 1, 2, 3));
}

TEST(PlannerTest, ADeadlineAlreadyMissedDoesNotSpoilTheBatch) {
  std::vector<WorkItem> items = {Heard(0, milliseconds(-5))};
  for (int i = 1; i < 6; ++i) items.push_back(Heard(i, milliseconds(60)));
  EXPECT_EQ(Plan(items, Cost(microseconds(1000))).size(), 6u);
}

TEST(PlannerTest, APrefillChunkLeavesTimeForTheFrameBesideIt) {
  // 20 ms for everything: the frame takes 4 + 0.5 + 4 + 0.5, so that 22 rows of 0.5 ms are left.
  const std::vector<WorkItem> items = {Text(1, 500, milliseconds(300)), Heard(2, milliseconds(20))};
  const auto plan = PlanStep(items, Cost(microseconds(500)), {}, kNow);
  EXPECT_THAT(plan, ElementsAre(PlannedWork{0, 22}, PlannedWork{1, 1}));
}

TEST(PlannerTest, AChunkAloneIsBoundedByTheStepTime) {
  const auto plan =
      PlanStep(std::vector<WorkItem>{Text(1, 500, milliseconds(0))}, Cost(microseconds(500)), {}, kNow);
  EXPECT_THAT(plan, ElementsAre(PlannedWork{0, 72}));  // 4 ms + 72 * 0.5 ms
}

TEST(PlannerTest, FirstAudioRunsBeforeEarlierDeadlines) {
  EXPECT_THAT(Plan({Speaking(1, milliseconds(50)), FirstAudio(2, milliseconds(250))}, Cost(microseconds(10))),
              ElementsAre(2));
  // ... which join where they cost next to nothing.
  EXPECT_THAT(Plan({Text(1, 1, milliseconds(10)), FirstAudio(2, milliseconds(250))}, Cost(microseconds(10))),
              ElementsAre(2, 1));
}

TEST(PlannerTest, FirstAudioTakesAlongWhatWouldBeLateOtherwise) {
  EXPECT_THAT(Plan({Speaking(1, milliseconds(11)), FirstAudio(2, milliseconds(250))}, Cost(microseconds(10))),
              ElementsAre(2, 1));
}

TEST(PlannerTest, FarAheadYields) {
  // The stage of speaking costs 4 ms more, too much for who has nine seconds in hand beside one that has 50
  // ms.
  const std::vector<WorkItem> items = {Heard(1, milliseconds(50)), Speaking(2, milliseconds(9000))};
  EXPECT_THAT(Plan(items, Cost(microseconds(10))), ElementsAre(1));
  EXPECT_THAT(Plan({items[1]}, Cost(microseconds(10))), ElementsAre(2));
}

TEST(PlannerTest, BestEffortAgesIntoItsTurn) {
  // Each row costs as much as the step: waiting text does not join until it has waited long enough.
  StepCost cost;
  for (const int units : {1, 2, 4, 1, 2, 4}) {
    cost.Learn({units, units, units},
               {milliseconds(5 * units), milliseconds(5 * units), milliseconds(5 * units)});
  }
  const WorkItem heard = Heard(1, milliseconds(70));
  EXPECT_THAT(Plan({heard, Text(2, 1, milliseconds(100))}, cost), ElementsAre(1));
  EXPECT_THAT(Plan({heard, Text(2, 1, milliseconds(200))}, cost), ElementsAre(2, 1));
}

// 4 ms for a step, 2 ms for each row of it and 6 ms for each frame heard.
StepCost CostOfRows() {
  StepCost cost;
  for (const int units : {1, 2, 4, 1, 2, 4}) {
    cost.Learn({units, units, units},
               {units * milliseconds(6), milliseconds(4) + units * milliseconds(2), {}});
  }
  return cost;
}

TEST(PlannerTest, BulkWorkFillsTheTimeThatIsLeftAndNoMore) {
  const StepCost cost = CostOfRows();
  // The frame alone takes 12 ms; a row beside it 2 ms, within the quarter, and two more are not.
  EXPECT_THAT(PlanStep(std::vector<WorkItem>{Heard(1, milliseconds(70)), Bulk(2, 9, milliseconds(0))}, cost,
                       {}, kNow),
              ElementsAre(PlannedWork{0, 1}, PlannedWork{1, 1}));
  EXPECT_THAT(Plan({Bulk(2, 9, milliseconds(1900)), Heard(1, milliseconds(13))}, cost), ElementsAre(1))
      << "not a moment of what is due, however long it has waited";
  EXPECT_THAT(Plan({Bulk(2, 9, milliseconds(1900)), Heard(1, milliseconds(15))}, cost), ElementsAre(1, 2));
  const auto alone = PlanStep(std::vector<WorkItem>{Bulk(2, 99, milliseconds(0))}, cost, {}, kNow);
  EXPECT_THAT(alone, ElementsAre(PlannedWork{0, 18})) << "40 ms";
}

TEST(PlannerTest, BulkWorkThatHasWaitedMayTakeMoreThanAQuarterOfTheTimeThatIsLeft) {
  WorkItem hearing = Bulk(2, 1, milliseconds(100));
  hearing.hears = true;
  const WorkItem heard = Heard(1, milliseconds(70));
  EXPECT_THAT(Plan({heard, hearing}, CostOfRows()), ElementsAre(1));
  hearing.ready = kNow - milliseconds(200);
  EXPECT_THAT(Plan({heard, hearing}, CostOfRows()), ElementsAre(1, 2));
}

TEST(PlannerTest, BulkWorkGoesFirstAtLast) {
  EXPECT_THAT(Plan({Heard(1, milliseconds(13)), Bulk(2, 9, milliseconds(2000))}, CostOfRows()),
              ElementsAre(2, 1));
}

TEST(PlannerTest, PositionsThatBelongTogetherAreNotParted) {
  WorkItem opening = Heard(1, milliseconds(80));
  opening.rows = opening.least_rows = 2;
  PlannerLimits limits;
  limits.max_rows = 2;
  const std::vector<WorkItem> items = {opening, Heard(2, milliseconds(75))};
  EXPECT_THAT(PlanStep(items, Cost(microseconds(10)), limits, kNow), ElementsAre(PlannedWork{1, 1}));
}

TEST(PlannerTest, TheMostUrgentAlwaysRunsWhateverItCosts) {
  EXPECT_THAT(Plan({Speaking(1, milliseconds(1))}, Cost(milliseconds(100))), ElementsAre(1));
}

// More work than the machine can do, for a simulated minute: everything still gets its turn.
TEST(PlannerTest, NothingStarvesUnderOverload) {
  const StepCost cost = Cost(microseconds(3000));
  std::map<int64_t, TimePoint> served;
  for (int64_t sequence = 0; sequence < 12; ++sequence) served[sequence] = kNow;
  TimePoint now = kNow;
  while (now < kNow + std::chrono::seconds(60)) {
    std::vector<WorkItem> items;
    for (const auto& [sequence, at] : served) {
      WorkItem item{.sequence = sequence, .ready = at, .deadline = at + milliseconds(80), .rows = 1};
      item.kind = sequence < 10 ? WorkKind::kTimed : WorkKind::kBestEffort;
      item.speaks = sequence < 10;
      items.push_back(item);
    }
    StepLoad load;
    const auto plan = PlanStep(items, cost, {}, now);
    ASSERT_FALSE(plan.empty());
    for (const PlannedWork& work : plan)
      load = load + StepLoad{work.rows, 0, items[work.item].speaks ? 1 : 0};
    now += cost.Predict(load);
    for (const PlannedWork& work : plan) served[items[work.item].sequence] = now;
    for (const auto& [sequence, at] : served)
      EXPECT_LT(now - at, milliseconds(400)) << "sequence " << sequence;
  }
}

// Conversations whose frames fill every step to the last row, for a simulated minute: bulk work still gets
// its turn, and costs them next to nothing.
TEST(PlannerTest, BulkWorkIsNotStarvedByStepsThatAreFull) {
  const StepCost cost = Cost(microseconds(100));
  PlannerLimits limits;
  limits.max_rows = 4;
  std::vector<TimePoint> served(5, kNow);
  TimePoint now = kNow;
  int bulk_steps = 0;
  int steps = 0;
  for (; now < kNow + std::chrono::seconds(60); ++steps) {
    std::vector<WorkItem> items;
    for (int64_t sequence = 0; sequence < 4; ++sequence) {
      const TimePoint at = served[static_cast<size_t>(sequence)];
      items.push_back({.sequence = sequence,
                       .kind = WorkKind::kTimed,
                       .ready = at,
                       .deadline = at + milliseconds(80),
                       .speaks = true});
    }
    items.push_back({.sequence = 4, .kind = WorkKind::kBulk, .ready = served[4]});
    const auto plan = PlanStep(items, cost, limits, now);
    StepLoad load;
    for (const PlannedWork& work : plan)
      load = load + StepLoad{work.rows, 0, items[work.item].speaks ? 1 : 0};
    now += cost.Predict(load);
    for (const PlannedWork& work : plan) {
      EXPECT_TRUE(!HasDeadline(items[work.item].kind) || now <= items[work.item].deadline);
      served[work.item] = now;
      bulk_steps += work.item == 4 ? 1 : 0;
    }
    ASSERT_LT(now - served[4], milliseconds(2100));
  }
  EXPECT_GE(bulk_steps, 28);
  EXPECT_LT(bulk_steps, steps / 100);
}

}  // namespace
}  // namespace antiphon
