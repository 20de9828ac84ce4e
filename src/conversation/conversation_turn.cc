// The user's turn.
#include <utility>

#include "conversation/conversation.h"

namespace antiphon {

void Conversation::Hear(const Packet& packet) {
  const uint64_t turns_forgotten = turns_forgotten_;
  for (const Heard& heard : ear_.Push(packet.samples, packet.received)) {
    // The turn may end in the middle of a packet, at its greatest length, or be lost: the rest is then
    // dropped.
    if (response_due() || turns_forgotten != turns_forgotten_) return;
    std::visit([this](const auto& what) { On(what); }, heard);
  }
  CheckSilence();
}

void Conversation::On(const VoiceStarted& started) {
  if (MayMake(Move::kVoice)) Make(Move::kVoice);
  voice_told_ = true;
  sink_.Send(server_event::SpeechStarted{started.offset});
}

void Conversation::On(const VoiceStopped& stopped) {
  if (!voice_told_) return;
  voice_told_ = false;
  sink_.Send(server_event::SpeechStopped{stopped.offset});
}

void Conversation::On(const GatedFrame& frame) {
  if (Status status = sequence_->AppendFrame(frame.samples, frame.received); !status.ok()) {
    LoseTurn({status, "audio_append.audio"});
    return;
  }
  ++frames_heard_;
  const int64_t heard_ms = int64_t{1000} * frames_heard_ * model_.frame_samples / model_.sample_rate;
  if (heard_ms >= options_.longest_turn.count()) EndTurn(TurnEndCause::kLength);
}

void Conversation::On(const TranscriptDelta& delta) {
  if (clears_under_way_ > 0) return;
  if (state_ != ConversationState::kHearing && state_ != ConversationState::kEnding) return;
  has_words_ = true;
  sink_.Send(server_event::TranscriptDelta{delta.text});
}

void Conversation::On(const InputRefused& refused) {
  if (clears_under_way_ > 0) return;
  // After the turn was lost or ended, the rest of its frames may be refused as well: said once.
  const bool open = MayMake(Move::kForget) && state_ != ConversationState::kWaiting;
  if (open) LoseTurn({refused.error, frames_heard_ > 0 ? "audio_append.audio" : "text_append.text"});
}

void Conversation::On(const TurnCleared& cleared) { clears_under_way_ -= cleared.calls; }

void Conversation::CheckSilence() {
  if (state_ != ConversationState::kHearing || !ear_.last_voice()) return;
  const TimePoint now = clock_.Now();
  const Nanoseconds silence = ear_.Silence(now);
  if (has_words_) {
    const std::chrono::milliseconds limit(config_.turn_detection.max_silence_ms);
    const bool semantic = config_.turn_detection.mode == TurnDetectionMode::kSemantic;
    if (semantic && silence >= limit) EndTurn(TurnEndCause::kSilence);
    return;
  }
  // Audio may come faster than it is spoken: the model gets as long by the clock to find words in it.
  const bool model_had_time = now - ear_.last_voice()->received >= options_.noise_timeout;
  if (silence < options_.noise_timeout || !model_had_time) return;
  if (has_text_) {
    EndVoice();
    Make(Move::kNoise);
    ear_.Reset(decoder_.format().sample_rate, decoder_.samples());
    ledger_.Reset();
  } else {
    ForgetTurn();
  }
}

void Conversation::EndTurn(TurnEndCause cause) {
  if (state_ == ConversationState::kHearing) {
    // A turn at its greatest length has no room for the frame begun.
    if (auto frame = cause == TurnEndCause::kLength ? std::nullopt : ear_.Flush()) {
      if (Status status = sequence_->AppendFrame(frame->samples, frame->received); !status.ok()) {
        LoseTurn({status, "audio_append.audio"});
        return;
      }
      ++frames_heard_;
    }
    EndVoice();
  }
  Make(Move::kEnd);
  sequence_->EndTurn(cause);
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
  ++turns_forgotten_;
  said_while_cancelling_.clear();
  EndVoice();
  Make(Move::kForget);
  BeginTurns();
}

// No turn is open: whatever comes next begins one.
void Conversation::BeginTurns() {
  uint64_t unheard = 0;  // what was said while a response was cancelled is heard now
  for (const Packet& packet : said_while_cancelling_) unheard += packet.samples.size();
  ear_.Reset(decoder_.format().sample_rate, decoder_.samples() - unheard);
  ledger_.Reset();
  voice_told_ = false;
  has_text_ = false;
  texts_ = 0;
  has_words_ = false;
  frames_heard_ = 0;
  cancel_wanted_ = false;
}

}  // namespace antiphon
