// Whether an answer is right and how far a transcript is off, by words alone.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace antiphon::bench {

// Lower-case words: ASCII letters are folded, punctuation separates nothing and is dropped ("o'clock" is one
// word), any other byte is part of a word.
std::vector<std::string> Words(std::string_view text);

// The same words as one of the answers.
bool IsRight(std::string_view answer, std::span<const std::string> answers);

struct WordErrors {
  int errors = 0;  // least number of words to replace, insert and delete
  int words = 0;   // of the reference
};
WordErrors CountWordErrors(std::string_view reference, std::string_view hypothesis);

}  // namespace antiphon::bench
