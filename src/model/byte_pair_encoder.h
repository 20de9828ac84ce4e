// Byte pair encoding: splits normalised text into the pieces of a vocabulary by merging neighbours, best
// score first.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/sentencepiece_file.h"

namespace antiphon {

// Const after construction; safe from any thread.
class BytePairEncoder {
 public:
  // REQUIRES: pieces are as SentencePieceFile promises.
  explicit BytePairEncoder(const std::vector<SentencePieceFile::Piece>& pieces);

  // Ids of the pieces, in order. A character without a piece is spelled with byte pieces if the vocabulary
  // has them, and left out otherwise. Time is n log n in the length of the text. REQUIRES: text is UTF-8.
  std::vector<int64_t> Encode(std::string_view text) const;

 private:
  struct Piece {
    int64_t id;
    float score;
  };
  struct Hash {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): the library asks for this name
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  const Piece* Find(std::string_view text) const;

  std::unordered_map<std::string, Piece, Hash, std::equal_to<>> pieces_;  // normal pieces by their text
  std::vector<int64_t> byte_pieces_;  // [256], ids by byte; empty: the vocabulary has none
};

}  // namespace antiphon
