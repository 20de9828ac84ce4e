// One Generate call: gRPC's side of a session whose client has said everything at once.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <chrono>
#include <cstddef>

#include "antiphon/types.h"
#include "antiphon/v1/generation.pb.h"
#include "server/writing_call.h"

namespace antiphon {

// Plays the request as a conversation of one turn, and tells the client what that has of a response. The
// request is read as bytes: gRPC ends a call whose message it cannot read as one that is not implemented.
// Thread rule: as WritingCall.
class GenerateCall final : public WritingCall {
 public:
  // See WritingCall. `model` outlives the call; recordings may be `longest_audio` long together.
  GenerateCall(grpc::CallbackServerContext* context, grpc::ByteBuffer request, const ModelDescription& model,
               std::chrono::milliseconds longest_audio, SessionInbox* inbox, size_t max_unread_bytes);

  Status Start() override;
  void ResumeReading() override {}  // all is read
  void Send(ServerEvent event) override;
  Status fault() const override;

 private:
  const ModelDescription& model_;
  const std::chrono::milliseconds longest_audio_;
  const TimePoint received_;

  // Session's thread.
  grpc::ByteBuffer request_;  // until Start
  Status mistake_;            // in the request, as the conversation found it
};

}  // namespace antiphon
