#include "model/utf8.h"

namespace antiphon {
namespace {

// Bytes of a character, as its first byte announces them; 0 when no character begins so.
size_t AnnouncedBytes(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead < 0xE0) return 2;
  if (lead >= 0xE0 && lead < 0xF0) return 3;
  if (lead >= 0xF0 && lead < 0xF5) return 4;
  return 0;
}

// Is every byte after the first, of those that are there, one the first allows?
bool TailIsLegal(std::string_view text) {
  for (size_t i = 1; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) return false;
  }
  if (text.size() < 2) return true;
  const auto lead = static_cast<unsigned char>(text[0]);
  const auto second = static_cast<unsigned char>(text[1]);
  const bool overlong = (lead == 0xE0 && second < 0xA0) || (lead == 0xF0 && second < 0x90);
  const bool surrogate = lead == 0xED && second >= 0xA0;
  const bool too_large = lead == 0xF4 && second >= 0x90;
  return !overlong && !surrogate && !too_large;
}

}  // namespace

size_t Utf8CharacterBytes(std::string_view text) {
  if (text.empty()) return 0;
  const size_t bytes = AnnouncedBytes(static_cast<unsigned char>(text[0]));
  if (bytes == 0 || text.size() < bytes || !TailIsLegal(text.substr(0, bytes))) return 0;
  return bytes;
}

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const size_t bytes = Utf8CharacterBytes(text);
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

bool IsUnfinishedUtf8(std::string_view text) {
  return !text.empty() && text.size() < AnnouncedBytes(static_cast<unsigned char>(text[0])) &&
         TailIsLegal(text);
}

}  // namespace antiphon
