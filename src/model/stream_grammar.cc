#include "model/stream_grammar.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

#include "model/sampling.h"

namespace antiphon {

StreamGrammar::StreamGrammar(const ModelConfig& config)
    : symbols_(config.symbols),
      image_(config.image),
      manner_(config.manner),
      tools_(config.tools),
      speech_lead_(config.speech_lead),
      end_of_audio_(config.end_of_audio()),
      codebooks_(config.codebook_sizes.size()),
      text_(static_cast<size_t>(symbols_.vocab_size), 0) {
  std::fill_n(text_.begin(), symbols_.text_pieces, 1);
  for (const int64_t control :
       {symbols_.pad, symbols_.unk, symbols_.bos, symbols_.end, symbols_.user, symbols_.assistant}) {
    text_.at(control) = 0;
  }
  allowed_.fill(std::vector<uint8_t>(text_.size(), 0));
  mask(SymbolRule::kHearing) = mask(SymbolRule::kAnswering) = text_;
  mask(SymbolRule::kHearing)[symbols_.pad] = 1;
  mask(SymbolRule::kAnswering)[symbols_.end] = 1;
  mask(SymbolRule::kPad)[symbols_.pad] = 1;
  mask(SymbolRule::kEnd)[symbols_.end] = 1;
  for (const bool image : {false, true}) {
    for (const bool speed : {false, true}) {
      for (const bool voice : {false, true}) {
        std::vector<uint8_t>& more = mask(AnsweringRule(image, speed, voice));
        more = mask(SymbolRule::kAnswering);
        if (image && image_.known()) more.at(image_.begin) = 1;
        if (manner_.known()) {
          for (const int64_t symbol : manner_.speeds) more.at(symbol) = speed ? 1 : 0;
          for (const int64_t symbol : manner_.voices) more.at(symbol) = voice ? 1 : 0;
        }
        std::vector<uint8_t>& call = mask(AnsweringRule(image, speed, voice, /*call=*/true));
        call = more;
        if (tools_.known()) call.at(tools_.call) = 1;
      }
    }
  }
  if (tools_.known()) {
    mask(SymbolRule::kCallPiece) = text_;
    mask(SymbolRule::kCallPiece).at(tools_.call_end) = mask(SymbolRule::kCallEnd).at(tools_.call_end) = 1;
  }
  if (!image_.known()) return;
  std::fill_n(mask(SymbolRule::kImageCode).begin() + image_.first_code, image_.codebook_size, 1);
  mask(SymbolRule::kImageEnd).at(image_.end) = 1;
}

bool StreamGrammar::is_text(int64_t symbol) const {
  return symbol >= 0 && symbol < symbols_.vocab_size && text_[symbol] != 0;
}

std::span<const uint8_t> StreamGrammar::allowed(SymbolRule rule) const {
  assert(rule != SymbolRule::kNothing);
  return allowed_[static_cast<size_t>(rule)];
}

int64_t StreamGrammar::forced(SymbolRule rule) const {
  assert(rule != SymbolRule::kNothing);
  if (rule == SymbolRule::kPad) return symbols_.pad;
  if (rule == SymbolRule::kEnd) return symbols_.end;
  if (rule == SymbolRule::kCallEnd) return tools_.call_end;
  return rule == SymbolRule::kImageEnd ? image_.end : -1;
}

void StreamGrammar::OpenTurn(std::span<const int64_t> heard, StreamState* state,
                             std::vector<StreamPosition>* plan) const {
  if (state->phase == StreamState::Phase::kNew) plan->push_back({.symbol = symbols_.bos});
  if (state->phase == StreamState::Phase::kClosing) plan->push_back({.symbol = state->next_symbol});
  plan->push_back({.symbol = symbols_.user, .heard = {heard.begin(), heard.end()}});
  *state = StreamState{.phase = StreamState::Phase::kListening, .next_symbol = symbols_.pad};
}

void StreamGrammar::Instruct(std::span<const int64_t> pieces, StreamState* state,
                             std::vector<StreamPosition>* plan) const {
  assert(state->phase == StreamState::Phase::kNew);
  plan->push_back({.symbol = symbols_.bos});
  for (const int64_t piece : pieces) {
    assert(is_text(piece));
    plan->push_back({.symbol = piece});
  }
  *state = StreamState{.phase = StreamState::Phase::kBetween};
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
    assert(is_text(piece) || piece == image_.begin || piece == image_.end || image_.is_code(piece) ||
           IsTool(piece));
    plan->push_back({.symbol = piece});
  }
}

std::vector<int64_t> StreamGrammar::ImageSymbols(std::span<const int> codes) const {
  assert(image_.known() && static_cast<int64_t>(codes.size()) == image_.codes());
  std::vector<int64_t> symbols = {image_.begin};
  for (const int code : codes) symbols.push_back(image_.first_code + code);
  symbols.push_back(image_.end);
  return symbols;
}

double StreamGrammar::EndpointProbability(std::span<const float> logits) const {
  const float largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  return std::exp(static_cast<double>(logits[symbols_.assistant]) - largest) / sum;
}

int64_t StreamGrammar::ChooseHearing(std::span<const float> logits, float threshold) const {
  const double over = EndpointProbability(logits);
  if (threshold < 1.0f && over > threshold) return symbols_.assistant;
  if (over > 0.5) return symbols_.pad;
  return ArgMax(logits, allowed(SymbolRule::kHearing));
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

SymbolRule StreamGrammar::RuleOfAnswer(const StreamState& state) const {
  if (state.text_over) return SymbolRule::kPad;
  if (state.drawing) {
    return state.image_codes < image_.codes() ? SymbolRule::kImageCode : SymbolRule::kImageEnd;
  }
  if (state.calling) {
    return state.call_pieces < state.limits.max_call_pieces ? SymbolRule::kCallPiece : SymbolRule::kCallEnd;
  }
  if (state.called) return SymbolRule::kEnd;
  const bool may_draw = image_.known() && state.images < state.limits.max_images;
  return AnsweringRule(may_draw, manner_.known() && !state.speed_chosen,
                       manner_.known() && !state.voice_chosen, tools_.known() && state.limits.may_call);
}

void StreamGrammar::Answer(StreamState* state, std::vector<StreamPosition>* plan) const {
  assert(state->in_response() && !state->awaits_output);
  plan->push_back({.symbol = state->next_symbol,
                   .spoken = std::exchange(state->next_spoken, {}),
                   .rule = RuleOfAnswer(*state),
                   .speaks = state->speak && !state->audio_over && state->response_position >= speech_lead_});
  if (image_.known()) {
    if (state->next_symbol == image_.begin) state->image_open = true;
    if (state->next_symbol == image_.end) state->image_open = false;
  }
  if (tools_.known()) {
    if (state->next_symbol == tools_.call) state->call_open = true;
    if (state->next_symbol == tools_.call_end) state->call_open = false;
  }
  ++state->response_position;
  state->awaits_output = true;
}

AnswerOutcome StreamGrammar::WriteAnswer(int64_t symbol, std::span<const int64_t> codes,
                                         StreamState* state) const {
  assert(state->in_response() && state->awaits_output);
  AnswerOutcome outcome;
  state->awaits_output = false;
  WriteSymbol(symbol, state, &outcome);
  if (!codes.empty()) WriteFrame(codes, state, &outcome);

  outcome.done = state->text_over && (state->audio_over || !state->speak);
  if (outcome.done) {
    // A spoken answer has read its `<end>` while the voice went on (or ends with it unread, as in training);
    // a written one has not, so its next turn begins with that.
    state->phase = state->speak ? StreamState::Phase::kBetween : StreamState::Phase::kClosing;
    state->next_spoken.clear();
  }
  return outcome;
}

void StreamGrammar::WriteSymbol(int64_t symbol, StreamState* state, AnswerOutcome* outcome) const {
  const bool draws = state->drawing || (image_.known() && symbol == image_.begin);
  const bool calls = state->calling || (tools_.known() && symbol == tools_.call);
  if (draws) {
    WriteImageSymbol(symbol, state, outcome);
  } else if (calls) {
    WriteCallSymbol(symbol, state, outcome);
  } else if (!state->text_over && !WriteManner(symbol, state, outcome)) {
    if (symbol != symbols_.end && state->pieces == state->limits.max_pieces) {
      symbol = symbols_.end;
      state->incomplete = true;
    }
    outcome->text_over = state->text_over = symbol == symbols_.end;
    if (!state->text_over) {
      outcome->piece = symbol;
      ++state->pieces;
    }
  }
  state->next_symbol = symbol;
}

// False for a symbol that chooses nothing.
bool StreamGrammar::WriteManner(int64_t symbol, StreamState* state, AnswerOutcome* outcome) const {
  outcome->speed = manner_.SpeedOf(symbol);
  outcome->voice = manner_.VoiceOf(symbol);
  state->speed_chosen |= outcome->speed.has_value();
  state->voice_chosen |= outcome->voice.has_value();
  return outcome->speed || outcome->voice;
}

void StreamGrammar::WriteImageSymbol(int64_t symbol, StreamState* state, AnswerOutcome* outcome) const {
  if (symbol == image_.begin) {
    outcome->image_begun = state->drawing = true;
    state->image_codes = 0;
  } else if (symbol == image_.end) {
    state->drawing = false;
  } else {
    outcome->image_code = symbol - image_.first_code;
    outcome->image_complete = ++state->image_codes == image_.codes();
    if (outcome->image_complete) ++state->images;
  }
}

void StreamGrammar::WriteCallSymbol(int64_t symbol, StreamState* state, AnswerOutcome* outcome) const {
  if (symbol == tools_.call) {
    outcome->call_begun = state->calling = true;
  } else if (symbol == tools_.call_end) {
    state->calling = false;
    outcome->call_complete = state->called = true;
  } else {
    outcome->call_piece = symbol;
    ++state->call_pieces;
  }
}

void StreamGrammar::WriteFrame(std::span<const int64_t> codes, StreamState* state,
                               AnswerOutcome* outcome) const {
  assert(codes.size() == codebooks_);
  state->audio_over = codes[0] == end_of_audio_;
  if (!state->audio_over) {
    outcome->has_frame = true;
    state->next_spoken.assign(codes.begin(), codes.end());
    if (++state->frames == state->limits.max_frames) state->audio_over = state->incomplete = true;
  }
  outcome->audio_over = state->audio_over;
}

void StreamGrammar::CancelResponse(StreamState* state) const {
  assert(state->in_response());
  const bool open = state->image_open || state->call_open;
  const int64_t closing = state->image_open ? image_.end : tools_.call_end;
  *state = open ? StreamState{.phase = StreamState::Phase::kClosing, .next_symbol = closing}
                : StreamState{.phase = StreamState::Phase::kBetween};
}

}  // namespace antiphon
