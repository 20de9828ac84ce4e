#include "conversation/conversation_state.h"

namespace antiphon {
using State = ConversationState;

std::optional<ConversationState> Next(ConversationState state, Move move) {
  const bool open = state == State::kTyping || state == State::kHearing;
  const bool responding = state == State::kResponding || state == State::kCancelling;
  switch (move) {
    case Move::kVoice:
      if (state == State::kWaiting || state == State::kTyping) return State::kHearing;
      break;
    case Move::kContent:
      if (state == State::kWaiting) return State::kTyping;
      if (open) return state;
      break;
    case Move::kNoise:
      if (state == State::kHearing) return State::kTyping;
      break;
    case Move::kForget:
      if (!responding) return State::kWaiting;
      break;
    case Move::kEnd:
      if (open) return State::kEnding;
      break;
    case Move::kAnswer:
      if (!responding) return State::kResponding;
      break;
    case Move::kCancel:
      if (state == State::kResponding) return State::kCancelling;
      break;
    case Move::kResponseDone:
      if (responding) return State::kWaiting;
      break;
  }
  return std::nullopt;
}

std::string_view Name(ConversationState state) {
  switch (state) {
    case State::kWaiting:
      return "waiting";
    case State::kTyping:
      return "typing";
    case State::kHearing:
      return "hearing";
    case State::kEnding:
      return "ending";
    case State::kResponding:
      return "responding";
    case State::kCancelling:
      return "cancelling";
  }
  return "unknown";
}

}  // namespace antiphon
