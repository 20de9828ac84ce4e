#include "engine/batch.h"

namespace antiphon {
namespace {

void AddCodes(int64_t row, const std::vector<int64_t>& codes, ChannelCodes* channel) {
  if (codes.empty()) return;
  channel->rows.push_back(row);
  channel->codes.insert(channel->codes.end(), codes.begin(), codes.end());
}

}  // namespace

RaggedBatch BuildBatch(std::span<const StepItem> items) {
  RaggedBatch batch;
  for (const StepItem& item : items) {
    const auto pages = item.state->pages.pages();
    batch.spans.push_back({.first_row = batch.rows(),
                           .rows = static_cast<int64_t>(item.positions.size()),
                           .context = item.state->length(),
                           .pages = {pages.begin(), pages.end()}});
    for (const StreamPosition& position : item.positions) {
      AddCodes(batch.rows(), position.heard, &batch.heard);
      AddCodes(batch.rows(), position.spoken, &batch.spoken);
      batch.symbols.push_back(position.symbol);
    }
  }
  return batch;
}

std::vector<int64_t> LastRows(std::span<const StepItem> items) {
  std::vector<int64_t> rows;
  int64_t row = -1;
  for (const StepItem& item : items) rows.push_back(row += static_cast<int64_t>(item.positions.size()));
  return rows;
}

}  // namespace antiphon
