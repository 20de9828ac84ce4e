// One step: the work of several sequences through codec, backbone and depth decoder together.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "antiphon/types.h"
#include "common/clock.h"
#include "engine/cost_model.h"
#include "engine/sequence_state.h"
#include "model/audio_codec.h"
#include "model/language_model.h"
#include "model/ragged_batch.h"
#include "model/stream_grammar.h"

namespace antiphon {

// The part of one sequence in a step: hear one frame (`samples` is set), type or show (`pieces` is set), run
// given positions once more (`rerun` is set) or answer (none of them). The step only reads `state` and leaves
// its results beside it; Commit takes them over.
struct StepItem {
  const SequenceState* state = nullptr;  // its pages are reserved for all rows of the item
  std::span<const float> samples;
  std::span<const int64_t> pieces;
  std::span<const StreamPosition> rerun;  // without outputs
  std::span<const int64_t> words;         // of an answer: the first piece of each so far
  float endpoint_threshold = 1.0f;        // 1: the model cannot end the turn
  SamplingOptions sampling;

  // Results.
  StreamState stream;
  std::vector<StreamPosition> positions;  // that were run
  std::optional<AudioHearingState> hearing;
  std::optional<AudioDecoderState> decoder;
  std::optional<HearingOutcome> heard;
  std::optional<AnswerOutcome> answered;
  int64_t symbol = 0;              // that the last position wrote; `<pad>` if it had nothing to write
  std::vector<int64_t> codes;      // that were drawn there, the end of audio included; or none
  std::vector<float> speech;       // samples of one frame in [-1, 1], if answered->has_frame
  std::vector<float> word_scores;  // of that frame: LanguageModel::WordScores

  bool answers() const { return samples.empty() && pieces.empty() && rerun.empty(); }
};

// Makes the item's results the state it read. REQUIRES: `state` is the item's.
void Commit(StepItem item, SequenceState* state);

// What the items cost, for the cost model. REQUIRES: they were run.
StepLoad LoadOf(std::span<const StepItem> items);

// Copies a page in every layer of `pool`.
void CopyPage(const PageCopy& copy, KvPool& pool);

// Runs steps. Holds no state of its own; what it is made of outlives it. One thread.
class StepRunner {
 public:
  StepRunner(const LanguageModel& model, const AudioCodec& codec, const StreamGrammar& grammar,
             const Clock& clock)
      : model_(model), codec_(codec), grammar_(grammar), clock_(clock) {}

  // Runs all items. What a sequence gets does not depend on what else is among them. May throw whatever model
  // and codec throw; the results are then worthless, but no sequence has changed. REQUIRES: items is not
  // empty and has no results yet.
  StepTimes Run(std::span<StepItem> items, KvPool& pool) const;

 private:
  using Codes = std::vector<int64_t>;  // K, or none

  std::vector<Codes> Hear(std::span<StepItem> items) const;
  void PlanPositions(std::span<StepItem> items, const std::vector<Codes>& heard) const;
  // `states` are those of the items' last positions: [items, width].
  std::vector<int64_t> ChooseSymbols(std::span<const StepItem> items, const at::Tensor& states) const;
  int64_t ChooseSymbol(const StepItem& item, std::span<const float> logits) const;
  std::vector<Codes> DrawFrames(std::span<const StepItem> items, const at::Tensor& states) const;
  void Write(StepItem& item, int64_t symbol, const Codes& codes) const;
  void ScoreWords(std::span<StepItem> items, const at::Tensor& states) const;
  void DecodeSpoken(std::span<StepItem> items, const std::vector<Codes>& codes) const;

  const LanguageModel& model_;
  const AudioCodec& codec_;
  const StreamGrammar& grammar_;
  const Clock& clock_;
};

}  // namespace antiphon
