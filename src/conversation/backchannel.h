// Words by which a listener says no more than that he is listening.
#pragma once

#include <string_view>

namespace antiphon {

// `word`, in lower case as transcripts are, is one of: ah, aha, hm, hmm, huh, mhm, mm, mmm, mmhmm, oh, ok,
// okay, right, uh, uhhuh, uh-huh, yeah, yep, yes.
bool IsBackchannel(std::string_view word);

// One of them begins so, or is it: while a word is still being written.
bool BeginsBackchannel(std::string_view word);

}  // namespace antiphon
