// One stream of a conversation: a Converse call, or a Resume call that goes on with one.
#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>

#include "antiphon/types.h"

namespace antiphon {

class ConverseCall;
class ResumableCalls;

//              ┌──(Converse)──────────────────────────┐
//   new ──(Resume: its first event)── waiting ──(Attach)──> attached ──(End)──> ending ──(OnDone)──> freed
//                                        └──(no event in time, or not the right one)──^
//
// Messages are read as bytes: a generated reader cannot tell one that is no ClientEvent from a half-close.
// Frees itself when gRPC is done with it; its call, once it has one, outlives that. Thread-safe; may be
// called under the call's lock, and never calls the call under its own.
class ConverseStream final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  // Of `call`, which begins to read. Until gRPC has it, its owner frees it.
  ConverseStream(grpc::CallbackServerContext* context, ConverseCall* call) : context_(context), call_(call) {}
  // Waits for a Resume of one of `calls`, which outlive it. Counts as waiting there; REQUIRES: BeginWaiting.
  ConverseStream(grpc::CallbackServerContext* context, ResumableCalls* calls,
                 std::chrono::milliseconds patience);

  // From now on it belongs to `call`. Once, of a Resume call.
  void AttachTo(ConverseCall* call);
  // The client is gone, whatever gRPC has still to say of it.
  bool broken() const { return broken_.load(); }

  // One at a time; the call is told what has come.
  void Read();
  // REQUIRES: !writing(). Nothing after End.
  void Write(grpc::ByteBuffer message);
  bool writing() const;

  // Behind the write under way. The first call counts.
  void End(grpc::Status status);
  // `status` is the end of the session, which the client is told.
  void EndSession(grpc::Status status);
  // Cuts the client off.
  void Cancel() { context_->TryCancel(); }

 private:
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  // The first event of a Resume call.
  void TakeResume();
  void Release();

  grpc::CallbackServerContext* const context_;
  ResumableCalls* const calls_ = nullptr;  // nullptr: a Converse call
  std::atomic<ConverseCall*> call_{nullptr};
  std::atomic<bool> broken_{false};
  std::atomic<int> uses_{1};  // gRPC's, and the alarm's
  grpc::Alarm patience_;
  grpc::ByteBuffer reading_;  // owned by gRPC between StartRead and OnReadDone

  mutable std::mutex mutex_;   // guards what follows
  grpc::ByteBuffer outgoing_;  // owned by gRPC while writing_
  bool writing_ = false;
  bool ended_ = false;  // Finish was called
  std::optional<grpc::Status> end_;
};

}  // namespace antiphon
