// The conversations of a server that a client may come back to.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "antiphon/status.h"
#include "antiphon/types.h"

namespace antiphon {

class ConverseCall;
class ConverseStream;

// Which call belongs to which token, and how many are without a stream. Thread-safe. Add, Remove and Attach
// are not to be called under a call's lock, which Attach takes.
class ResumableCalls {
 public:
  // At most `max_detached` calls may be without a stream, and `max_waiting` streams without a call.
  ResumableCalls(size_t max_detached, size_t max_waiting)
      : max_detached_(max_detached), max_waiting_(max_waiting) {}

  // 128 bits of the system's random numbers in hexadecimal. RESOURCE_EXHAUSTED when it gives none.
  static Result<std::string> NewToken();

  void Add(const std::string& token, ConverseCall* call);
  // Nobody finds the call any more. It may be freed then. With an `end`, streams that come for it within
  // `time` are ended with that, as far as the latest 256 go.
  void Remove(const std::string& token, const std::optional<Status>& end, std::chrono::milliseconds time);

  // A Resume call has come, which has not said yet what it wants. False when too many have.
  bool BeginWaiting();
  void EndWaiting();

  // Gives the stream to the call of this token, or ends it with the end of that. What ConverseCall::Attach
  // says; NOT_FOUND when there is none, UNAVAILABLE after Close.
  Status Attach(const std::string& token, uint64_t last_event_number, ConverseStream* stream);

  // A call is without a stream from now on, until Return. False when that cannot be.
  bool Detach();
  void Return();

  // From now on no call may be without a stream or get another one.
  void Close();

 private:
  struct Ended {
    std::string token;
    Status end;
    TimePoint until;  // it is remembered
  };

  const size_t max_detached_;
  const size_t max_waiting_;

  std::mutex mutex_;  // guards what follows
  std::unordered_map<std::string, ConverseCall*> calls_;
  std::deque<Ended> ended_;  // in this order

  std::mutex counts_mutex_;  // guards what follows; taken last
  size_t detached_ = 0;
  size_t waiting_ = 0;
  bool closed_ = false;
};

}  // namespace antiphon
