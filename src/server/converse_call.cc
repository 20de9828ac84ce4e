#include "server/converse_call.h"

#include <utility>

#include "antiphon/v1/conversation.grpc.pb.h"
#include "common/clock.h"
#include "server/messages.h"

namespace antiphon {

Status ConverseCall::Start() {
  ReadNext();
  return OkStatus();
}

void ConverseCall::ReadNext() {
  reading_.Clear();
  StartRead(&reading_);
}

void ConverseCall::OnReadDone(bool ok) {
  // Before anything else: latency counts from here.
  const TimePoint received = SystemClock::Get().Now();
  if (!ok) {
    inbox_->PushHalfClose();
    return;
  }
  const size_t bytes = reading_.Length();
  v1::ClientEvent message;
  if (!grpc::SerializationTraits<v1::ClientEvent>::Deserialize(&reading_, &message).ok()) {
    inbox_->Abort(InvalidArgument("the message is not a ClientEvent"));
    return;
  }
  // Otherwise gRPC's flow control holds the client back, until the session has caught up.
  if (inbox_->PushClient(FromMessage(std::move(message), received), bytes)) ReadNext();
}

void ConverseCall::Send(ServerEvent event) { Queue(ToMessage(std::move(event))); }

}  // namespace antiphon
