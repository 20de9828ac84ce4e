// SentencePiece's text normalisation: Unicode forms, letter case and white space, by rules that come with the
// model.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "antiphon/status.h"
#include "model/sentencepiece_file.h"

namespace antiphon {

// Const after construction; safe from any thread.
class TextNormalizer {
 public:
  // DATA_LOSS when the rules are malformed.
  static Result<TextNormalizer> Create(const SentencePieceFile& file);

  // `text` as the pieces spell it, with U+2581 for spaces. Empty when nothing but white space is left.
  // REQUIRES: text is UTF-8.
  std::string Normalize(std::string_view text) const;

 private:
  // What stands for the beginning of the text, and how many bytes of the text it stands for.
  struct Replacement {
    std::string_view text;
    size_t consumed;
  };

  TextNormalizer() = default;
  Replacement ReplacePrefix(std::string_view text) const;

  std::vector<uint32_t> trie_;  // double array: from a string to the offset of its replacement
  std::string replacements_;    // NUL-terminated strings
  bool add_dummy_prefix_ = true;
  bool remove_extra_whitespaces_ = true;
};

}  // namespace antiphon
