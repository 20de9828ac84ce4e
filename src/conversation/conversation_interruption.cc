// The user's voice during an answer.
#include <algorithm>
#include <chrono>
#include <memory>
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
  if (options_.words_interrupt && config_.interruption.policy == InterruptionPolicy::kCautious) {
    auto fork = sequence_->Fork(
        {.heard_frames = playback_->FramesPlayed(now), .first_turn = (++forks_ << 32) + 1, .answers = false});
    if (fork.ok()) interruption_->judge = std::make_unique<InterruptionJudge>(std::move(*fork));
  }
  JudgeInterruption();
}

VoiceSound Conversation::SoundOfInterruption() const {
  const uint64_t voice = ear_.last_voice()->end - std::min(ear_.last_voice()->end, interruption_->onset);
  const auto voice_ms =
      static_cast<int64_t>(1000 * voice / static_cast<uint64_t>(decoder_.format().sample_rate));
  VoiceSound sound{.length = std::chrono::milliseconds(voice_ms),
                   .silence = ear_.Silence(clock_.Now(), TimePoint{})};
  for (const Heard& heard : heard_) {
    if (std::holds_alternative<VoiceStarted>(heard)) sound.stopped = false;
    if (std::holds_alternative<VoiceStopped>(heard)) sound.stopped = true;
  }
  sound.stopped |= sound.silence >= kSilence;
  return sound;
}

void Conversation::JudgeInterruption() {
  if (export_ != ExportState::kNone) return;
  if (interruption_->is_turn) return;  // waits for the response to stop
  using enum server_event::InterruptedBy;
  if (config_.interruption.policy == InterruptionPolicy::kEager) return Interrupt(kEager);
  const std::chrono::milliseconds min_voice(config_.interruption.min_voice_ms);
  const VoiceSound sound = SoundOfInterruption();
  InterruptionJudge* const judge = interruption_->judge.get();
  if (judge != nullptr) judge->Listen(heard_);
  switch (judge != nullptr ? judge->Judge(sound, min_voice) : JudgeBySound(sound, min_voice)) {
    case VoiceVerdict::kTurn:
      return Interrupt(kCautious);
    case VoiceVerdict::kNothing:
      return ResumePlayback();
    case VoiceVerdict::kOpen:
      break;
  }
}

// Of an earlier fork something may still have been on its way.
void Conversation::OnForkEvent(uint64_t turn, const SequenceEvent& event) {
  if (turn >> 32 != forks_ || !interruption_ || !interruption_->judge) return;
  interruption_->judge->OnEvent(event);
  JudgeInterruption();
}

// It is the user's turn, from where the voice set in.
void Conversation::Interrupt(server_event::InterruptedBy by) {
  if (interruption_->is_turn) return;
  interruption_->is_turn = true;
  interruption_->judge.reset();  // the session's own sequence hears it from here on
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
