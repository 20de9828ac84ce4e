#include "engine/step.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/tensor.h>

#include <cassert>
#include <iterator>
#include <utility>

#include "engine/batch.h"
#include "model/sampling.h"

namespace antiphon {
namespace {

at::Tensor IndexTensor(const std::vector<int64_t>& values) { return at::tensor(values, at::kLong); }

// The rows of `states`, in order.
at::Tensor SelectRows(const at::Tensor& states, const std::vector<int64_t>& rows) {
  if (static_cast<int64_t>(rows.size()) == states.size(0)) return states;
  return states.index_select(0, IndexTensor(rows).to(states.device()));
}

// Float values on the CPU, row-major.
at::Tensor OnCpu(const at::Tensor& tensor) {
  return tensor.to(at::TensorOptions().device(at::kCPU).dtype(at::kFloat)).contiguous();
}

std::span<const float> Row(const at::Tensor& matrix, int64_t row) {
  const int64_t width = matrix.size(-1);
  return {matrix.data_ptr<float>() + row * width, static_cast<size_t>(width)};
}

std::vector<int64_t> CodesOf(const at::Tensor& codes, int64_t row) {
  const int64_t* first = codes.data_ptr<int64_t>() + row * codes.size(1);
  return {first, first + codes.size(1)};
}

const StreamPosition& Last(const StepItem& item) { return item.positions.back(); }

// Where in its sequence the item's last position stands.
int64_t LastPosition(const StepItem& item) {
  return item.state->length() + static_cast<int64_t>(item.positions.size()) - 1;
}

}  // namespace

void Commit(StepItem item, SequenceState* state) {
  assert(item.state == state);
  state->stream = std::move(item.stream);
  state->pages.Append(static_cast<int64_t>(item.positions.size()));
  std::move(item.positions.begin(), item.positions.end(), std::back_inserter(state->positions));
  if (item.hearing) state->hearing = *std::move(item.hearing);
  if (item.decoder) state->decoder = *std::move(item.decoder);
  if (item.answered && item.answered->piece >= 0) state->answer.push_back(item.answered->piece);
}

StepLoad LoadOf(std::span<const StepItem> items) {
  StepLoad load;
  for (const StepItem& item : items) {
    const auto rows = static_cast<int64_t>(item.positions.size());
    load.rows += rows;
    load.attended += AttendedBy(rows, item.state->length());
    load.heard += item.samples.empty() ? 0 : 1;
    load.spoken += Last(item).speaks ? 1 : 0;
  }
  return load;
}

void CopyPage(const PageCopy& copy, KvPool& pool) {
  for (const auto* tensors : {&pool.keys, &pool.values}) {
    for (const at::Tensor& layer : *tensors) {
      layer.select(0, copy.to)
          .narrow(0, 0, copy.positions)
          .copy_(layer.select(0, copy.from).narrow(0, 0, copy.positions));
    }
  }
}

StepTimes StepRunner::Run(std::span<StepItem> items, KvPool& pool) const {
  const at::NoGradGuard no_grad;
  const TimePoint began = clock_.Now();
  const std::vector<Codes> heard = Hear(items);
  const TimePoint encoded = clock_.Now();
  PlanPositions(items, heard);
  const at::Tensor states = SelectRows(model_.Forward(BuildBatch(items), pool), LastRows(items));
  const std::vector<int64_t> symbols = ChooseSymbols(items, states);
  const TimePoint written = clock_.Now();
  const std::vector<Codes> spoken = DrawFrames(items, states);
  for (size_t i = 0; i < items.size(); ++i) Write(items[i], symbols[i], spoken[i]);
  ScoreWords(items, states);
  DecodeSpoken(items, spoken);
  return {.encode = encoded - began, .forward = written - encoded, .speak = clock_.Now() - written};
}

std::vector<StepRunner::Codes> StepRunner::Hear(std::span<StepItem> items) const {
  std::vector<Codes> codes(items.size());
  std::vector<size_t> hearing;
  std::vector<AudioHearingState*> states;
  std::vector<float> samples;  // [hearing, frame_samples]
  for (size_t i = 0; i < items.size(); ++i) {
    if (items[i].samples.empty()) continue;
    hearing.push_back(i);
    states.push_back(&items[i].hearing.emplace(items[i].state->hearing));
    samples.insert(samples.end(), items[i].samples.begin(), items[i].samples.end());
  }
  if (hearing.empty()) return codes;
  const auto rows = static_cast<int64_t>(hearing.size());
  const at::Tensor frames =
      at::from_blob(samples.data(), {rows, codec_.frame_samples()}).to(states[0]->history.device());
  const at::Tensor encoded = codec_.Hear(states, frames).to(at::kCPU).contiguous();
  for (size_t i = 0; i < hearing.size(); ++i) codes[hearing[i]] = CodesOf(encoded, static_cast<int64_t>(i));
  return codes;
}

void StepRunner::PlanPositions(std::span<StepItem> items, const std::vector<Codes>& heard) const {
  for (size_t i = 0; i < items.size(); ++i) {
    StepItem& item = items[i];
    item.stream = item.state->stream;
    if (item.answers()) {
      grammar_.Answer(&item.stream, &item.positions);
    } else if (!item.rerun.empty()) {
      item.positions.assign(item.rerun.begin(), item.rerun.end());
    } else if (item.pieces.empty()) {
      grammar_.Hear(heard[i], &item.stream, &item.positions);
    } else {
      grammar_.Type(item.pieces, &item.stream, &item.positions);
    }
  }
}

std::vector<int64_t> StepRunner::ChooseSymbols(std::span<const StepItem> items,
                                               const at::Tensor& states) const {
  std::vector<int64_t> symbols(items.size(), model_.config().symbols.pad);
  std::vector<int64_t> choosing;  // the others have no choice
  for (size_t i = 0; i < items.size(); ++i) {
    const SymbolRule rule = Last(items[i]).rule;
    if (rule == SymbolRule::kNothing) continue;
    symbols[i] = grammar_.forced(rule);
    if (symbols[i] < 0) choosing.push_back(static_cast<int64_t>(i));
  }
  if (choosing.empty()) return symbols;
  const at::Tensor logits = OnCpu(model_.SymbolLogits(SelectRows(states, choosing)));
  for (size_t i = 0; i < choosing.size(); ++i) {
    const auto index = static_cast<size_t>(choosing[i]);
    symbols[index] = ChooseSymbol(items[index], Row(logits, static_cast<int64_t>(i)));
  }
  return symbols;
}

int64_t StepRunner::ChooseSymbol(const StepItem& item, std::span<const float> logits) const {
  if (Last(item).rule == SymbolRule::kHearing) return grammar_.ChooseHearing(logits, item.endpoint_threshold);
  // A call quotes what was said, and JSON repeats itself: no penalty there.
  const bool call = Last(item).rule == SymbolRule::kCallPiece;
  const std::span<const int64_t> said = call ? std::span<const int64_t>() : item.state->answer;
  return Draw(logits, grammar_.allowed(Last(item).rule), item.sampling, said,
              {.position = LastPosition(item), .channel = 0});
}

std::vector<StepRunner::Codes> StepRunner::DrawFrames(std::span<const StepItem> items,
                                                      const at::Tensor& states) const {
  std::vector<Codes> codes(items.size());
  std::vector<int64_t> speaking;
  for (size_t i = 0; i < items.size(); ++i) {
    if (Last(items[i]).speaks) speaking.push_back(static_cast<int64_t>(i));
  }
  if (speaking.empty()) return codes;
  const auto draw = [&](int64_t row, int64_t codebook, const at::Tensor& logits) {
    const StepItem& item = items[static_cast<size_t>(speaking[static_cast<size_t>(row)])];
    const at::Tensor values = OnCpu(logits);
    return Draw({values.data_ptr<float>(), static_cast<size_t>(values.numel())}, {}, item.sampling, {},
                {.position = LastPosition(item), .channel = 1 + codebook});
  };
  const at::Tensor drawn = model_.DrawFrames(SelectRows(states, speaking), draw).contiguous();
  for (size_t i = 0; i < speaking.size(); ++i) {
    codes[static_cast<size_t>(speaking[i])] = CodesOf(drawn, static_cast<int64_t>(i));
  }
  return codes;
}

void StepRunner::Write(StepItem& item, int64_t symbol, const Codes& codes) const {
  item.symbol = symbol;
  item.codes = codes;
  if (!Last(item).has_output()) return;
  if (item.answers()) {
    item.answered = grammar_.WriteAnswer(symbol, codes, &item.stream);
  } else {
    item.heard = grammar_.WriteHearing(symbol, &item.stream);
  }
}

void StepRunner::ScoreWords(std::span<StepItem> items, const at::Tensor& states) const {
  std::vector<StepItem*> speaking;
  std::vector<int64_t> rows;
  std::vector<std::span<const int64_t>> words;
  for (size_t i = 0; i < items.size(); ++i) {
    if (!items[i].answered || !items[i].answered->has_frame || items[i].words.empty()) continue;
    speaking.push_back(&items[i]);
    rows.push_back(static_cast<int64_t>(i));
    words.push_back(items[i].words);
  }
  if (speaking.empty()) return;
  std::vector<std::vector<float>> scores = model_.WordScores(SelectRows(states, rows), words);
  for (size_t i = 0; i < speaking.size(); ++i) speaking[i]->word_scores = std::move(scores[i]);
}

void StepRunner::DecodeSpoken(std::span<StepItem> items, const std::vector<Codes>& codes) const {
  std::vector<StepItem*> speaking;
  std::vector<AudioDecoderState*> states;
  std::vector<int64_t> frames;  // [speaking, K]
  for (size_t i = 0; i < items.size(); ++i) {
    if (!items[i].answered || !items[i].answered->has_frame) continue;
    speaking.push_back(&items[i]);
    states.push_back(&items[i].decoder.emplace(items[i].state->decoder));
    frames.insert(frames.end(), codes[i].begin(), codes[i].end());
  }
  if (speaking.empty()) return;
  const at::Tensor batch = IndexTensor(frames).view({static_cast<int64_t>(speaking.size()), -1});
  const std::vector<at::Tensor> made = codec_.Decode(states, batch.to(states[0]->history.device()));
  for (size_t i = 0; i < speaking.size(); ++i) {
    const at::Tensor samples = OnCpu(made[i].clamp(-1.0, 1.0));
    const float* first = samples.data_ptr<float>();
    speaking[i]->speech.assign(first, first + samples.numel());
  }
}

}  // namespace antiphon
