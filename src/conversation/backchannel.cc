#include "conversation/backchannel.h"

#include <algorithm>
#include <array>

namespace antiphon {
namespace {

// In one word or, as "uh-huh" or "mm hmm" are often written, in two of these.
constexpr std::array<std::string_view, 19> kBackchannels = {
    "ah", "aha",  "hm",    "hmm", "huh",   "mhm",    "mm",   "mmm", "mmhmm", "oh",
    "ok", "okay", "right", "uh",  "uhhuh", "uh-huh", "yeah", "yep", "yes"};

}  // namespace

bool IsBackchannel(std::string_view word) {
  return std::ranges::find(kBackchannels, word) != kBackchannels.end();
}

bool BeginsBackchannel(std::string_view word) {
  return std::ranges::any_of(kBackchannels,
                             [word](std::string_view whole) { return whole.starts_with(word); });
}

}  // namespace antiphon
