// The user's turn.
#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "conversation/conversation.h"

namespace antiphon {

void Conversation::TakeIn(std::vector<Packet> packets) {
  for (const Packet& packet : packets) samples_ahead_ += packet.samples.size();
  for (Packet& packet : packets) {
    samples_ahead_ -= packet.samples.size();
    if (state_ == ConversationState::kCancelling || cancel_wanted_) {
      said_while_cancelling_.push_back(std::move(packet));
    } else if (!response_due() || (response_ && playback_->overheard())) {
      Hear(packet);  // unless the one before was enough for the longest turn
    }
  }
}

void Conversation::Hear(const Packet& packet) {
  const Nanoseconds length = DurationOf(packet.samples.size(), decoder_.format().sample_rate);
  ear_.enhancer().FollowPlayback(SpeechPlayedAt(packet.received - length));
  std::vector<Heard> heard = ear_.Push(packet.samples, packet.received);
  std::move(heard.begin(), heard.end(), std::back_inserter(heard_));
  PassOn();
}

// In samples of the model.
std::optional<int64_t> Conversation::SpeechPlayedAt(TimePoint then) const {
  if (!playback_) return std::nullopt;
  const std::optional<Nanoseconds> position = playback_->PositionAt(then, clock_.Now());
  if (!position) return std::nullopt;
  return position->count() * model_.sample_rate / 1'000'000'000;
}

// As far as the engine has room; RoomForFrames says when it has more.
void Conversation::PassOn() {
  if (export_ != ExportState::kNone) return;
  if (interruption_) return JudgeInterruption();
  while (!heard_.empty()) {
    if (std::holds_alternative<VoiceStarted>(heard_.front()) && AnswerIsPlaying()) return BeginInterruption();
    if (const auto* frame = std::get_if<GatedFrame>(&heard_.front())) {
      const Status taken = sequence_->AppendFrame(frame->samples, frame->received);
      if (taken.code() == StatusCode::kResourceExhausted) return;
      if (!taken.ok()) return LoseTurn({taken, "audio_append.audio"});
      ++frames_waiting_;
    }
    if (MayBeOver(heard_.front())) return;
    // The turn may end with it, at its greatest length: the rest is then dropped.
    const Heard heard = std::move(heard_.front());
    heard_.pop_front();
    std::visit([this](const auto& what) { On(what); }, heard);
  }
  caught_up_ = clock_.Now();
  if (turn_end_) sequence_->EndTurn(*std::exchange(turn_end_, std::nullopt));
  CheckSilence();
}

void Conversation::On(const VoiceStarted& started) {
  if (state_ == ConversationState::kWaiting) ShowHeldVideo();
  if (MayMake(Move::kVoice)) Make(Move::kVoice);
  if (voice_told_) return;  // of a session that was imported within it
  voice_told_ = true;
  sink_.Send(server_event::SpeechStarted{started.offset});
}

void Conversation::On(const VoiceStopped& stopped) {
  if (!voice_told_) return;
  voice_told_ = false;
  sink_.Send(server_event::SpeechStopped{stopped.offset});
}

// The engine has taken it.
void Conversation::On(const GatedFrame&) {
  ++frames_heard_;
  const int64_t heard_ms = int64_t{1000} * frames_heard_ * model_.frame_samples / model_.sample_rate;
  const bool hearing = state_ == ConversationState::kHearing;
  // There is no room for the frame begun.
  if (hearing && heard_ms >= options_.longest_turn.count()) EndTurn(TurnEndCause::kLength, false);
}

// If that was all, the engine has until then to begin the answer.
void Conversation::On(const LongSilenceNear&) {
  if (state_ == ConversationState::kHearing && has_words_) sequence_->ExpectTurnEnd();
}

// What came behind it in its packet is dropped with the frame begun, as it would be in the next packet.
void Conversation::On(const LongSilence& silence) {
  if (state_ != ConversationState::kHearing || !has_words_) return;
  EndTurn(TurnEndCause::kSilence, false);
  ledger_.LastSpeech(silence.voice.received);
}

// The silence ends the turn if there were words in it, which the model may be about to find in what it has.
bool Conversation::MayBeOver(const Heard& heard) const {
  return std::holds_alternative<LongSilence>(heard) && state_ == ConversationState::kHearing && !has_words_ &&
         frames_waiting_ > 0;
}

void Conversation::On(const TranscriptDelta& delta) {
  if (clears_under_way_ > 0) return;
  if (state_ != ConversationState::kHearing && state_ != ConversationState::kEnding) return;
  has_words_ = true;
  sink_.Send(server_event::TranscriptDelta{delta.text});
  // What waited for words need wait no longer.
  if (heard_.empty()) return CheckSilence();
  PassOn();
}

void Conversation::On(const InputRefused& refused) {
  if (clears_under_way_ > 0) return;
  // After the turn was lost or ended, the rest of its frames may be refused as well: said once.
  const bool open = MayMake(Move::kForget) && state_ != ConversationState::kWaiting;
  if (!open) return;
  const char* const field = frames_heard_ > 0      ? "audio_append.audio"
                            : content_.outputs > 0 ? "function_call_output.output"
                            : content_.images > 0  ? "image_append.data"
                                                   : "text_append.text";
  LoseTurn({refused.error, field});
}

void Conversation::On(const TurnCleared& cleared) { clears_under_way_ -= cleared.calls; }

void Conversation::On(const RoomForFrames& room) {
  frames_waiting_ -= room.frames;
  if (!heard_.empty()) PassOn();
}

// A turn opens: the model sees what there was to see before it.
void Conversation::ShowHeldVideo() {
  for (const Image& frame : video_.TakeHeld()) {
    if (!sequence_->AppendVideoFrame(frame).ok()) video_.Refused();
  }
}

void Conversation::CheckSilence() {
  // While audio is held back it is not the client that is silent.
  if (state_ != ConversationState::kHearing || !heard_.empty() || !ear_.last_voice()) return;
  if (export_ != ExportState::kNone) return;
  const Nanoseconds silence = ear_.Silence(clock_.Now(), caught_up_);
  if (has_words_) {
    const std::chrono::milliseconds longest = LongestSilence(config_.turn_detection);
    const bool over = ear_.long_silence() || (longest.count() > 0 && silence >= longest);
    if (over) EndTurn(TurnEndCause::kSilence, !ear_.long_silence());
    return;
  }
  if (!IsNoise(silence)) return;
  if (!content_.empty()) {
    EndVoice();
    Make(Move::kNoise);
    ResetEar();
    ledger_.Reset();
  } else {
    ForgetTurn();
  }
}

// A voice without words. Silence in the audio may tell sooner than a client that sends none.
bool Conversation::IsNoise(Nanoseconds silence) const {
  const std::chrono::milliseconds in_audio = NoiseTimeout(config_.turn_detection, options_.noise_timeout);
  if (ear_.SilenceReceived() >= in_audio && ModelHadTimeForWords(in_audio)) return true;
  return silence >= options_.noise_timeout && ModelHadTimeForWords(options_.noise_timeout);
}

// Audio may come faster than it is spoken, and the engine be behind it: before a voice is noise the model
// gets to hear what there is of the silence after it, and as long by the clock.
bool Conversation::ModelHadTimeForWords(std::chrono::milliseconds time) const {
  const Nanoseconds not_run(int64_t{1'000'000'000} * frames_waiting_ * model_.frame_samples /
                            model_.sample_rate);
  const bool has_run = frames_waiting_ == 0 || ear_.SilenceReceived() - not_run >= time;
  return has_run && clock_.Now() - ear_.last_voice()->received >= time;
}

void Conversation::EndTurn(TurnEndCause cause, bool flush) {
  if (cause == TurnEndCause::kCommit) {
    // Packets that the commit let go may wait for room. The end of the turn says where the voice stopped.
    std::erase_if(heard_, [](const Heard& heard) { return !std::holds_alternative<GatedFrame>(heard); });
  } else {
    heard_.clear();
  }
  if (state_ == ConversationState::kHearing) {
    if (flush) {
      for (GatedFrame& frame : ear_.Flush()) heard_.emplace_back(std::move(frame));
    }
    EndVoice();
  }
  Make(Move::kEnd);
  turn_end_ = cause;
  PassOn();
}

// Nothing more is heard of the turn: tells that the voice stopped, if the client thinks that it goes on, and
// dates the end of the speech.
void Conversation::EndVoice() {
  if (!ear_.last_voice()) return;
  ledger_.LastSpeech(ear_.last_voice()->received);
  On(VoiceStopped{ear_.last_voice()->end});
}

// The engine could not take part of the turn, and a turn with a hole in it would be misunderstood.
void Conversation::LoseTurn(Refusal refusal) {
  ForgetTurn();
  refusal.status = Status(refusal.status.code(), "the turn is cleared: " + refusal.status.message());
  Refuse(std::move(refusal), "");
}

void Conversation::ForgetTurn() {
  sequence_->ClearTurn();
  ++clears_under_way_;
  ForgetInterruption();
  heard_.clear();
  turn_end_.reset();
  said_while_cancelling_.clear();
  EndVoice();
  Make(Move::kForget);
  calls_.TurnForgotten();
  ResetEar();
  BeginTurns();
}

// No turn is open: whatever comes next begins one.
void Conversation::BeginTurns() {
  ledger_.Reset();
  voice_told_ = false;
  content_ = {};
  has_words_ = false;
  frames_heard_ = 0;
  cancel_wanted_ = false;
}

// What was said while a response was cancelled is yet to be heard.
void Conversation::ResetEar() { ear_.Reset(decoder_.format().sample_rate, SamplesPassed()); }

uint64_t Conversation::SamplesWhileCancelling() const {
  uint64_t samples = 0;
  for (const Packet& packet : said_while_cancelling_) samples += packet.samples.size();
  return samples;
}

}  // namespace antiphon
