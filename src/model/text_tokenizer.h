// Text to pieces and back, as SentencePiece does it with the same tokenizer.model.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "antiphon/status.h"
#include "model/byte_pair_encoder.h"
#include "model/model_config.h"
#include "model/text_normalizer.h"

namespace antiphon {

// Const after loading; safe from any thread.
class TextTokenizer {
 public:
  // Loads tokenizer.model and checks it against `symbols` (how many text pieces there are, and the ids of the
  // control symbols). NOT_FOUND, DATA_LOSS.
  static Result<TextTokenizer> Load(const std::string& path, const SymbolIds& symbols);

  // Text pieces only: a control symbol spelled out in `text` is read as ordinary letters, and what no piece
  // covers is left out. INVALID_ARGUMENT when `text` is not UTF-8 or nothing of it can be written in pieces.
  Result<std::vector<int64_t>> Encode(std::string_view text) const;

  // The text of all pieces. Symbols that are not text pieces are skipped.
  std::string Decode(const std::vector<int64_t>& pieces) const;

  bool is_text(int64_t symbol) const;
  int64_t vocab_size() const { return static_cast<int64_t>(texts_.size()); }
  // The piece's bytes, with a space before a word's first. Empty unless is_text(symbol).
  const std::string& text(int64_t symbol) const { return texts_.at(symbol); }

 private:
  TextTokenizer(TextNormalizer normalizer, BytePairEncoder encoder, std::vector<std::string> texts);

  TextNormalizer normalizer_;
  BytePairEncoder encoder_;
  std::vector<std::string> texts_;  // by symbol
};

// Turns pieces into text as they come. The deltas joined are the text: words separated by single spaces, no
// space at either end. A value; one conversation's channel uses one at a time.
class TextDecoder {
 public:
  // All that it remembers.
  struct State {
    bool started = false;        // something but space has been given out
    bool space_pending = false;  // a word ended
    std::string partial = {};    // an unfinished UTF-8 character

    friend bool operator==(const State&, const State&) = default;
  };

  TextDecoder() = default;
  explicit TextDecoder(State state) : state_(std::move(state)) {}
  const State& state() const { return state_; }

  // What `piece` adds. May be empty: a space is held back until a word follows, and the bytes of an
  // unfinished character until it is whole.
  std::string Append(const TextTokenizer& tokenizer, int64_t piece);

 private:
  State state_;
};

}  // namespace antiphon
