#include "conversation/conversation.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "common/logging.h"
#include "conversation/image_input.h"

namespace antiphon {
namespace {

constexpr size_t kMaxEventIdBytes = 64;
constexpr size_t kMaxTextBytes = 4000;
constexpr int kMaxImages = 8;  // of a turn
// What is kept of what is said while a cancelled response stops: an engine step takes a fraction of this.
constexpr size_t kMaxPacketsWhileCancelling = 256;
constexpr uint64_t kMaxSecondsWhileCancelling = 2;

Refusal ResponseUnderWay() {
  return {FailedPrecondition("a response is under way: cancel it or wait for ResponseDone"), ""};
}

}  // namespace

Result<std::unique_ptr<Conversation>> Conversation::Create(ConversationOptions options,
                                                           const ModelDescription& model,
                                                           std::unique_ptr<Sequence> sequence,
                                                           ImagePainter painter, const Clock& clock,
                                                           EventSink& sink) {
  auto ear = Ear::Create(model, AudioFormat{}.sample_rate);
  if (!ear.ok()) return ear.status();
  return std::unique_ptr<Conversation>(new Conversation(std::move(options), model, std::move(sequence),
                                                        std::move(painter), clock, sink, std::move(*ear)));
}

Conversation::Conversation(ConversationOptions options, const ModelDescription& model,
                           std::unique_ptr<Sequence> sequence, ImagePainter painter, const Clock& clock,
                           EventSink& sink, Ear ear)
    : options_(std::move(options)),
      model_(model),
      painter_(std::move(painter)),
      clock_(clock),
      sink_(sink),
      ear_(std::move(ear)),
      ledger_(clock.Now()),
      video_(model.image_side),
      sequence_(std::move(sequence)) {
  config_.draw = model_.image_side > 0;
}

void Conversation::Start() {
  Configure();
  sink_.Send(server_event::SessionCreated{options_.session_id, model_.name, model_.version, config_,
                                          options_.max_session_seconds});
}

void Conversation::Make(Move move) {
  const std::optional<ConversationState> next = Next(state_, move);
  assert(next && "an illegal move");
  if (!next) {
    LogError("session {}: move {} is illegal while {}", options_.session_id, static_cast<int>(move),
             Name(state_));
    return;
  }
  state_ = *next;
  begun_ |= state_ != ConversationState::kWaiting;
}

void Conversation::Refuse(Refusal refusal, std::string event_id) {
  sink_.Send(server_event::Error{std::move(refusal), std::move(event_id)});
}

bool Conversation::accepts_input() const {
  const uint64_t most = kMaxSecondsWhileCancelling * static_cast<uint64_t>(decoder_.format().sample_rate);
  return export_ == ExportState::kNone && (heard_.empty() || interruption_) &&
         said_while_cancelling_.size() < kMaxPacketsWhileCancelling && SamplesWhileCancelling() < most;
}

void Conversation::OnClientEvent(const ClientEvent& event) {
  if (event.event_id.size() > kMaxEventIdBytes) {
    Refuse({InvalidArgument("event_id has " + std::to_string(event.event_id.size()) +
                            " bytes, must have at most 64"),
            "event_id"},
           "");
    return;
  }
  event_id_ = event.event_id;
  Answer answer = std::visit([&](const auto& kind) { return Take(kind, event.received); }, event.event);
  if (answer) Refuse(*std::move(answer), event.event_id);
  ReplyToOutputs();
}

void Conversation::OnEngineEvent(uint64_t turn, SequenceEvent event) {
  TakeEngineEvent(turn, std::move(event));
  AskForExport();
  ReplyToOutputs();
}

void Conversation::TakeEngineEvent(uint64_t turn, SequenceEvent event) {
  if (turn >> 32 != 0) return OnForkEvent(turn, event);
  if (const auto* ended = std::get_if<TurnEnded>(&event)) return BeginResponse(turn, *ended);
  if (const auto* delta = std::get_if<TranscriptDelta>(&event)) return On(*delta);
  if (const auto* refused = std::get_if<InputRefused>(&event)) return On(*refused);
  if (const auto* cleared = std::get_if<TurnCleared>(&event)) return On(*cleared);
  if (const auto* room = std::get_if<RoomForFrames>(&event)) return On(*room);
  if (const auto* cut = std::get_if<ResponseCut>(&event)) return OnCut(turn, *cut);
  if (const auto* exported = std::get_if<SequenceExported>(&event)) return On(*exported);
  if (!response_ || turn != response_turn_) return;  // a late result of a response that is over
  if (const auto* text = std::get_if<ResponseText>(&event)) return On(*text);
  if (const auto* audio = std::get_if<ResponseAudio>(&event)) return On(*audio);
  if (const auto* image = std::get_if<ResponseImage>(&event)) return On(*image);
  if (const auto* call = std::get_if<ResponseCall>(&event)) {
    return calls_.OnCall(*call, state_ == ConversationState::kCancelling, sink_);
  }
  if (const auto* chosen = std::get_if<MannerChosen>(&event)) return On(*chosen);
  On(std::get<ResponseDone>(event));
}

void Conversation::OnClientBack() {
  caught_up_ = clock_.Now();
  ear_.ForgiveSilence(caught_up_);
}

void Conversation::Tick() {
  // While audio is held back it may hold what is missing.
  if (accepts_input()) TakeIn(decoder_.PopOverdue(clock_.Now(), caught_up_));
  if (export_ != ExportState::kNone) return KeepPace();
  if (interruption_) {
    JudgeInterruption();
  } else {
    CheckSilence();
  }
  KeepPace();
  ReplyToOutputs();
}

// ---- Client events.

Conversation::Answer Conversation::Take(const client_event::Unknown&, TimePoint) {
  return Refusal{InvalidArgument("the event is none that this server knows"), "event"};
}

Conversation::Answer Conversation::Take(const client_event::SessionUpdate& update, TimePoint) {
  auto applied = ApplyUpdate(config_, update.config, AbilitiesOf(model_));
  if (auto* refusal = std::get_if<Refusal>(&applied)) return std::move(*refusal);
  const auto& wanted = std::get<SessionConfig>(applied);
  if (Answer mistake = Instruct(wanted.instructions)) return mistake;
  if (wanted.input != config_.input) {
    const std::string field = "session_update.config.input_audio";
    if (state_ == ConversationState::kHearing) {
      return Refusal{FailedPrecondition("input_audio may only change between turns: clear or commit first"),
                     field};
    }
    if (Status status = decoder_.SetFormat(wanted.input); !status.ok()) {
      // Nothing is applied in part. What was taken before is taken again.
      if (!begun_) static_cast<void>(sequence_->Instruct(config_.instructions));
      return Refusal{status, field};
    }
    said_while_cancelling_.clear();  // at the rate of before
    ForgetInterruption();
    ear_.Reset(wanted.input.sample_rate, decoder_.samples());
  }
  config_ = wanted;
  Configure();
  sink_.Send(server_event::SessionUpdated{config_});
  return std::nullopt;
}

// Others than the session has.
Conversation::Answer Conversation::Instruct(const std::string& instructions) {
  if (instructions == config_.instructions) return std::nullopt;
  const std::string field = "session_update.config.instructions";
  if (begun_ || imported_) {
    const char* const why = imported_ ? "instructions are fixed: the session was imported"
                                      : "instructions are fixed: the first turn has begun";
    return Refusal{FailedPrecondition(why), field};
  }
  Status status = sequence_->Instruct(instructions);
  if (status.ok()) return std::nullopt;
  return Refusal{Status(status.code(), "instructions: " + status.message()), field};
}

void Conversation::Configure() {
  SequenceOptions options;
  options.speak = config_.speak;
  options.semantic_turns = config_.turn_detection.mode == TurnDetectionMode::kSemantic;
  options.endpoint_threshold = EndpointThreshold(config_.turn_detection, model_.endpoint_threshold);
  options.max_response_images = config_.draw ? 1 : 0;
  options.max_video_frames = config_.max_video_frames;
  options.manner = config_.manner;
  const int64_t frame = SamplesAt(config_.manner.speed, model_.frame_samples);
  options.max_response_frames =
      static_cast<int>(int64_t{config_.max_response_seconds} * model_.sample_rate / frame);
  const int64_t lead = int64_t{MaxLead().count()} * model_.sample_rate / 1000;
  options.unpaced_frames = static_cast<int>((lead + frame - 1) / frame) + kFramesInHand;
  options.sampling = config_.sampling;
  sequence_->Configure(options);
  DeclareFunctions();
  ear_.Configure(config_.turn_detection);
  ear_.enhancer().Configure(config_.enhancement);
}

Conversation::Answer Conversation::Take(const client_event::AudioAppend& append, TimePoint received) {
  auto decoded = decoder_.Decode(append.audio, append.packet_number, received, caught_up_);
  if (auto* refusal = std::get_if<Refusal>(&decoded)) return std::move(*refusal);
  TakeIn(std::get<InputDecoder::Decoded>(std::move(decoded)));
  return std::nullopt;
}

Conversation::Answer Conversation::Take(const client_event::TextAppend& append, TimePoint) {
  const std::string field = "text_append.text";
  if (append.text.empty() || append.text.size() > kMaxTextBytes) {
    return Refusal{
        InvalidArgument("text has " + std::to_string(append.text.size()) + " bytes, must have 1 to 4000"),
        field};
  }
  if (!MayMake(Move::kContent)) return ResponseUnderWay();
  if (state_ == ConversationState::kWaiting) ShowHeldVideo();
  if (Status status = sequence_->AppendText(append.text); !status.ok()) return Refusal{status, field};
  Make(Move::kContent);
  ++content_.texts;
  return std::nullopt;
}

// What costs nothing is checked first, and the pixels only then.
Conversation::Answer Conversation::Take(const client_event::ImageAppend& append, TimePoint) {
  if (model_.image_side == 0) {
    return Refusal{Status(StatusCode::kUnimplemented, "this model knows no pictures"), "image_append"};
  }
  if (!MayMake(Move::kContent)) return ResponseUnderWay();
  const std::string field = "image_append.data";
  if (content_.images >= kMaxImages) {
    return Refusal{ResourceExhausted("the turn has 8 pictures, the most it may have"), field};
  }
  auto decoded = DecodeImageAppend(append);
  if (auto* refusal = std::get_if<Refusal>(&decoded)) return std::move(*refusal);
  if (state_ == ConversationState::kWaiting) ShowHeldVideo();
  if (Status status = sequence_->AppendImage(std::get<Image>(decoded)); !status.ok()) {
    return Refusal{status, field};
  }
  Make(Move::kContent);
  ++content_.images;
  return std::nullopt;
}

// Only an open turn is worth the model's time: while none is, the newest frames are kept here.
Conversation::Answer Conversation::Take(const client_event::VideoFrame& frame, TimePoint received) {
  auto decoded = video_.Decode(frame, received);
  if (auto* refusal = std::get_if<Refusal>(&decoded)) return std::move(*refusal);
  if (state_ != ConversationState::kTyping && state_ != ConversationState::kHearing) {
    video_.Hold(std::get<Image>(std::move(decoded)), config_.max_video_frames);
    return std::nullopt;
  }
  if (Status status = sequence_->AppendVideoFrame(std::get<Image>(decoded)); !status.ok()) {
    return Refusal{status, "video_frame.data"};
  }
  return std::nullopt;
}

Conversation::Answer Conversation::Take(const client_event::Commit&, TimePoint received) {
  if (response_due()) return ResponseUnderWay();
  TakeIn(decoder_.Flush());  // what has come belongs to the turn, even if something before it may yet come
  if (response_due()) return ResponseUnderWay();                       // and has ended it
  if (interruption_) Interrupt(server_event::InterruptedBy::kCommit);  // no need to wait and see
  if (!MayMake(Move::kEnd)) {
    return WrongMoment("the turn is empty: no text, no picture, and no voice in the audio so far");
  }
  if (state_ == ConversationState::kTyping) ledger_.Committed(received);
  EndTurn(TurnEndCause::kCommit);
  return std::nullopt;
}

Conversation::Answer Conversation::Take(const client_event::Clear&, TimePoint) {
  if (response_due()) return std::nullopt;
  decoder_.Flush();  // what has come is of the turn as well
  ForgetTurn();
  return std::nullopt;
}

Conversation::Answer Conversation::Take(const client_event::Cancel& cancel, TimePoint received) {
  if (state_ == ConversationState::kEnding) {
    cancel_wanted_ = true;  // the engine has yet to begin what is to be cancelled
    return std::nullopt;
  }
  const bool playing = playback_ && playback_->AudibleAt(received) && state_ == ConversationState::kWaiting;
  if (!MayMake(Move::kCancel) && !playing) return WrongMoment("no response is under way");
  if (cancel.played_samples) {
    playback_->meter().OnReport(received, *cancel.played_samples);
    playback_->meter().Pause(received);  // it stands there
  }
  using enum server_event::InterruptedBy;
  const auto by = cancel.played_samples ? kCancelAt : kCancel;
  if (interruption_) {
    Interrupt(by);
    return std::nullopt;
  }
  cut_ = {by};
  if (playing) {
    CutAnswer();
  } else {
    DropResponse();
  }
  return std::nullopt;
}

Conversation::Answer Conversation::Take(const client_event::PlaybackPosition& position, TimePoint received) {
  if (playback_ && playback_->response_id() == position.response_id) {
    playback_->meter().OnReport(received, position.played_samples);
  }
  return std::nullopt;
}

}  // namespace antiphon
