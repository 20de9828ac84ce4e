// Which work goes into the next step: a pure function of what is waiting, what it costs and the time.
//
// A step cannot be interrupted and its results come at its end, so whatever joins it delays everything in it.
// Work is taken earliest deadline first, as long as the step still ends before the first deadline within it,
// and in three ranks:
//
//   first audio   a turn has ended and its first frame is not out: the silence the user is waiting in
//   due           a frame just heard, a voice about to run out of sound, best-effort work that has waited too
//                 long, bulk work that has waited far too long
//   may wait      a voice far ahead of its playback, text and bulk work
//
// A lower rank may lengthen the step of a higher one only by `stretch`, except work that another step's wait
// would make late. Every item's deadline is at most a fixed time after it became ready, or,
// of a voice, when its sound runs out: so nothing starves.
//
// PlannerLimits::by_deadline set to false plans first come, first served instead, for comparison: one rank,
// in the order in which work became ready, deadlines not looked at; the limits of a step are the same.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/clock.h"
#include "engine/cost_model.h"

namespace antiphon {

enum class WorkKind : uint8_t {
  kFirstAudio,
  kTimed,
  kBestEffort,  // a conversation's work that nobody hears
  kBulk,        // of a sequence that nobody is talking to: runs in the time that others leave
};

// Others have an age only.
inline bool HasDeadline(WorkKind kind) { return kind == WorkKind::kFirstAudio || kind == WorkKind::kTimed; }

// Work of one sequence that could run now.
struct WorkItem {
  int64_t sequence = 0;  // the caller's name for it; breaks ties
  WorkKind kind = WorkKind::kBestEffort;
  TimePoint ready{};       // since when it waits
  TimePoint deadline{};    // if HasDeadline(kind)
  TimePoint promised{};    // if that is later: of what came late, when it is late in turn
  int64_t rows = 1;        // positions ready; any first part of them may be taken
  int64_t least_rows = 1;  // ... but no fewer than this: positions that only make sense together
  bool hears = false;      // a frame must be encoded for it
  bool speaks = false;     // a frame is drawn and decoded
  int64_t context = 0;     // positions before the first of the rows, all of which they read
};

struct PlannerLimits {
  int64_t max_rows = 128;
  Nanoseconds max_step =
      std::chrono::milliseconds(40);  // of predicted time: what new urgent work may have to wait
  Nanoseconds patience = std::chrono::milliseconds(200);  // best-effort work is due after this
  // Bulk work may after `patience` fill a step up to the first deadline in it, and is due only after this.
  Nanoseconds longest_wait = std::chrono::seconds(2);
  Nanoseconds far_ahead = std::chrono::milliseconds(800);  // timed work with more slack than this may wait
  double stretch = 1.25;
  bool by_deadline = true;
};

// A part of the plan: `rows` positions of items[item].
struct PlannedWork {
  size_t item = 0;
  int64_t rows = 0;

  friend bool operator==(const PlannedWork&, const PlannedWork&) = default;
};

// The next step, most urgent first. Empty only if `items` is. The most urgent item is always in it, whatever
// it costs. REQUIRES: 1 <= least_rows <= rows for all items, least_rows <= max_rows.
std::vector<PlannedWork> PlanStep(std::span<const WorkItem> items, const StepCost& cost,
                                  const PlannerLimits& limits, TimePoint now);

}  // namespace antiphon
