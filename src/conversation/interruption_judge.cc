#include "conversation/interruption_judge.h"

#include <algorithm>
#include <sstream>
#include <utility>
#include <variant>

#include "conversation/interjections.h"

namespace antiphon {
namespace {

using std::chrono::milliseconds;

// The model has written the last word of a voice by then.
constexpr milliseconds kWordsWithin{300};
// Whoever goes on for so long wants to say something, understood or not.
constexpr milliseconds kLongVoice{2000};
// The user is waiting: the model is not waited for any longer after the voice.
constexpr milliseconds kPatience{1500};

}  // namespace

VoiceVerdict JudgeBySound(const VoiceSound& voice, milliseconds min_voice) {
  if (voice.length >= min_voice) return VoiceVerdict::kTurn;
  return voice.stopped ? VoiceVerdict::kNothing : VoiceVerdict::kOpen;
}

void InterruptionJudge::Listen(const std::deque<Heard>& heard) {
  all_passed_ = true;
  for (; fork_ && passed_ < heard.size(); ++passed_) {
    const auto* frame = std::get_if<GatedFrame>(&heard[passed_]);
    if (frame == nullptr) continue;
    const Status taken = fork_->AppendFrame(frame->samples, frame->received);
    if (taken.code() == StatusCode::kResourceExhausted) {
      all_passed_ = false;
      return;
    }
    if (!taken.ok()) return fork_.reset();
    ++frames_waiting_;
  }
}

void InterruptionJudge::OnEvent(const SequenceEvent& event) {
  if (const auto* delta = std::get_if<TranscriptDelta>(&event)) {
    if (std::exchange(turn_over_, false)) transcript_ += ' ';
    transcript_ += delta->text;
  } else if (std::holds_alternative<TurnEnded>(event)) {
    turn_over_ = true;
  } else if (const auto* room = std::get_if<RoomForFrames>(&event)) {
    frames_waiting_ -= room->frames;
  } else if (std::holds_alternative<InputRefused>(event)) {
    fork_.reset();
  }
}

std::vector<std::string> InterruptionJudge::Words() const {
  std::istringstream text(transcript_);
  std::vector<std::string> words;
  for (std::string word; text >> word;) words.push_back(std::move(word));
  return words;
}

VoiceVerdict InterruptionJudge::Judge(const VoiceSound& voice, milliseconds min_voice) const {
  if (!fork_) return JudgeBySound(voice, min_voice);
  if (voice.length >= std::max(kLongVoice, min_voice)) return VoiceVerdict::kTurn;
  const bool over = voice.stopped && voice.silence >= kWordsWithin && HasHeardAll();
  std::vector<std::string> words = Words();
  const bool is_long = voice.length >= min_voice;
  if (!words.empty() && !over && !turn_over_) {
    if (is_long && !BeginsBackchannel(words.back())) return VoiceVerdict::kTurn;
    words.pop_back();  // there may be more of it to come
  }
  if (std::ranges::any_of(words, IsStopWord)) return VoiceVerdict::kTurn;
  if ((is_long || turn_over_) && !std::ranges::all_of(words, IsBackchannel)) return VoiceVerdict::kTurn;
  if (over) return VoiceVerdict::kNothing;
  return voice.silence >= kPatience ? JudgeBySound(voice, min_voice) : VoiceVerdict::kOpen;
}

}  // namespace antiphon
