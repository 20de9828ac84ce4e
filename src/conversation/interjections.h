// Words that are understood without a context when they are said into an answer.
#pragma once

#include <string_view>

namespace antiphon {

// Says no more than that somebody listens: ah, aha, hm, hmm, huh, mhm, mm, mmm, mmhmm, oh, ok, okay, right,
// uh, uhhuh, uh-huh, yeah, yep, yes. In lower case, as transcripts are; so all below.
bool IsBackchannel(std::string_view word);

// One of them begins so, or is it: while a word is still being written.
bool BeginsBackchannel(std::string_view word);

// Wants the answer to end, however short it is: cancel, enough, no, pause, quiet, stop, wait.
bool IsStopWord(std::string_view word);

}  // namespace antiphon
