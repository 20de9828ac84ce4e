// Sequences that are decoded together, greedily, as the engine does it: a position of each a step.
#pragma once

#include <cstdint>
#include <vector>

#include "model/language_model.h"

namespace antiphon::bench {

// The pages of the positions before the first step hold random numbers instead of a prefill's: attention
// costs the same whatever it reads. Every sequence has pages of its own. One thread.
class Decoding {
 public:
  // Room for `steps` steps of `sequences` sequences behind `context` positions. `model` outlives it.
  // REQUIRES: all are positive, context + steps <= max_positions.
  Decoding(const LanguageModel& model, int sequences, int64_t context, int64_t steps);

  // One position of each: forward, logits, and the likeliest symbol is what is read next. REQUIRES: fewer
  // than `steps` steps have been run since construction or Rewind.
  void Step();
  // Back to where the first step was: the same steps follow.
  void Rewind();

  int64_t position() const { return position_; }                    // of the next step
  const std::vector<int64_t>& symbols() const { return symbols_; }  // [sequences] that were written last
  // Bytes of keys and values that the next step reads, all sequences together.
  int64_t PageBytes() const;

  // Bytes of pages that such a Decoding needs.
  static int64_t PoolBytes(const LanguageModel& model, int sequences, int64_t context, int64_t steps);

 private:
  const LanguageModel& model_;
  const int64_t context_;
  int64_t position_;
  KvPool pool_;
  std::vector<std::vector<int32_t>> pages_;  // [sequences] page tables
  std::vector<int64_t> first_symbols_;
  std::vector<int64_t> symbols_;
};

// Runs `positions` positions of one sequence, `chunk` at a time, and chooses the last one's symbol.
class Prefilling {
 public:
  // REQUIRES: 1 <= chunk, 1 <= positions <= max_positions. `model` outlives it.
  Prefilling(const LanguageModel& model, int64_t positions, int64_t chunk);

  // Returns the symbol. Every run does the same.
  int64_t Run();

 private:
  const LanguageModel& model_;
  const int64_t chunk_;
  KvPool pool_;
  std::vector<int32_t> pages_;
  std::vector<int64_t> symbols_;  // [positions] that are read
};

}  // namespace antiphon::bench
