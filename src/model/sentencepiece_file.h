// Reads SentencePiece's tokenizer.model, a protocol buffer of which we need a few fields.
//
// Why not libsentencepiece: Debian's carries a protobuf 3.14 of its own with exported symbols, which breaks
// every process that also has libprotobuf 3.21, as libtorch and gRPC have.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "antiphon/status.h"

namespace antiphon {

struct SentencePieceFile {
  enum class Type { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };
  struct Piece {
    std::string text;  // U+2581 stands for a space
    float score = 0;
    Type type = Type::kNormal;
  };

  std::vector<Piece> pieces;  // by id
  std::string charsmap;       // rules of the normaliser, see TextNormalizer; may be empty
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
};

// NOT_FOUND, or DATA_LOSS naming the file: malformed, larger than 64 MiB, or a kind of model that
// TextTokenizer does not run (other than BPE, user-defined pieces, unescaped white space, white space as a
// suffix).
Result<SentencePieceFile> ReadSentencePieceFile(const std::string& path);

}  // namespace antiphon
