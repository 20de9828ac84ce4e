#include "client/conversation.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "client/grpc_status.h"
#include "client/resuming_stream.h"
#include "client/stream.h"
#include "client/wire.h"

namespace antiphon::client {
namespace {

// Enough for every event of a long answer; more than that and the server is told to wait.
constexpr size_t kEventCapacity = 4096;
constexpr size_t kMaxTextBytes = 4000;
constexpr size_t kMaxCallIdBytes = 64;
constexpr size_t kMaxOpusPacketBytes = 64 * 1024;
constexpr size_t kMaxImageBytes = 3 * 1024 * 1024;
constexpr int kMaxImageSide = 8192;
// What waits for the server to say that it has come: it does so after 128 KiB.
constexpr size_t kLeastQueueToResume = 1 << 20;

// Of an ImageAppend or a VideoFrame.
template <typename Message>
Status Fill(const ImageFile& file, Message* message) {
  if (file.bytes.empty() || file.bytes.size() > kMaxImageBytes) {
    return InvalidArgument("the picture has " + std::to_string(file.bytes.size()) +
                           " bytes, must have 1 to " + std::to_string(kMaxImageBytes));
  }
  message->set_data(file.bytes);
  message->set_media_type(file.media_type);
  return OkStatus();
}

template <typename Message>
Status Fill(const Image& image, Message* message) {
  const bool sides =
      image.width >= 1 && image.height >= 1 && image.width <= kMaxImageSide && image.height <= kMaxImageSide;
  if (!sides || image.rgb.size() > kMaxImageBytes ||
      image.rgb.size() != 3 * static_cast<size_t>(image.width) * static_cast<size_t>(image.height)) {
    return InvalidArgument("a picture of " + std::to_string(image.width) + " x " +
                           std::to_string(image.height) + " pixels and " + std::to_string(image.rgb.size()) +
                           " bytes; sides must be 1 to 8192, bytes 3 a pixel and at most " +
                           std::to_string(kMaxImageBytes));
  }
  message->set_data(image.rgb.data(), image.rgb.size());
  message->set_media_type("image/x-rgb");
  message->set_width(static_cast<uint32_t>(image.width));
  message->set_height(static_cast<uint32_t>(image.height));
  return OkStatus();
}

std::unique_ptr<EventStream> MakeStream(std::shared_ptr<grpc::Channel> channel,
                                        const ConversationOptions& options, StreamSink* sink) {
  if (options.resume) {
    return std::make_unique<ResumingStream>(std::move(channel), sink, options.max_queued_bytes,
                                            *options.resume, options.wait_for_place);
  }
  return std::make_unique<Stream>(std::move(channel), sink, options.max_queued_bytes,
                                  Stream::Method::kConverse, options.wait_for_place);
}

Status CheckResume(const ConversationOptions& options) {
  if (!options.resume) return OkStatus();
  if (options.max_queued_bytes < kLeastQueueToResume) {
    return InvalidArgument("max_queued_bytes is " + std::to_string(options.max_queued_bytes) +
                           ", must be at least " + std::to_string(kLeastQueueToResume) + " with resume");
  }
  const ResumeOptions& resume = *options.resume;
  if (resume.max_attempts < 1 || resume.first_backoff.count() < 0 ||
      resume.max_backoff < resume.first_backoff || resume.attempt_timeout.count() < 1) {
    return InvalidArgument(
        "resume: max_attempts and attempt_timeout must be at least 1, first_backoff 0 to max_backoff");
  }
  return OkStatus();
}

}  // namespace

Result<std::unique_ptr<Conversation>> StreamConversation::Open(std::shared_ptr<grpc::Channel> channel,
                                                               const ConversationOptions& options,
                                                               std::chrono::milliseconds* retry_after) {
  if (Status status = CheckFormat(options.input_audio, "input_audio"); !status.ok()) return status;
  if (Status status = CheckFormat(options.output_audio, "output_audio"); !status.ok()) return status;
  if (Status status = CheckWaitForPlace(options.wait_for_place); !status.ok()) return status;
  if (Status status = CheckResume(options); !status.ok()) return status;
  Result<AudioSender> sender = AudioSender::Create(options.input_audio);
  if (!sender.ok()) return sender.status();
  Result<AudioReceiver> receiver = AudioReceiver::Create(options.output_audio);
  if (!receiver.ok()) return receiver.status();
  std::unique_ptr<StreamConversation> conversation(
      new StreamConversation(std::move(channel), options, std::move(*sender), std::move(*receiver)));
  conversation->stream_->Start();
  // A call that is refused at once cannot be sent to; AwaitSession knows why.
  (void)conversation->SendSettings(options.settings, /*with_formats=*/true);
  if (Status status = conversation->AwaitSession(retry_after); !status.ok()) return status;
  return std::unique_ptr<Conversation>(std::move(conversation));
}

StreamConversation::StreamConversation(std::shared_ptr<grpc::Channel> channel,
                                       const ConversationOptions& options, AudioSender sender,
                                       AudioReceiver receiver)
    : options_(options),
      events_(kEventCapacity),
      receiver_(std::move(receiver)),
      sender_(std::move(sender)),
      stream_(MakeStream(std::move(channel), options, this)) {}

StreamConversation::~StreamConversation() {
  Close();
  if (events_.Discard()) stream_->ReadOn();
}

Status StreamConversation::AwaitSession(std::chrono::milliseconds* retry_after) {
  std::unique_lock lock(mutex_);
  const std::chrono::milliseconds longest = options_.open_timeout + options_.wait_for_place;
  opened_.wait_for(lock, longest, [this] { return accepted_ || closed_; });
  if (accepted_) return OkStatus();
  if (!closed_) {
    return DeadlineExceeded("the server did not accept the session within " +
                            std::to_string(longest.count()) + " ms");
  }
  if (retry_after != nullptr && closed_->retry_after) *retry_after = *closed_->retry_after;
  if (closed_->status.ok()) return Unavailable("the server ended the call without accepting the session");
  return closed_->status;
}

// ---- Sending

Status StreamConversation::SendSettings(const SessionSettings& settings, bool with_formats) {
  v1::ClientEvent event;
  v1::SessionConfig* config = event.mutable_session_update()->mutable_config();
  ToWire(settings, config);
  if (with_formats) {
    ToWire(options_.input_audio, config->mutable_input_audio());
    config->mutable_input_audio()->clear_expected_loss_percent();  // for the encoder here
    ToWire(options_.output_audio, config->mutable_output_audio());
  }
  return stream_->Send(std::move(event), EventStream::Room::kSignal);
}

Status StreamConversation::SendPackets(Result<std::vector<std::string>> packets) {
  if (!packets.ok()) return packets.status();
  for (std::string& packet : *packets) {
    v1::ClientEvent event;
    *event.mutable_audio_append()->mutable_audio() = std::move(packet);
    if (Status status = stream_->Send(std::move(event), EventStream::Room::kGranted); !status.ok())
      return status;
  }
  return OkStatus();
}

Status StreamConversation::AppendAudio(std::span<const float> samples) {
  const std::lock_guard lock(sender_mutex_);
  if (Status status = stream_->Ready(EventStream::Room::kInput); !status.ok()) return status;
  return SendPackets(sender_.Pack(samples));
}

Status StreamConversation::AppendAudio(std::span<const int16_t> samples) {
  std::vector<float> floats(samples.size());
  std::ranges::transform(samples, floats.begin(), [](int16_t x) { return static_cast<float>(x) / 32768.0f; });
  return AppendAudio(std::span<const float>(floats));
}

Status StreamConversation::AppendOpusPacket(std::string_view packet, std::optional<uint32_t> packet_number) {
  if (options_.input_audio.encoding != AudioEncoding::kOpus) {
    return FailedPrecondition("input_audio of this conversation is not Opus");
  }
  if (packet.empty() || packet.size() > kMaxOpusPacketBytes) {
    return InvalidArgument("the Opus packet has " + std::to_string(packet.size()) +
                           " bytes, must have 1 to " + std::to_string(kMaxOpusPacketBytes));
  }
  v1::ClientEvent event;
  event.mutable_audio_append()->set_audio(packet.data(), packet.size());
  if (packet_number) event.mutable_audio_append()->set_packet_number(*packet_number);
  const std::lock_guard lock(sender_mutex_);  // in order with the commit
  return stream_->Send(std::move(event), EventStream::Room::kInput);
}

Status StreamConversation::AppendText(const std::string& text) {
  if (text.empty() || text.size() > kMaxTextBytes) {
    return InvalidArgument("the text has " + std::to_string(text.size()) + " bytes, must have 1 to " +
                           std::to_string(kMaxTextBytes));
  }
  v1::ClientEvent event;
  event.mutable_text_append()->set_text(text);
  return stream_->Send(std::move(event), EventStream::Room::kInput);
}

Status StreamConversation::AppendImage(const ImageFile& file) {
  v1::ClientEvent event;
  if (Status status = Fill(file, event.mutable_image_append()); !status.ok()) return status;
  return stream_->Send(std::move(event), EventStream::Room::kInput);
}

Status StreamConversation::AppendImage(const Image& image) {
  v1::ClientEvent event;
  if (Status status = Fill(image, event.mutable_image_append()); !status.ok()) return status;
  return stream_->Send(std::move(event), EventStream::Room::kInput);
}

Status StreamConversation::SendVideoFrame(const ImageFile& file) {
  v1::ClientEvent event;
  if (Status status = Fill(file, event.mutable_video_frame()); !status.ok()) return status;
  return stream_->Send(std::move(event), EventStream::Room::kInput);
}

Status StreamConversation::SendVideoFrame(const Image& image) {
  v1::ClientEvent event;
  if (Status status = Fill(image, event.mutable_video_frame()); !status.ok()) return status;
  return stream_->Send(std::move(event), EventStream::Room::kInput);
}

Status StreamConversation::AnswerFunctionCall(const std::string& call_id, const std::string& output,
                                              bool respond) {
  if (call_id.empty() || call_id.size() > kMaxCallIdBytes) {
    return InvalidArgument("the call_id has " + std::to_string(call_id.size()) + " bytes, must have 1 to 64");
  }
  if (output.empty() || output.size() > kMaxTextBytes) {
    return InvalidArgument("the output has " + std::to_string(output.size()) + " bytes, must have 1 to " +
                           std::to_string(kMaxTextBytes));
  }
  v1::ClientEvent event;
  event.mutable_function_call_output()->set_call_id(call_id);
  event.mutable_function_call_output()->set_output(output);
  event.mutable_function_call_output()->set_respond(respond);
  return stream_->Send(std::move(event), EventStream::Room::kInput);
}

Status StreamConversation::Commit() {
  const std::lock_guard lock(sender_mutex_);
  // Before the rest of the audio is let go: without its commit it would have to be kept.
  if (Status status = stream_->Ready(EventStream::Room::kSignal); !status.ok()) return status;
  if (Status status = SendPackets(sender_.Flush()); !status.ok()) return status;
  v1::ClientEvent event;
  event.mutable_commit();
  return stream_->Send(std::move(event), EventStream::Room::kGranted);
}

Status StreamConversation::Cancel(std::optional<uint64_t> played_samples) {
  v1::ClientEvent event;
  v1::Cancel* cancel = event.mutable_cancel();
  if (played_samples) cancel->set_played_samples(*played_samples);
  return stream_->Send(std::move(event), EventStream::Room::kSignal);
}

Status StreamConversation::Clear() {
  const std::lock_guard lock(sender_mutex_);
  v1::ClientEvent event;
  event.mutable_clear();
  if (Status status = stream_->Send(std::move(event), EventStream::Room::kSignal); !status.ok())
    return status;
  sender_.Drop();
  return OkStatus();
}

Status StreamConversation::ReportPlayback(const std::string& response_id, uint64_t played_samples) {
  v1::ClientEvent event;
  event.mutable_playback_position()->set_response_id(response_id);
  event.mutable_playback_position()->set_played_samples(played_samples);
  return stream_->Send(std::move(event), EventStream::Room::kInput);
}

Status StreamConversation::Update(const SessionSettings& settings) {
  return SendSettings(Completed(settings), /*with_formats=*/false);
}

Status StreamConversation::Export() {
  v1::ClientEvent event;
  event.mutable_export_session();
  return stream_->Send(std::move(event), EventStream::Room::kSignal);
}

Status StreamConversation::Import(std::string snapshot) {
  v1::ClientEvent event;
  event.mutable_import_session()->set_snapshot(std::move(snapshot));
  return stream_->Send(std::move(event), EventStream::Room::kInput);
}

SessionSettings StreamConversation::Completed(SessionSettings settings) {
  if (!settings.speak && !settings.draw) return settings;
  const std::lock_guard lock(mutex_);
  if (!settings.speak) settings.speak = in_force_.speak;
  if (!settings.draw) settings.draw = in_force_.draw;
  in_force_.speak = settings.speak;
  in_force_.draw = settings.draw;
  return settings;
}

Status StreamConversation::FinishInput() {
  const std::lock_guard lock(sender_mutex_);
  if (Status status = SendPackets(sender_.Flush()); !status.ok()) return status;
  stream_->FinishWriting();
  return OkStatus();
}

void StreamConversation::Close() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  stream_->Cancel();
}

// ---- Receiving

Result<Event> StreamConversation::NextEvent(std::chrono::nanoseconds timeout) {
  if (options_.listener) return FailedPrecondition("events go to the listener");
  if (finished_) return FailedPrecondition("the conversation is over");
  EventQueue::Popped popped = events_.Pop(timeout);
  if (popped.resume) stream_->ReadOn();
  if (!popped.event) return DeadlineExceeded("no event came in time");
  finished_ = std::holds_alternative<Closed>(popped.event->body);
  return std::move(*popped.event);
}

bool StreamConversation::OnEvent(TimePoint received, v1::ServerEvent&& wire) {
  if (broken_) return true;  // read on, so that the call can end
  Result<bool> more = Receive(received, std::move(wire));
  if (more.ok()) return *more;
  broken_ = true;
  {
    const std::lock_guard lock(mutex_);
    failure_ = more.status();
  }
  stream_->Cancel();
  return true;
}

Result<bool> StreamConversation::Receive(TimePoint received, v1::ServerEvent&& wire) {
  if (wire.sequence_number() != ++received_) {
    return DataLoss("event " + std::to_string(wire.sequence_number()) + " came as number " +
                    std::to_string(received_));
  }
  std::string audio;
  Result<WireBody> body = FromWire(std::move(wire), &audio);
  if (!body.ok()) return body.status();
  if (!accepted_) {
    Result<bool> opening = TakeOpening(*body);
    if (!opening.ok()) return opening.status();
    if (*opening) return true;
  } else if (std::holds_alternative<Session>(*body)) {
    return DataLoss("the server created the session twice");
  }
  if (const auto* updated = std::get_if<SessionUpdated>(&*body)) {
    const std::lock_guard lock(mutex_);
    in_force_ = updated->settings;
  }
  if (auto* delta = std::get_if<AudioDelta>(&*body)) {
    Result<std::vector<float>> samples = receiver_.Unpack(delta->response_id, audio);
    if (!samples.ok()) return samples.status();
    delta->samples = std::move(*samples);
  }
  return std::visit(
      [&](auto&& event) -> bool {
        if constexpr (std::is_same_v<std::decay_t<decltype(event)>, std::monostate> ||
                      std::is_same_v<std::decay_t<decltype(event)>, Session>) {
          return true;
        } else {
          return Deliver(Event{received, std::forward<decltype(event)>(event)});
        }
      },
      std::move(*body));
}

Result<bool> StreamConversation::TakeOpening(WireBody& body) {
  if (const auto* error = std::get_if<ServerError>(&body)) return error->status;
  const std::lock_guard lock(mutex_);
  if (auto* session = std::get_if<Session>(&body)) {
    if (created_) return DataLoss("the server created the session twice");
    created_ = true;
    session_ = std::move(*session);
    return true;
  }
  if (!created_) return DataLoss("the server sent an event before session_created");
  auto* updated = std::get_if<SessionUpdated>(&body);
  if (updated == nullptr) return false;
  session_.settings = in_force_ = std::move(updated->settings);
  accepted_ = true;
  opened_.notify_all();
  return true;
}

bool StreamConversation::Deliver(Event event) {
  if (!options_.listener) return events_.Push(std::move(event));
  options_.listener(event);
  return true;
}

void StreamConversation::OnEnd(const StreamEnd& end) {
  Closed closed;
  bool accepted = false;
  {
    const std::lock_guard lock(mutex_);
    if (!failure_.ok()) {
      closed.status = failure_;
    } else if (!closing_) {
      closed.status = FromGrpc(end.status);
      closed.retry_after = end.retry_after;
    }
    closed_ = closed;
    accepted = accepted_;
    opened_.notify_all();
  }
  // A refusal is Open's result; nobody has the conversation to be told.
  if (accepted) (void)Deliver({std::chrono::steady_clock::now(), std::move(closed)});
}

}  // namespace antiphon::client
