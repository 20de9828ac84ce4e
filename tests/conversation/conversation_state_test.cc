#include "conversation/conversation_state.h"

#include <gtest/gtest.h>

#include <array>
#include <map>

namespace antiphon {
namespace {

using State = ConversationState;

constexpr std::array kStates = {State::kWaiting, State::kTyping,     State::kHearing,
                                State::kEnding,  State::kResponding, State::kCancelling};
constexpr std::array kMoves = {Move::kVoice, Move::kContent, Move::kNoise,  Move::kForget,
                               Move::kEnd,   Move::kAnswer,  Move::kCancel, Move::kResponseDone};

// The diagram of the header, edge by edge. What is not here must be refused.
const std::map<std::pair<State, Move>, State> kLegal = {
    {{State::kWaiting, Move::kVoice}, State::kHearing},
    {{State::kWaiting, Move::kContent}, State::kTyping},
    {{State::kWaiting, Move::kForget}, State::kWaiting},
    {{State::kWaiting, Move::kAnswer}, State::kResponding},
    {{State::kTyping, Move::kVoice}, State::kHearing},
    {{State::kTyping, Move::kContent}, State::kTyping},
    {{State::kTyping, Move::kForget}, State::kWaiting},
    {{State::kTyping, Move::kEnd}, State::kEnding},
    {{State::kTyping, Move::kAnswer}, State::kResponding},
    {{State::kHearing, Move::kContent}, State::kHearing},
    {{State::kHearing, Move::kNoise}, State::kTyping},
    {{State::kHearing, Move::kForget}, State::kWaiting},
    {{State::kHearing, Move::kEnd}, State::kEnding},
    {{State::kHearing, Move::kAnswer}, State::kResponding},
    {{State::kEnding, Move::kForget}, State::kWaiting},
    {{State::kEnding, Move::kAnswer}, State::kResponding},
    {{State::kResponding, Move::kCancel}, State::kCancelling},
    {{State::kResponding, Move::kResponseDone}, State::kWaiting},
    {{State::kCancelling, Move::kResponseDone}, State::kWaiting},
};

TEST(ConversationStateTest, AllowsExactlyTheMovesOfTheDiagram) {
  for (const State state : kStates) {
    for (const Move move : kMoves) {
      SCOPED_TRACE(std::string(Name(state)) + " move " + std::to_string(static_cast<int>(move)));
      const auto legal = kLegal.find({state, move});
      const std::optional<State> next = Next(state, move);
      ASSERT_EQ(next.has_value(), legal != kLegal.end());
      if (next) {
        EXPECT_EQ(*next, legal->second);
      }
    }
  }
}

TEST(ConversationStateTest, EveryStateLeadsBackToWaiting) {
  for (State state : kStates) {
    const bool responding = state == State::kResponding || state == State::kCancelling;
    EXPECT_EQ(Next(state, responding ? Move::kResponseDone : Move::kForget), State::kWaiting);
  }
}

}  // namespace
}  // namespace antiphon
