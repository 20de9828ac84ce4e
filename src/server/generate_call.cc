#include "server/generate_call.h"

#include <utility>
#include <variant>
#include <vector>

#include "antiphon/v1/generation.grpc.pb.h"
#include "common/clock.h"
#include "conversation/generation.h"
#include "server/messages.h"

namespace antiphon {

GenerateCall::GenerateCall(grpc::CallbackServerContext* context, grpc::ByteBuffer request,
                           const ModelDescription& model, std::chrono::milliseconds longest_audio,
                           SessionInbox* inbox, size_t max_unread_bytes)
    : WritingCall(context, inbox, max_unread_bytes),
      model_(model),
      longest_audio_(longest_audio),
      received_(SystemClock::Get().Now()),
      request_(std::move(request)) {}

Status GenerateCall::Start() {
  v1::GenerateRequest message;
  const bool read = grpc::SerializationTraits<v1::GenerateRequest>::Deserialize(&request_, &message).ok();
  request_.Clear();
  if (!read) return InvalidArgument("the message is not a GenerateRequest");
  Result<std::vector<ClientEvent>> script =
      ScriptOf(FromMessage(std::move(message)), model_, longest_audio_, received_);
  if (!script.ok()) return script.status();
  for (ClientEvent& event : *script) {
    // There is no reader to be paused.
    static_cast<void>(inbox_->PushClient(std::move(event), 0));
  }
  inbox_->PushHalfClose();
  return OkStatus();
}

void GenerateCall::Send(ServerEvent event) {
  if (!mistake_.ok()) return;
  if (const auto* error = std::get_if<server_event::Error>(&event)) {
    mistake_ = MistakeOf(*error);
  } else if (auto message = ToResponse(std::move(event))) {
    Queue(std::move(*message));
  }
}

Status GenerateCall::fault() const { return mistake_.ok() ? WritingCall::fault() : mistake_; }

}  // namespace antiphon
