#include "engine/speculation.h"

namespace antiphon {

StepItem Speculation::BeginStep() const {
  StepItem item;
  item.state = &state_;
  item.sampling = sampling_;
  item.words = words_;
  return item;
}

void Speculation::FinishStep(StepItem item) {
  written_.push_back(
      {*item.answered, std::move(item.speech), std::move(item.word_scores),
       RecordedAnswer{.position = state_.length(), .symbol = item.symbol, .codes = item.codes}});
  Commit(std::move(item), &state_);
}

}  // namespace antiphon
