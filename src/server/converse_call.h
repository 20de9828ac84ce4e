// One Converse call: gRPC's side of a session.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <cstddef>

#include "antiphon/v1/conversation.pb.h"
#include "server/writing_call.h"

namespace antiphon {

// Reads into the inbox and writes what it is told to send. Messages are read as bytes: a generated reader
// cannot tell one that is no ClientEvent from a half-close. Thread rule: as WritingCall.
class ConverseCall final
    : public WritingCall<grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>, v1::ServerEvent> {
 public:
  using Reactor = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;

  // See WritingCall.
  ConverseCall(grpc::CallbackServerContext* context, SessionInbox* inbox, size_t max_unread_bytes)
      : WritingCall(context, inbox, max_unread_bytes) {}

  Status Start() override;
  void ResumeReading() override { ReadNext(); }
  void Send(ServerEvent event) override;

 private:
  void OnReadDone(bool ok) override;
  void ReadNext();

  grpc::ByteBuffer reading_;  // owned by gRPC between StartRead and OnReadDone
};

}  // namespace antiphon
