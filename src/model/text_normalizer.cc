#include "model/text_normalizer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "model/utf8.h"

namespace antiphon {
namespace {

constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581

// One unit of the double array (the layout of darts-clone, which SentencePiece embeds).
struct Unit {
  uint32_t bits;

  bool has_leaf() const { return (bits >> 8 & 1) != 0; }
  uint32_t value() const { return bits & 0x7FFFFFFFu; }
  // The byte that leads here; a unit that is a value has bit 31 set and so matches no byte.
  uint32_t label() const { return bits & (0x80000000u | 0xFFu); }
  uint32_t offset() const { return (bits >> 10) << ((bits & (1u << 9)) >> 6); }
};

}  // namespace

Result<TextNormalizer> TextNormalizer::Create(const SentencePieceFile& file) {
  TextNormalizer normalizer;
  normalizer.add_dummy_prefix_ = file.add_dummy_prefix;
  normalizer.remove_extra_whitespaces_ = file.remove_extra_whitespaces;
  if (file.charsmap.empty()) return normalizer;

  uint32_t trie_bytes = 0;
  const size_t prefix = sizeof trie_bytes;
  if (file.charsmap.size() < prefix) return DataLoss("the normaliser's rules are cut off");
  std::memcpy(&trie_bytes, file.charsmap.data(), prefix);
  if (trie_bytes > file.charsmap.size() - prefix || trie_bytes % sizeof(uint32_t) != 0) {
    return DataLoss("the normaliser's rules are cut off");
  }
  normalizer.trie_.resize(trie_bytes / sizeof(uint32_t));
  if (trie_bytes > 0) std::memcpy(normalizer.trie_.data(), file.charsmap.data() + prefix, trie_bytes);
  normalizer.replacements_ = file.charsmap.substr(prefix + trie_bytes);
  if (normalizer.replacements_.empty() || normalizer.replacements_.back() != '\0') {
    return DataLoss("the normaliser's replacements are not terminated");
  }
  return normalizer;
}

TextNormalizer::Replacement TextNormalizer::ReplacePrefix(std::string_view text) const {
  // The longest rule that matches wins. Offsets come from the file, so every one is checked before use.
  size_t longest = 0;
  size_t replacement = 0;
  uint32_t at = trie_.empty() ? 0 : Unit{trie_[0]}.offset();
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    at ^= byte;
    if (at >= trie_.size()) break;
    const Unit unit{trie_[at]};
    if (unit.label() != byte) break;
    at ^= unit.offset();
    if (unit.has_leaf() && at < trie_.size() && Unit{trie_[at]}.value() < replacements_.size()) {
      longest = i + 1;
      replacement = Unit{trie_[at]}.value();
    }
  }
  if (longest > 0) return {replacements_.c_str() + replacement, longest};
  const size_t bytes = std::max<size_t>(Utf8CharacterBytes(text), 1);
  return {text.substr(0, bytes), bytes};
}

std::string TextNormalizer::Normalize(std::string_view text) const {
  std::string spaced;  // normalised, with plain spaces
  bool after_space = remove_extra_whitespaces_;
  while (!text.empty()) {
    const Replacement next = ReplacePrefix(text);
    for (const char byte : next.text) {
      // Runs of spaces shrink to one, and none begins the text.
      if (byte != ' ' || !after_space) spaced += byte;
      after_space = remove_extra_whitespaces_ && byte == ' ';
    }
    text.remove_prefix(next.consumed);
  }
  if (spaced.empty()) return {};

  std::string marked(add_dummy_prefix_ ? kSpaceMark : "");
  for (const char byte : spaced) byte == ' ' ? marked += kSpaceMark : marked += byte;
  // After the marks, not before: a U+2581 the user wrote counts as a space here.
  while (remove_extra_whitespaces_ && marked.ends_with(kSpaceMark))
    marked.resize(marked.size() - kSpaceMark.size());
  return marked;
}

}  // namespace antiphon
