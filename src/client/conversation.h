// The Conversation of antiphon/client.h.
#pragma once

#include <grpcpp/channel.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "antiphon/client.h"
#include "client/audio_stream.h"
#include "client/event_queue.h"
#include "client/event_stream.h"
#include "client/wire.h"

namespace antiphon::client {

class StreamConversation final : public Conversation, private StreamSink {
 public:
  // See Client::Open.
  static Result<std::unique_ptr<Conversation>> Open(std::shared_ptr<grpc::Channel> channel,
                                                    const ConversationOptions& options,
                                                    std::chrono::milliseconds* retry_after);
  ~StreamConversation() override;

  Status AppendAudio(std::span<const float> samples) override;
  Status AppendAudio(std::span<const int16_t> samples) override;
  Status AppendOpusPacket(std::string_view packet, std::optional<uint32_t> packet_number) override;
  Status AppendText(const std::string& text) override;
  Status AppendImage(const ImageFile& file) override;
  Status AppendImage(const Image& image) override;
  Status SendVideoFrame(const ImageFile& file) override;
  Status SendVideoFrame(const Image& image) override;
  Status AnswerFunctionCall(const std::string& call_id, const std::string& output, bool respond) override;
  Status Commit() override;
  Status Cancel(std::optional<uint64_t> played_samples) override;
  Status Clear() override;
  Status ReportPlayback(const std::string& response_id, uint64_t played_samples) override;
  Status Update(const SessionSettings& settings) override;
  Status Export() override;
  Status Import(std::string snapshot) override;
  Status FinishInput() override;
  void Close() override;
  Result<Event> NextEvent(std::chrono::nanoseconds timeout) override;
  const Session& session() const override { return session_; }
  const AudioFormat& input_audio() const override { return options_.input_audio; }
  const AudioFormat& output_audio() const override { return options_.output_audio; }

 private:
  StreamConversation(std::shared_ptr<grpc::Channel> channel, const ConversationOptions& options,
                     AudioSender sender, AudioReceiver receiver);

  bool OnEvent(TimePoint received, v1::ServerEvent&& wire) override;
  void OnEnd(const StreamEnd& end) override;

  Status SendSettings(const SessionSettings& settings, bool with_formats);
  // With `speak` and `draw` completed from those in force, if one is set: on the wire they are one setting.
  SessionSettings Completed(SessionSettings settings);
  // Whatever waits already. REQUIRES: sender_mutex_ is held.
  Status SendPackets(Result<std::vector<std::string>> packets);
  // The session, or why there is none.
  Status AwaitSession(std::chrono::milliseconds* retry_after);
  // Decodes and hands on. A failure ends the conversation with that status. The value is OnEvent's.
  Result<bool> Receive(TimePoint received, v1::ServerEvent&& wire);
  // The opening: session_created, then the answer to the SessionUpdate that Open sends. False for other
  // events.
  Result<bool> TakeOpening(WireBody& body);
  bool Deliver(Event event);

  const ConversationOptions options_;
  EventQueue events_;       // self-synchronised
  AudioReceiver receiver_;  // gRPC's threads only
  uint64_t received_ = 0;   // sequence number of the last event; gRPC's threads only
  bool broken_ = false;     // events are no longer understood; gRPC's threads only
  bool finished_ = false;   // Closed was returned; the thread of NextEvent only

  std::mutex sender_mutex_;  // guards sender_ and keeps its packets in order
  AudioSender sender_;

  std::mutex mutex_;  // guards what follows; session_ is constant once accepted_
  std::condition_variable opened_;
  bool created_ = false;   // session_created has come
  bool accepted_ = false;  // and session_updated
  bool closing_ = false;   // Close was called
  Session session_;
  SessionSettings in_force_;      // as the server last said, or as they were asked for since
  Status failure_;                // our own reason to end the conversation
  std::optional<Closed> closed_;  // the end

  const std::unique_ptr<EventStream> stream_;  // last: its destructor waits for the last call to this sink
};

}  // namespace antiphon::client
