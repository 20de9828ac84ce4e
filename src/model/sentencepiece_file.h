// Reads SentencePiece's tokenizer.model, a protocol buffer of which we need a few fields.
//
// Why not libsentencepiece: Debian's carries a protobuf 3.14 of its own with exported symbols, which breaks
// every process that also has libprotobuf 3.21, as libtorch and gRPC have.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "antiphon/status.h"

namespace antiphon {

struct SentencePieceFile {
  enum class Type { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };
  struct Piece {
    std::string text;  // U+2581 stands for a space
    float score = 0;   // finite
    Type type = Type::kNormal;
  };

  // By id. Normal ones are not empty, UTF-8 and all different; byte pieces are none or one of each byte.
  std::vector<Piece> pieces;
  std::string charsmap;  // rules of the normaliser, see TextNormalizer; may be empty
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
};

// NOT_FOUND, or DATA_LOSS naming the file, and the piece if it is one: malformed, larger than 64 MiB, more
// than 2^20 pieces or one of more than 256 bytes, pieces other than described above, or a kind of model that
// TextTokenizer does not run (other than BPE, user-defined pieces, unescaped white space, white space as a
// suffix).
Result<SentencePieceFile> ReadSentencePieceFile(const std::string& path);

// The byte that a piece of type kByte stands for: "<0x41>" is 'A'. Nothing when it is not spelled so.
std::optional<uint8_t> ByteOf(std::string_view piece);

}  // namespace antiphon
