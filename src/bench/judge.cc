#include "bench/judge.h"

#include <algorithm>
#include <numeric>

namespace antiphon::bench {

std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ') {
      if (!words.back().empty()) words.emplace_back();
    } else if (c >= 'A' && c <= 'Z') {
      words.back() += static_cast<char>(c - 'A' + 'a');
    } else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || byte >= 0x80) {
      words.back() += c;
    }
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

bool IsRight(std::string_view answer, std::span<const std::string> answers) {
  const std::vector<std::string> words = Words(answer);
  return std::ranges::any_of(answers, [&](const std::string& right) { return Words(right) == words; });
}

WordErrors CountWordErrors(std::string_view reference, std::string_view hypothesis) {
  const std::vector<std::string> expected = Words(reference);
  const std::vector<std::string> heard = Words(hypothesis);
  // Levenshtein's distance, one row at a time: row[j] is that of the first i and the first j words.
  std::vector<int> row(heard.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= expected.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= heard.size(); ++j) {
      const int replaced = diagonal + (expected[i - 1] == heard[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return {row.back(), static_cast<int>(expected.size())};
}

}  // namespace antiphon::bench
