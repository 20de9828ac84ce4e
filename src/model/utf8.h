// Walking UTF-8 text character by character, strictly: no overlong forms, no surrogates, nothing beyond
// U+10FFFF.
#pragma once

#include <cstddef>
#include <string_view>

namespace antiphon {

// Bytes of the whole, well-formed character at the start of `text`; 0 when there is none.
size_t Utf8CharacterBytes(std::string_view text);

bool IsUtf8(std::string_view text);

// True when `text` is the beginning of one character and more bytes could complete it.
bool IsUnfinishedUtf8(std::string_view text);

}  // namespace antiphon
