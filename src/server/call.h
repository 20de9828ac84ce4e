// The side of a session that faces its client.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "antiphon/status.h"
#include "antiphon/types.h"
#include "conversation/server_event.h"
#include "server/session_inbox.h"

namespace antiphon {

// One gRPC call. What the client says goes into the session's inbox, with Abort when there is no more to be
// said to it. Thread rule: all of it belongs to the session's thread, which also deletes the call, after
// FinishAndWait.
class Call : public EventSink {
 public:
  // Begins to put what the client says into the inbox. Call once, first. What is wrong with a client that has
  // said it all already.
  virtual Status Start() = 0;
  // Instead of Start, for a call that is only to be ended: nothing of what the client says is looked at.
  virtual void StartToEnd() {}
  // The client has hung up before Start. Otherwise the inbox is told.
  virtual bool gone() const { return false; }
  // After an event was taken with resume_reading.
  virtual void ResumeReading() = 0;

  // OK, or what the call has to be ended with because of what it was told to send: RESOURCE_EXHAUSTED for a
  // client that has not read it, for instance. Nothing more is sent from then on.
  virtual Status fault() const = 0;

  // While the client is away, and its session is kept for it: until when. The inbox is woken when this
  // changes.
  virtual std::optional<TimePoint> away_until() const { return std::nullopt; }
  // False while the client has yet to acknowledge something that it has promised to.
  virtual bool settled() const { return true; }

  // Whoever comes for the session from now on comes too late; FinishAndWait with `end` follows.
  virtual void StopResuming(const Status& end) { static_cast<void>(end); }
  // Ends the call: writes what is queued, sends `status` and returns when gRPC is done with the call. A
  // client that reads nothing for `linger`, or takes kLongestLinger times as long altogether, is cut off.
  static constexpr int kLongestLinger = 12;
  virtual void FinishAndWait(const Status& status, std::chrono::milliseconds linger) = 0;
};

// Makes the call of a session with this inbox, which outlives it.
using CallMaker = std::function<std::unique_ptr<Call>(SessionInbox* inbox)>;

}  // namespace antiphon
