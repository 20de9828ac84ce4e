// Responses that the user did not hear to their end.
#include <algorithm>
#include <cassert>

#include "model/stream_grammar.h"

namespace antiphon {
namespace {

bool SameInput(const StreamPosition& a, const StreamPosition& b) {
  return a.symbol == b.symbol && a.spoken == b.spoken;
}

}  // namespace

// What the symbol channel reads of it, `<end>` included.
std::vector<int64_t> StreamGrammar::SymbolsOfCut(std::span<const StreamPosition> response,
                                                 int64_t pieces) const {
  std::vector<int64_t> symbols = {symbols_.assistant};
  size_t open = 0;  // where the picture or call that is open begins in `symbols`; 0: none is
  for (const StreamPosition& position : response.subspan(1)) {
    const int64_t symbol = position.symbol;
    if ((image_.known() && symbol == image_.begin) || (tools_.known() && symbol == tools_.call)) {
      open = symbols.size();
    }
    const bool piece = open == 0 && is_text(symbol) && pieces-- > 0;
    if (piece || open > 0 || manner_.SpeedOf(symbol) || manner_.VoiceOf(symbol)) symbols.push_back(symbol);
    if ((image_.known() && symbol == image_.end) || (tools_.known() && symbol == tools_.call_end)) open = 0;
  }
  if (open > 0) symbols.resize(open);
  symbols.push_back(symbols_.end);
  return symbols;
}

CutAnswer StreamGrammar::Cut(std::span<const StreamPosition> run, const StreamState& state, int64_t pieces,
                             int64_t frames) const {
  assert(!run.empty() && run[0].symbol == symbols_.assistant && !state.awaits_output);
  std::vector<StreamPosition> response(run.begin(), run.end());
  if (state.in_response()) response.push_back({.symbol = state.next_symbol, .spoken = state.next_spoken});
  std::vector<std::vector<int64_t>> spoken;
  for (const StreamPosition& position : response) {
    if (!position.spoken.empty()) spoken.push_back(position.spoken);
  }
  frames = std::clamp<int64_t>(frames, 0, static_cast<int64_t>(spoken.size()));
  const std::vector<int64_t> symbols = SymbolsOfCut(response, pieces);
  CutAnswer cut;
  if (frames == 0 && symbols.size() == 2) return cut;

  const int64_t first_frame = speech_lead_ + 1;  // the position that reads it
  const auto length = std::max(static_cast<int64_t>(symbols.size()), frames > 0 ? first_frame + frames : 0);
  for (int64_t j = 0; j < length; ++j) {
    StreamPosition position{.symbol = symbols_.pad};
    if (j < static_cast<int64_t>(symbols.size())) position.symbol = symbols[static_cast<size_t>(j)];
    const int64_t frame = j - first_frame;
    if (frame >= 0 && frame < frames) position.spoken = spoken[static_cast<size_t>(frame)];
    const bool same = cut.kept == j && j < static_cast<int64_t>(run.size()) &&
                      SameInput(position, run[static_cast<size_t>(j)]);
    if (same) {
      ++cut.kept;
    } else {
      cut.rerun.push_back(std::move(position));
    }
  }
  return cut;
}

}  // namespace antiphon
