// What a sequence reads of functions: that they may be called, and what came of it.
#include <algorithm>
#include <cassert>
#include <iterator>

#include "model/stream_grammar.h"

namespace antiphon {
namespace {

std::vector<int64_t> Enclosed(int64_t begin, std::span<const int64_t> pieces, int64_t end) {
  std::vector<int64_t> symbols = {begin};
  symbols.insert(symbols.end(), pieces.begin(), pieces.end());
  symbols.push_back(end);
  return symbols;
}

}  // namespace

bool StreamGrammar::IsTool(int64_t symbol) const {
  if (!tools_.known()) return false;
  const int64_t read[] = {tools_.tools, tools_.tools_end, tools_.result, tools_.result_end};
  return std::ranges::find(read, symbol) != std::end(read);
}

std::vector<int64_t> StreamGrammar::DeclarationSymbols(std::span<const int64_t> pieces) const {
  assert(tools_.known());
  return Enclosed(tools_.tools, pieces, tools_.tools_end);
}

std::vector<int64_t> StreamGrammar::ResultSymbols(std::span<const int64_t> pieces) const {
  assert(tools_.known());
  return Enclosed(tools_.result, pieces, tools_.result_end);
}

std::optional<std::vector<int64_t>> StreamGrammar::DeclaredIn(
    std::span<const StreamPosition> positions) const {
  if (!tools_.known()) return std::nullopt;
  size_t end = positions.size();
  while (end > 0 && positions[end - 1].symbol != tools_.tools_end) --end;
  if (end == 0) return std::nullopt;
  std::vector<int64_t> pieces;
  for (size_t i = end - 1; i > 0 && positions[i - 1].symbol != tools_.tools; --i) {
    pieces.push_back(positions[i - 1].symbol);
  }
  std::ranges::reverse(pieces);
  return pieces;
}

}  // namespace antiphon
