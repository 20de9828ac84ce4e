// What the simulated users ask: a list of recordings, with the answers expected where they are known.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "antiphon/status.h"

namespace antiphon::bench {

struct Question {
  std::string wav;                   // path; empty: only typed
  std::string text;                  // what is said in it; may be empty
  std::vector<std::string> answers;  // any of them is right; empty: not judged
  // Of the recording, in seconds, where it is known; otherwise the level tells.
  std::optional<double> speech_end;
  std::string voice;
  std::string row;               // of the table this question counts in; may be empty
  std::vector<Question> before;  // asked first, in the same conversation, not judged
};

// `path` is a folder with a manifest.json or else with WAV files (taken in the order of their names), or a
// manifest:
//
//   [{"wav": "0001.wav", "question": "what is two plus three", "answer": "two plus three is five",
//     "speech_end": 1.84, "voice": "en-us+f2", "row": "held-out pairs",
//     "before": [{"wav": ..., "question": ...}]}, ...]
//
// Paths are relative to the manifest; "answer" may be a list. "wav" or "question" must be there, the rest may
// be left out. NOT_FOUND, DATA_LOSS naming the entry, or INVALID_ARGUMENT when there is no question at all.
Result<std::vector<Question>> ReadQuestions(const std::string& path);

}  // namespace antiphon::bench
