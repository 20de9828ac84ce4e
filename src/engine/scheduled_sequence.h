// What the engine's loop runs steps of.
#pragma once

#include <cstdint>
#include <optional>

#include "antiphon/status.h"
#include "engine/kv_pages.h"
#include "engine/planner.h"
#include "engine/step.h"

namespace antiphon {

// Engine's thread only.
class ScheduledSequence {
 public:
  virtual ~ScheduledSequence() = default;

  // It can be destroyed: nobody waits for anything of it.
  virtual bool closed() const = 0;

  // Takes over what was asked of it and carries out what needs no step.
  virtual void TakeRequests() = 0;

  // What could run now.
  virtual std::optional<WorkItem> NextWork() const = 0;

  // What NextWork() tells of can be done without, and its pages are not worth anybody else's.
  virtual bool expendable() const = 0;

  // Makes room for `rows` more positions; see PageTable::Reserve. May throw what the two throw; the step must
  // then not be run, but FailStep called.
  [[nodiscard]] virtual bool Reserve(int64_t rows, const PageCopier& copy, const GapCloser& close) = 0;

  // The item that runs `rows` of NextWork(). Changes nothing: the step may fail, or be tried again.
  virtual StepItem BeginStep(int64_t rows) const = 0;
  // Takes the results over.
  virtual void FinishStep(StepItem item) = 0;
  // The step came to nothing.
  virtual void FailStep(const Status& error) = 0;
};

}  // namespace antiphon
