// The life of a turn: an enum, and the one function that says which moves are legal. (A conversation that is
// imported begins in the state it was exported in.)
//
//                 kVoice                  kEnd                  kAnswer                kCancel
//     kWaiting ------------> kHearing -----------> kEnding -----------> kResponding ----------> kCancelling
//      ^  |  ^   kForget      |   ^                 ^  |                     |                       |
//      |  |  +----------------+   |                 |  | kForget             |                       |
//      |  |             kNoise|   | kVoice          |  v                     | kResponseDone         |
//      |  | kContent          v   |                 | kWaiting               v                       |
//      |  +---------------> kTyping ----------------+               kWaiting <-----------------------+
//      |     kForget          |            kEnd
//      +----------------------+
//
//   kContent is a loop in kTyping and kHearing, kForget in kWaiting.
//   kAnswer, the engine's word that the turn is over, is also legal in kWaiting, kTyping and kHearing: the
//   model may take its turn by itself, and may have done so just before it was told to forget the turn.
//   Everything not drawn or said here is refused.
#pragma once

#include <optional>
#include <string_view>

namespace antiphon {

enum class ConversationState {
  kWaiting,     // no turn is open; frames are kept only for the moment before a voice sets in
  kTyping,      // a turn is open, of text and pictures so far; no frame goes to the engine
  kHearing,     // a turn is open and its frames go to the engine
  kEnding,      // the engine was told to end the turn and has not said that it did
  kResponding,  // the response is under way; input audio is heard only for an interruption
  kCancelling,  // the client wants no more of the response; the engine has not said that it stopped
};

enum class Move {
  kVoice,         // a voice set in
  kContent,       // text was typed or a picture came
  kNoise,         // what seemed a voice was noise, but the turn has content: stop hearing, keep the turn
  kForget,        // the turn was cleared: by the client, as noise, or because the engine refused part of it
  kEnd,           // the turn was ended by commit, silence or length
  kAnswer,        // the engine ended the turn and answers
  kCancel,        // the client cancelled the response
  kResponseDone,  // the engine's last word on the response
};

// Where `move` leads from `state`; nullopt when it is refused.
std::optional<ConversationState> Next(ConversationState state, Move move);

std::string_view Name(ConversationState state);

}  // namespace antiphon
