// A stream that survives its connection: one call after the other on the same session of the server.
#pragma once

#include <grpcpp/channel.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "antiphon/client.h"
#include "client/event_stream.h"
#include "client/stream.h"

namespace antiphon::client {

//   open ──(the call ends without the session's end)──> lost ──(backoff, Resume)──> open
//     └──(the session ends, or Cancel)──> over <──(attempts or time are used up)──┘
//
// What was sent is kept until the server says that it has it; what has come is acknowledged now and then. See
// the head of conversation.proto. Before the server has given a token it is a Stream like any other.
class ResumingStream final : public EventStream, private StreamSink {
 public:
  // `sink` must outlive the stream. `wait_for_place`: as of Stream.
  ResumingStream(std::shared_ptr<grpc::Channel> channel, StreamSink* sink, size_t max_queued_bytes,
                 const ResumeOptions& options, std::chrono::milliseconds wait_for_place);
  // As Cancel, and waits.
  ~ResumingStream() override;

  void Start() override;
  Status Ready(Room room) override;
  Status Send(v1::ClientEvent event, Room room) override;
  void FinishWriting() override;
  void ReadOn() override;
  // Tells the server that the session is over, if that takes no longer than half a second.
  void Cancel() override;

 private:
  // Of the present call.
  bool OnEvent(TimePoint received, v1::ServerEvent&& event) override;
  void OnEnd(const StreamEnd& end) override;

  void Run();
  void Reconnect(std::unique_lock<std::mutex>* lock);
  // Cancels the present call, without the lock.
  void CancelCall(std::unique_lock<std::mutex>* lock);

  // All of these: caller holds mutex_.
  bool keeps() const { return !created_ || !token_.empty(); }
  Status Check(Room room) const;
  void Keep(v1::ClientEvent event);
  bool MayResume() const;
  void OnCreated(const v1::SessionCreated& created);
  void OnResumed(uint64_t taken);
  // The server has the client's first `taken` events. False if that cannot be.
  bool Forget(uint64_t taken);
  void Acknowledge();

  const std::shared_ptr<grpc::Channel> channel_;
  StreamSink* const sink_;
  const size_t max_queued_bytes_;
  const ResumeOptions options_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::unique_ptr<Stream> stream_;  // the present call; none while the thread makes the next
  bool connected_ = false;          // it may be sent to
  std::optional<StreamEnd> end_;    // of it
  bool closing_ = false;            // Cancel was called
  bool told_ = false;               // the server was told so
  bool finished_ = false;           // FinishWriting was called
  bool over_ = false;
  std::optional<grpc::Status> fault_;  // the server's count is impossible

  // Of the session.
  bool created_ = false;
  std::string token_;
  std::chrono::milliseconds grace_{0};

  // Sent or to be sent, and not known to have come: events number taken_ + 1 and on.
  std::deque<v1::ClientEvent> kept_;
  size_t kept_bytes_ = 0;
  uint64_t taken_ = 0;

  uint64_t last_event_ = 0;          // that came
  uint64_t acknowledged_event_ = 0;  // that the server was told of
  size_t unacknowledged_bytes_ = 0;  // that came since

  int attempts_ = 0;   // since an event has come
  TimePoint lost_at_;  // when there was a connection last
  std::string loss_;   // why there is none

  std::thread thread_;  // reconnects, and tells the end
};

}  // namespace antiphon::client
