// The model's calls of the client's functions: what comes back of them.
#include <utility>

#include "common/logging.h"
#include "conversation/conversation.h"

namespace antiphon {

// What ApplyUpdate lets pass no model that knows functions refuses.
void Conversation::DeclareFunctions() {
  if (!model_.calls_functions) return;
  const Status declared = sequence_->DeclareFunctions(SignaturesOf(config_.functions));
  if (!declared.ok()) LogError("session {}: functions: {}", options_.session_id, declared.ToString());
}

// An answer is mostly still being spoken when its call is complete, and a voice may be about to be a turn.
Conversation::Answer Conversation::Take(const client_event::FunctionCallOutput& output, TimePoint) {
  if (!model_.calls_functions) {
    return Refusal{Status(StatusCode::kUnimplemented, "this model knows no functions"),
                   "function_call_output"};
  }
  if (Answer mistake = calls_.Check(output)) return mistake;
  if (!response_due() && !interruption_) return GiveOutput(output);
  calls_.Hold(output);
  return std::nullopt;
}

Conversation::Answer Conversation::GiveOutput(const client_event::FunctionCallOutput& output) {
  if (state_ == ConversationState::kWaiting) ShowHeldVideo();
  if (Status status = sequence_->AppendFunctionResult(output.output); !status.ok()) {
    return Refusal{Status(status.code(), output.call_id + ": " + status.message()),
                   "function_call_output.output"};
  }
  calls_.Give(output.call_id);
  Make(Move::kContent);
  ++content_.outputs;
  content_.reply |= output.respond;
  return std::nullopt;
}

// As soon as nobody has the word. While the user has it an output is answered together with what is said, or
// when that turns out to be noise.
void Conversation::ReplyToOutputs() {
  if (response_due() || interruption_ || export_ != ExportState::kNone) return;
  while (calls_.holds()) {
    if (Answer mistake = GiveOutput(calls_.TakeHeld())) Refuse(*std::move(mistake), "");
  }
  if (!content_.reply || state_ != ConversationState::kTyping) return;
  ledger_.Committed(clock_.Now());
  EndTurn(TurnEndCause::kCommit);
}

}  // namespace antiphon
