// The functions of a sequence: when the model reads of them, and what it writes of a call.
#include <string>
#include <utility>
#include <variant>

#include "engine/live_sequence.h"

namespace antiphon {

// Of the newest declaration, what is still to be run included: that is what a cut or a restore has left.
std::vector<int64_t> LiveSequence::FunctionsInContext() const {
  auto declared = context_.grammar.DeclaredIn(rerun_);
  if (!declared) declared = context_.grammar.DeclaredIn(state_.positions);
  return std::move(declared).value_or(std::vector<int64_t>{});
}

// The front input is about to open a turn: before it the model reads what is new. A turn of which something
// was refused is not answered, and need not know.
void LiveSequence::DeclareFunctions() {
  if (!context_.config.tools.known() || stream().in_turn() || turn_lost_) return;
  if (std::holds_alternative<FunctionDeclaration>(waiting_.front())) return;
  if (FunctionsInContext() == functions_) return;
  waiting_.emplace_front(
      FunctionDeclaration{context_.grammar.DeclarationSymbols(functions_), context_.clock.Now()});
}

// There is nothing else in the open turn yet.
bool LiveSequence::JustDeclared() const {
  const ToolSymbols& tools = context_.config.tools;
  return tools.known() && !state_.positions.empty() && state_.positions.back().symbol == tools.tools_end;
}

void LiveSequence::FinishCallSymbol(const AnswerOutcome& outcome) {
  if (outcome.call_begun) {
    call_decoder_ = {};
    return;
  }
  std::string text;
  if (outcome.call_piece >= 0) {
    ++call_pieces_;
    text = call_decoder_.Append(context_.tokenizer, outcome.call_piece);
    if (text.empty()) return;
  }
  if (outcome.call_complete) ++calls_;
  port_->Deliver(turn_,
                 ResponseCall{.text = std::move(text), .complete = outcome.call_complete, .at = last_run_});
}

}  // namespace antiphon
