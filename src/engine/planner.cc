#include "engine/planner.h"

#include <algorithm>
#include <limits>
#include <tuple>

namespace antiphon {
namespace {

enum class Rank : uint8_t { kFirstAudio, kDue, kMayWait };

struct RankedItem {
  Rank rank;
  TimePoint due;
  size_t item;
};

RankedItem RankItem(const WorkItem& item, size_t index, const PlannerLimits& limits, TimePoint now) {
  if (!limits.by_deadline) return {Rank::kFirstAudio, item.ready, index};
  if (item.kind == WorkKind::kFirstAudio) return {Rank::kFirstAudio, item.deadline, index};
  if (item.kind == WorkKind::kTimed) {
    const bool far_ahead = item.deadline - now > limits.far_ahead;
    return {far_ahead ? Rank::kMayWait : Rank::kDue, item.deadline, index};
  }
  if (item.kind == WorkKind::kBulk) {
    // Never before what a conversation has due, however many steps that takes: but not for ever.
    const TimePoint at_last = item.ready + limits.longest_wait;
    if (at_last <= now) return {Rank::kDue, at_last, index};
    return {Rank::kMayWait, item.ready + limits.patience, index};
  }
  const TimePoint due = item.ready + limits.patience;
  return {due <= now ? Rank::kDue : Rank::kMayWait, due, index};
}

std::vector<RankedItem> InOrder(std::span<const WorkItem> items, const PlannerLimits& limits, TimePoint now) {
  std::vector<RankedItem> order;
  order.reserve(items.size());
  for (size_t i = 0; i < items.size(); ++i) order.push_back(RankItem(items[i], i, limits, now));
  std::sort(order.begin(), order.end(), [&](const RankedItem& a, const RankedItem& b) {
    const WorkItem& left = items[a.item];
    const WorkItem& right = items[b.item];
    return std::tie(a.rank, a.due, left.ready, left.sequence) <
           std::tie(b.rank, b.due, right.ready, right.sequence);
  });
  return order;
}

StepLoad LeastLoad(const WorkItem& item) {
  return {item.least_rows, item.hears ? 1 : 0, item.speaks ? 1 : 0,
          AttendedBy(item.least_rows, item.context)};
}

// The step as it fills.
class Filling {
 public:
  Filling(const StepCost& cost, const PlannerLimits& limits, TimePoint now)
      : cost_(cost), limits_(limits), now_(now) {}

  // From now on work may lengthen the step only by the stretch. Returns how long the step may become.
  Nanoseconds BeginRank() const {
    if (load_.rows == 0) return Nanoseconds::max();
    const auto now = static_cast<double>(cost_.Predict(load_).count());
    return Nanoseconds(static_cast<int64_t>(now * limits_.stretch));
  }

  // Takes the least rows of `item` if they fit.
  bool Join(const WorkItem& item, TimePoint due, Nanoseconds ceiling) {
    const StepLoad joined = load_ + LeastLoad(item);
    const Nanoseconds length = cost_.Predict(joined);
    if (load_.rows > 0) {
      if (joined.rows > limits_.max_rows) return false;
      const bool late_in_the_next_step = due < now_ + cost_.Predict(load_) + cost_.Predict(LeastLoad(item));
      if (length > (late_in_the_next_step ? Allowed() : std::min(Allowed(), ceiling))) return false;
    }
    load_ = joined;
    // A deadline that cannot be met any more does not limit the others: that would only spread the delay.
    if (limits_.by_deadline && HasDeadline(item.kind) && now_ + length <= item.deadline) {
      first_deadline_ = std::min(first_deadline_, item.deadline);
    }
    return true;
  }

  // More rows of an item that has joined with its least rows: as many as fit. Returns how many.
  int64_t Grow(const WorkItem& item, Nanoseconds ceiling) {
    const int64_t most = item.rows - item.least_rows;
    const auto more = [&](int64_t rows) {
      const int64_t read = AttendedBy(rows, item.context + item.least_rows);
      return StepLoad{.rows = rows, .attended = read};
    };
    const Nanoseconds allowed = std::min(Allowed(), ceiling);
    int64_t fits = 0;
    int64_t too_many = std::min(most, limits_.max_rows - load_.rows) + 1;
    while (too_many - fits > 1) {
      const int64_t rows = fits + (too_many - fits) / 2;
      (cost_.Predict(load_ + more(rows)) <= allowed ? fits : too_many) = rows;
    }
    load_ = load_ + more(fits);
    return fits;
  }

 private:
  Nanoseconds Allowed() const { return std::min(limits_.max_step, first_deadline_ - now_); }

  const StepCost& cost_;
  const PlannerLimits& limits_;
  const TimePoint now_;
  StepLoad load_;
  TimePoint first_deadline_ = TimePoint::max();
};

}  // namespace

std::vector<PlannedWork> PlanStep(std::span<const WorkItem> items, const StepCost& cost,
                                  const PlannerLimits& limits, TimePoint now) {
  std::vector<PlannedWork> plan;
  std::vector<Nanoseconds> ceilings;  // of plan[i]'s rank
  Filling step(cost, limits, now);
  Rank rank = Rank::kFirstAudio;
  Nanoseconds ceiling = Nanoseconds::max();
  for (const RankedItem& next : InOrder(items, limits, now)) {
    if (next.rank != rank) ceiling = step.BeginRank();
    rank = next.rank;
    if (!step.Join(items[next.item], next.due, ceiling)) continue;
    plan.push_back({next.item, items[next.item].least_rows});
    ceilings.push_back(ceiling);
  }
  // Only now do chunks grow: into the time that everything that joined leaves over.
  for (size_t i = 0; i < plan.size(); ++i) {
    plan[i].rows += step.Grow(items[plan[i].item], ceilings[i]);
  }
  return plan;
}

}  // namespace antiphon
