#include "server/event_log.h"

#include <grpcpp/impl/codegen/proto_utils.h>

#include <optional>
#include <utility>

namespace antiphon {

void EventLog::Push(v1::ServerEvent event) {
  if (!fault_.ok()) return;
  unread_.Push(std::move(event));
  CheckLimits();
}

void EventLog::CheckLimits() {
  if (unread_.bytes() > limits_.unread_bytes) {
    fault_ = ResourceExhausted("the client does not read what it is sent: over " +
                               std::to_string(limits_.unread_bytes) + " bytes wait");
  } else if (keeps_ && kept_.size() + unread_.size() > limits_.kept_events) {
    fault_ = ResourceExhausted("the client does not acknowledge what it is sent: over " +
                               std::to_string(limits_.kept_events) + " events are kept");
  } else if (keeps_ && kept_bytes_ + unread_.bytes() > limits_.kept_bytes) {
    fault_ = ResourceExhausted("the client does not acknowledge what it is sent: over " +
                               std::to_string(limits_.kept_bytes) + " bytes are kept");
  }
  if (!fault_.ok()) Clear();
}

void EventLog::DropMedia(const std::string& response_id) { unread_.DropMedia(response_id); }

bool EventLog::Next(grpc::ByteBuffer* event) {
  if (to_write_ < kept_.size()) {
    *event = kept_[to_write_++].event;  // shares the bytes
    return true;
  }
  std::optional<v1::ServerEvent> next = unread_.Pop();
  if (!next) return false;
  // Numbered last of all: what was dropped leaves no gap.
  next->set_sequence_number(++last_number_);
  event->Clear();  // a buffer must be empty to be written to
  bool own_buffer = false;
  const grpc::Status serialised =
      grpc::SerializationTraits<v1::ServerEvent>::Serialize(*next, event, &own_buffer);
  if (!serialised.ok()) {
    fault_ = Internal("an event could not be written: " + serialised.error_message());
    Clear();
    return false;
  }
  if (!keeps_) {
    last_forgotten_ = last_number_;
    return true;
  }
  kept_bytes_ += event->Length();
  kept_.push_back({last_number_, *event, event->Length()});
  to_write_ = kept_.size();
  return true;
}

Status EventLog::Acknowledge(uint64_t number) {
  if (number > last_number_) {
    return OutOfRange("last_event_number is " + std::to_string(number) + ", must be at most " +
                      std::to_string(last_number_) + ": no further event was sent");
  }
  while (!kept_.empty() && kept_.front().number <= number) {
    kept_bytes_ -= kept_.front().bytes;
    last_forgotten_ = kept_.front().number;
    kept_.pop_front();
    if (to_write_ > 0) --to_write_;
  }
  return OkStatus();
}

Status EventLog::Rewind(uint64_t number) {
  if (number < last_forgotten_ || number > last_number_) {
    return OutOfRange("last_event_number is " + std::to_string(number) + ", must be " +
                      std::to_string(last_forgotten_) + " to " + std::to_string(last_number_));
  }
  if (Status status = Acknowledge(number); !status.ok()) return status;
  to_write_ = 0;
  return OkStatus();
}

void EventLog::Clear() {
  unread_.Clear();
  kept_.clear();
  kept_bytes_ = 0;
  to_write_ = 0;
  last_forgotten_ = last_number_;
}

}  // namespace antiphon
