#include "conversation/interjections.h"

#include <algorithm>
#include <array>

namespace antiphon {
namespace {

// "uh-huh" and "mm hmm" may be written in two words, which are in the list as well.
constexpr std::array<std::string_view, 19> kBackchannels = {
    "ah", "aha",  "hm",    "hmm", "huh",   "mhm",    "mm",   "mmm", "mmhmm", "oh",
    "ok", "okay", "right", "uh",  "uhhuh", "uh-huh", "yeah", "yep", "yes"};
constexpr std::array<std::string_view, 7> kStopWords = {"cancel", "enough", "no",  "pause",
                                                        "quiet",  "stop",   "wait"};

}  // namespace

bool IsBackchannel(std::string_view word) {
  return std::ranges::find(kBackchannels, word) != kBackchannels.end();
}

bool BeginsBackchannel(std::string_view word) {
  return std::ranges::any_of(kBackchannels,
                             [word](std::string_view whole) { return whole.starts_with(word); });
}

bool IsStopWord(std::string_view word) { return std::ranges::find(kStopWords, word) != kStopWords.end(); }

}  // namespace antiphon
