// The client of a conversation, on one stream after the other.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "antiphon/types.h"
#include "antiphon/v1/conversation.pb.h"
#include "server/call.h"
#include "server/converse_stream.h"
#include "server/event_log.h"
#include "server/resumable_calls.h"
#include "server/server_options.h"
#include "server/session_metrics.h"

namespace antiphon {

//                      ┌──────(Attach: the old stream is ended)──────┐
//   attached ──(the stream breaks, the client acknowledges)──> detached ──(Attach)──> attached
//       └──(it breaks, the client does not)──> gone                └──(away_until)──> given up by the session
//
// Reads into the inbox and writes what it is told to send; what it was told stays in the log while there is
// no stream, or until the client has acknowledged it. Thread rule: as Call; streams call from gRPC's threads.
class ConverseCall final : public Call {
 public:
  using Reactor = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;

  // All but `options` outlive the call.
  ConverseCall(grpc::CallbackServerContext* context, SessionInbox* inbox, const ServerOptions& options,
               ResumableCalls& calls, SessionMetrics& metrics);

  // The stream it begins with. Freed with the call unless it was started, which a call that gRPC has been
  // given is owed.
  Reactor* reactor() { return first_.get(); }

  Status Start() override;
  void StartToEnd() override;
  bool gone() const override { return first_ != nullptr && first_->broken(); }
  void ResumeReading() override;
  void Send(ServerEvent event) override;
  void DropMedia(const std::string& response_id) override;
  Status fault() const override;
  std::optional<TimePoint> away_until() const override;
  bool settled() const override;
  void StopResuming(const Status& end) override;
  void FinishAndWait(const Status& status, std::chrono::milliseconds linger) override;

  // A client has asked for it to be kept, and it has not ended.
  bool resumable() const;
  // What ResumableCalls does, under its lock. The stream takes the place of the one there was. OUT_OF_RANGE
  // when the event after `last_event_number` is not kept.
  Status Attach(ConverseStream* stream, uint64_t last_event_number);

  // What streams tell; one that is not the present one has nothing to say.
  void OnRead(ConverseStream* stream, TimePoint received, grpc::ByteBuffer* bytes);
  void OnReadsDone(ConverseStream* stream);
  void OnWritten(ConverseStream* stream, bool ok);
  void OnBroken(ConverseStream* stream);
  // The stream will be freed.
  void OnStreamDone(ConverseStream* stream);

 private:
  // All of these: caller holds mutex_.
  // False: the reader pauses.
  bool Take(v1::ClientEvent message, TimePoint received, size_t bytes);
  void Take(const v1::Acknowledge& acknowledge, const std::string& event_id);
  void Refuse(Status mistake, std::string field, const std::string& event_id);
  void CountInput(size_t bytes);
  void Tell(v1::ServerEvent event);
  void Pump();
  void Break(ConverseStream* stream);
  // It is not detached any more.
  void EndAbsence();

  SessionInbox* const inbox_;
  const std::chrono::milliseconds grace_;
  const std::string token_;  // empty: never to be resumed
  ResumableCalls& calls_;
  SessionMetrics& metrics_;
  std::unique_ptr<ConverseStream> first_;  // until Start

  mutable std::mutex mutex_;
  std::condition_variable done_changed_;
  // Guarded by mutex_.
  EventLog log_;
  ConverseStream* current_ = nullptr;
  std::vector<ConverseStream*> streams_;     // that gRPC is not done with
  std::optional<v1::ServerEvent> greeting_;  // SessionResumed, to be written before the log
  std::optional<TimePoint> away_until_;      // without a stream
  bool reading_paused_ = false;
  uint64_t client_events_ = 0;  // taken
  uint64_t told_events_ = 0;    // of them told in InputAcknowledged
  size_t untold_bytes_ = 0;
  bool finished_ = false;      // the client has sent Finish
  uint64_t writes_ = 0;        // finished
  std::optional<Status> end_;  // FinishAndWait was called
};

}  // namespace antiphon
