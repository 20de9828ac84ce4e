#include "server/resumable_calls.h"

#include <unistd.h>

#include <array>

#include "common/clock.h"
#include "server/converse_call.h"
#include "server/converse_stream.h"
#include "server/grpc_status.h"

namespace antiphon {
namespace {

constexpr size_t kMaxEnded = 256;

// The same for every reason: it says nothing about whether there ever was such a session.
Status NoSuchSession() { return NotFound("there is no session to resume with this token"); }

}  // namespace

Result<std::string> ResumableCalls::NewToken() {
  std::array<unsigned char, 16> random;
  if (getentropy(random.data(), random.size()) != 0) {
    return ResourceExhausted("the system gives no random numbers for a resume token");
  }
  constexpr char kDigits[] = "0123456789abcdef";
  std::string token;
  for (const unsigned char byte : random) {
    token += kDigits[byte >> 4];
    token += kDigits[byte & 15];
  }
  return token;
}

void ResumableCalls::Add(const std::string& token, ConverseCall* call) {
  const std::lock_guard lock(mutex_);
  calls_.emplace(token, call);
}

void ResumableCalls::Remove(const std::string& token, const std::optional<Status>& end,
                            std::chrono::milliseconds time) {
  const std::lock_guard lock(mutex_);
  calls_.erase(token);
  if (!end) return;
  if (ended_.size() >= kMaxEnded) ended_.pop_front();
  ended_.push_back({token, *end, SystemClock::Get().Now() + time});
}

bool ResumableCalls::BeginWaiting() {
  const std::lock_guard lock(counts_mutex_);
  if (waiting_ >= max_waiting_) return false;
  ++waiting_;
  return true;
}

void ResumableCalls::EndWaiting() {
  const std::lock_guard lock(counts_mutex_);
  --waiting_;
}

Status ResumableCalls::Attach(const std::string& token, uint64_t last_event_number, ConverseStream* stream) {
  const std::lock_guard lock(mutex_);
  {
    const std::lock_guard counts_lock(counts_mutex_);
    if (closed_) return Unavailable("the server is stopping");
  }
  for (const Ended& ended : ended_) {
    if (ended.token != token || SystemClock::Get().Now() >= ended.until) continue;
    stream->EndSession(ToGrpc(ended.end));
    return OkStatus();
  }
  const auto found = calls_.find(token);
  if (found == calls_.end() || !found->second->resumable()) return NoSuchSession();
  return found->second->Attach(stream, last_event_number);
}

bool ResumableCalls::Detach() {
  const std::lock_guard lock(counts_mutex_);
  if (closed_ || detached_ >= max_detached_) return false;
  ++detached_;
  return true;
}

void ResumableCalls::Return() {
  const std::lock_guard lock(counts_mutex_);
  --detached_;
}

void ResumableCalls::Close() {
  const std::lock_guard lock(counts_mutex_);
  closed_ = true;
}

}  // namespace antiphon
