#include "model/stream_grammar.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

#include "model/sampling.h"

namespace antiphon {

StreamGrammar::StreamGrammar(const ModelConfig& config)
    : symbols_(config.symbols),
      speech_lead_(config.speech_lead),
      end_of_audio_(config.end_of_audio()),
      codebooks_(config.codebook_sizes.size()),
      hearing_(config.symbols.vocab_size, 1) {
  for (const int64_t control :
       {symbols_.pad, symbols_.unk, symbols_.bos, symbols_.end, symbols_.user, symbols_.assistant}) {
    hearing_.at(control) = 0;
  }
  answering_ = hearing_;
  pad_.assign(hearing_.size(), 0);
  hearing_[symbols_.pad] = 1;
  answering_[symbols_.end] = 1;
  pad_[symbols_.pad] = 1;
}

bool StreamGrammar::is_text(int64_t symbol) const {
  return symbol >= 0 && symbol < symbols_.vocab_size && answering_[symbol] != 0 && symbol != symbols_.end;
}

std::span<const uint8_t> StreamGrammar::allowed(SymbolRule rule) const {
  assert(rule != SymbolRule::kNothing);
  if (rule == SymbolRule::kHearing) return hearing_;
  return rule == SymbolRule::kAnswering ? answering_ : pad_;
}

void StreamGrammar::OpenTurn(std::span<const int64_t> heard, StreamState* state,
                             std::vector<StreamPosition>* plan) const {
  if (state->phase == StreamState::Phase::kNew) plan->push_back({.symbol = symbols_.bos});
  if (state->phase == StreamState::Phase::kClosing) plan->push_back({.symbol = symbols_.end});
  plan->push_back({.symbol = symbols_.user, .heard = {heard.begin(), heard.end()}});
  *state = StreamState{.phase = StreamState::Phase::kListening, .next_symbol = symbols_.pad};
}

void StreamGrammar::Hear(std::span<const int64_t> codes, StreamState* state,
                         std::vector<StreamPosition>* plan) const {
  assert(!state->awaits_output && !state->in_response() && codes.size() == codebooks_);
  if (state->in_turn()) {
    plan->push_back({.symbol = state->next_symbol, .heard = {codes.begin(), codes.end()}});
    state->next_symbol = symbols_.pad;
  } else {
    OpenTurn(codes, state, plan);
  }
  plan->back().rule = SymbolRule::kHearing;
  state->awaits_output = true;
}

void StreamGrammar::Type(std::span<const int64_t> pieces, StreamState* state,
                         std::vector<StreamPosition>* plan) const {
  assert(!state->awaits_output && !state->in_response());
  if (!state->in_turn()) OpenTurn({}, state, plan);
  // A transcript piece that waits for the next heard frame (next_symbol) goes on waiting.
  for (const int64_t piece : pieces) {
    assert(is_text(piece));
    plan->push_back({.symbol = piece});
  }
}

double StreamGrammar::EndpointProbability(std::span<const float> logits) const {
  const float largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  return std::exp(static_cast<double>(logits[symbols_.assistant]) - largest) / sum;
}

int64_t StreamGrammar::ChooseHearing(std::span<const float> logits, float threshold) const {
  if (threshold < 1.0f && EndpointProbability(logits) > threshold) return symbols_.assistant;
  return ArgMax(logits, hearing_);
}

HearingOutcome StreamGrammar::WriteHearing(int64_t symbol, StreamState* state) const {
  assert(state->in_turn() && state->awaits_output);
  state->awaits_output = false;
  if (symbol == symbols_.assistant) return {.turn_over = true};
  state->next_symbol = symbol;
  return {.piece = symbol == symbols_.pad ? -1 : symbol};
}

void StreamGrammar::BeginResponse(bool speak, ResponseLimits limits, StreamState* state) const {
  assert(state->in_turn() && !state->awaits_output);
  *state = StreamState{.phase = StreamState::Phase::kAnswering,
                       .speak = speak,
                       .next_symbol = symbols_.assistant,
                       .limits = limits};
}

void StreamGrammar::Answer(StreamState* state, std::vector<StreamPosition>* plan) const {
  assert(state->in_response() && !state->awaits_output);
  plan->push_back({.symbol = state->next_symbol,
                   .spoken = std::exchange(state->next_spoken, {}),
                   .rule = state->text_over ? SymbolRule::kPad : SymbolRule::kAnswering,
                   .speaks = state->speak && !state->audio_over && state->response_position >= speech_lead_});
  ++state->response_position;
  state->awaits_output = true;
}

AnswerOutcome StreamGrammar::WriteAnswer(int64_t symbol, std::span<const int64_t> codes,
                                         StreamState* state) const {
  assert(state->in_response() && state->awaits_output);
  AnswerOutcome outcome;
  state->awaits_output = false;

  if (!state->text_over) {
    if (symbol != symbols_.end && state->pieces == state->limits.max_pieces) {
      symbol = symbols_.end;
      state->incomplete = true;
    }
    outcome.text_over = state->text_over = symbol == symbols_.end;
    if (!state->text_over) {
      outcome.piece = symbol;
      ++state->pieces;
    }
  }
  state->next_symbol = symbol;

  if (!codes.empty()) {
    assert(codes.size() == codebooks_);
    state->audio_over = codes[0] == end_of_audio_;
    if (!state->audio_over) {
      outcome.has_frame = true;
      state->next_spoken.assign(codes.begin(), codes.end());
      if (++state->frames == state->limits.max_frames) state->audio_over = state->incomplete = true;
    }
    outcome.audio_over = state->audio_over;
  }

  outcome.done = state->text_over && (state->audio_over || !state->speak);
  if (outcome.done) {
    // A spoken answer has read its `<end>` while the voice went on (or ends with it unread, as in training);
    // a written one has not, so its next turn begins with that.
    state->phase = state->speak ? StreamState::Phase::kBetween : StreamState::Phase::kClosing;
    state->next_spoken.clear();
  }
  return outcome;
}

void StreamGrammar::CancelResponse(StreamState* state) const {
  assert(state->in_response());
  *state = StreamState{.phase = StreamState::Phase::kBetween};
}

}  // namespace antiphon
