// The user's voice during an answer.
#include <algorithm>
#include <chrono>
#include <utility>
#include <variant>

#include "conversation/conversation.h"

namespace antiphon {
namespace {

// A client that stops sending in the middle of a voice is silent.
constexpr std::chrono::milliseconds kSilence{500};

}  // namespace

bool Conversation::AnswerIsPlaying() const {
  if (!playback_ || !playback_->interruptible()) return false;
  if (state_ == ConversationState::kResponding) return true;
  return state_ == ConversationState::kWaiting && playback_->AudibleAt(clock_.Now());
}

// A cough stops nothing that a word would not: at first the answer only holds its breath.
void Conversation::BeginInterruption() {
  const auto& started = std::get<VoiceStarted>(heard_.front());
  interruption_ = VoiceInAnswer{.onset = started.offset, .received = started.received};
  const TimePoint now = clock_.Now();
  playback_->meter().Pause(now);
  sink_.Send(server_event::PlaybackPaused{playback_->response_id(), playback_->meter().Played(now),
                                          now - interruption_->received});
  JudgeInterruption();
}

void Conversation::JudgeInterruption() {
  if (interruption_->is_turn) return;  // waits for the response to stop
  const uint64_t voice = ear_.last_voice()->end - std::min(ear_.last_voice()->end, interruption_->onset);
  const uint64_t voice_ms = 1000 * voice / static_cast<uint64_t>(decoder_.format().sample_rate);
  using enum server_event::InterruptedBy;
  if (config_.interruption.policy == InterruptionPolicy::kEager) return Interrupt(kEager);
  if (voice_ms >= static_cast<uint64_t>(config_.interruption.min_voice_ms)) return Interrupt(kCautious);
  const bool stopped = std::ranges::any_of(
      heard_, [](const Heard& heard) { return std::holds_alternative<VoiceStopped>(heard); });
  if (stopped || ear_.Silence(clock_.Now(), TimePoint{}) >= kSilence) ResumePlayback();
}

// It is the user's turn, from where the voice set in.
void Conversation::Interrupt(server_event::InterruptedBy by) {
  if (interruption_->is_turn) return;
  interruption_->is_turn = true;
  cut_ = {by, clock_.Now() - interruption_->received};
  if (state_ == ConversationState::kResponding) return DropResponse();  // goes on when the response is done
  CutAnswer();
  interruption_.reset();
  PassOn();
}

void Conversation::ResumePlayback() {
  ForgetInterruption();
  ResetEar();
}

// Nothing of what was heard matters.
void Conversation::ForgetInterruption() {
  if (!interruption_) return;
  if (!interruption_->is_turn) {
    const TimePoint now = clock_.Now();
    playback_->meter().Resume(now);
    sink_.Send(server_event::PlaybackResumed{playback_->response_id(), playback_->meter().Played(now),
                                             now - interruption_->received});
  }
  heard_.clear();
  interruption_.reset();
}

void Conversation::OnCut(uint64_t turn, const ResponseCut& cut) {
  if (!playback_ || turn != response_turn_) return;
  sink_.Send(server_event::ResponseInterrupted{playback_->response_id(), playback_->cut_at(), cut.text,
                                               cut_.by, cut_.since_onset});
}

}  // namespace antiphon
