// The model's turn.
#include <algorithm>
#include <chrono>
#include <utility>

#include "common/logging.h"
#include "conversation/conversation.h"

namespace antiphon {

void Conversation::BeginResponse(uint64_t turn, const TurnEnded& ended) {
  // The user's next turn had come before the client was told of the end of the last.
  if (made_) SendTheRest();
  if (response_) return;  // said twice
  if (state_ == ConversationState::kHearing) EndVoice();
  heard_.clear();  // dropped as the engine drops what it has not run: the turn is over
  turn_end_.reset();
  interruption_.reset();
  Make(Move::kAnswer);
  ledger_.Endpoint(ended.at);
  response_turn_ = turn;
  speech_asked_for_ = 0;
  content_too_late_ = {.texts = std::max(0, content_.texts - ended.texts),
                       .images = std::max(0, content_.images - ended.images),
                       .outputs = std::max(0, content_.outputs - ended.function_results)};
  content_too_late_.reply = content_.reply && content_too_late_.outputs > 0;
  calls_.TurnAnswered(ended.function_results);
  output_fault_.reset();
  usage_ = {};
  usage_.heard_frames = ended.heard_frames;
  usage_.input_text_pieces = ended.text_pieces;
  usage_.input_images = ended.images;
  usage_.input_video_frames = ended.video_frames;
  usage_.input_packets = decoder_.TakeFates();
  usage_.input_function_outputs = ended.function_results;
  usage_.input_function_pieces = ended.function_pieces;
  usage_.dropped_video_frames = ended.dropped_video_frames + video_.TakeDropped();
  const std::string id = "response-" + std::to_string(++responses_);
  calls_.BeginResponse(id, config_.functions);
  response_config_ = config_;
  // What follows from a call is played behind the words that came with the call.
  const bool goes_on = ended.function_results > 0 && playback_;
  const Nanoseconds left = goes_on ? playback_->TimeLeft(clock_.Now()) : Nanoseconds{0};
  playback_.emplace(id, config_, model_, clock_.Now() + left);
  ear_.enhancer().BeginResponse(left > Nanoseconds{0}, 0);
  if (playback_->overheard()) ResetEar();
  response_ =
      std::make_unique<Response>(id, config_, model_, painter_, clock_, sink_, ledger_, playback_->meter());
  sink_.Send(server_event::TurnEnded{ended.cause, ended.transcript});
  sink_.Send(server_event::ResponseStarted{id});
  cut_ = {};
  if (cancel_wanted_) StopResponse();
}

void Conversation::On(const ResponseText& text) {
  if (state_ == ConversationState::kResponding) response_->OnText(text);
}

void Conversation::On(const ResponseAudio& audio) {
  if (state_ != ConversationState::kResponding) return;
  if (Status status = response_->OnAudio(audio); !status.ok()) return FailResponse(status);
  ear_.enhancer().AddSpeech(audio.samples);
  KeepPace();
}

void Conversation::On(const ResponseImage& image) {
  if (state_ == ConversationState::kResponding) response_->OnImage(image);
}

// The response under way keeps its own settings: this is for the next ones.
void Conversation::On(const MannerChosen& chosen) {
  if (state_ != ConversationState::kResponding || !model_.manners) return;
  config_.manner.voice = chosen.voice.value_or(config_.manner.voice);
  config_.manner.speed = chosen.speed.value_or(config_.manner.speed);
  Configure();
  sink_.Send(server_event::SessionUpdated{config_});
}

void Conversation::Paint() {
  if (Status status = response_->Paint(); !status.ok()) FailResponse(status);
}

// What cannot be encoded cannot be heard or seen: the engine need not go on.
void Conversation::FailResponse(const Status& status) {
  LogError("session {}: {}: {}", options_.session_id, response_->id(), status.ToString());
  output_fault_ = status;
  cut_ = {server_event::InterruptedBy::kFault};
  StopResponse();
  if (made_) EndResponse(*std::exchange(made_, std::nullopt));
}

void Conversation::StopResponse() {
  Make(Move::kCancel);
  CutAnswer();
  response_->CutShort();
}

// Nothing more of it is sent.
void Conversation::DropResponse() {
  StopResponse();
  sink_.DropMedia(response_->id());
  if (made_) EndResponse(*std::exchange(made_, std::nullopt));
}

// What the user has not heard of it by now will not be heard, and the model forgets it.
void Conversation::CutAnswer() {
  const TimePoint now = clock_.Now();
  playback_->Cut(now);
  sequence_->CutResponse(playback_->FramesPlayed(now));
}

void Conversation::On(const ResponseDone& done) {
  if (made_) return;  // said twice
  if (state_ == ConversationState::kCancelling) return EndResponse(done);
  if (done.end != ResponseEnd::kFailed) {
    if (Status status = response_->Flush(MaxLead()); !status.ok()) output_fault_ = status;
  }
  made_ = done;
  KeepPace();
}

TimePoint Conversation::speech_due() const {
  return state_ == ConversationState::kResponding ? response_->NextDue(MaxLead()) : TimePoint::max();
}

// Sends what is due, has more made if the playback needs it, and ends the response behind the last of it.
void Conversation::KeepPace() {
  if (state_ != ConversationState::kResponding) return;
  response_->SendDue(MaxLead());
  if (!made_) return AskForSpeech();
  if (!response_->speech_waits()) EndResponse(*std::exchange(made_, std::nullopt));
}

// Unless nothing is missing, it is for more than there is: so while the engine rests, something waits for its
// time to be sent, and the asking goes on then.
void Conversation::AskForSpeech() {
  if (playback_->meter().sent() == 0) return;
  const TimePoint now = clock_.Now();
  const int frames =
      response_->frames() + playback_->FramesMissing(now, MaxLead(), response_->waiting_samples());
  if (frames <= speech_asked_for_) return;
  speech_asked_for_ = frames;
  sequence_->PaceSpeech(frames, playback_->meter().BeganAt(now));
}

void Conversation::StopPacing() {
  if (!std::exchange(paced_, false)) return;
  Configure();
  KeepPace();
  ReplyToOutputs();
}

// However far ahead it is.
void Conversation::SendTheRest() {
  ForgetInterruption();
  response_->SendDue(std::chrono::hours(1));
  EndResponse(*std::exchange(made_, std::nullopt));
}

void Conversation::EndResponse(const ResponseDone& done) {
  ResponseEnd end = done.end;
  Status error = done.error;
  const bool cancelled = state_ == ConversationState::kCancelling;
  if (cancelled) end = ResponseEnd::kCancelled;  // the engine may have been done just before it was told
  if (output_fault_) {
    end = ResponseEnd::kFailed;
    error = *output_fault_;
  }
  if (end == ResponseEnd::kFailed) Refuse({Internal(error.message()), ""}, "");
  usage_.output_text_pieces = done.text_pieces;
  usage_.spoken_frames = done.spoken_frames;
  usage_.output_images = done.images;
  usage_.context_positions = done.context_positions;
  usage_.output_function_calls = done.calls;
  usage_.output_function_pieces = done.call_pieces;
  sink_.Send(server_event::ResponseDone{response_->id(), end, response_->text(), usage_,
                                        ledger_.Report(playback_->meter())});
  response_.reset();
  Make(Move::kResponseDone);
  if (!playback_->overheard()) ResetEar();
  BeginTurns();
  if (!content_too_late_.empty()) {
    ShowHeldVideo();
    Make(Move::kContent);
    content_ = content_too_late_;
  }
  if (interruption_ && interruption_->is_turn) {
    interruption_.reset();
    PassOn();
  }
  TakeIn(std::exchange(said_while_cancelling_, {}));
}

}  // namespace antiphon
