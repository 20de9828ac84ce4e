// All that one conversation was told, to be held against another.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "antiphon/client.h"
#include "antiphon/status.h"

namespace antiphon::bench {

struct Transcription {
  std::string transcripts;                          // of the user, a line a turn
  std::map<std::string, std::string> text;          // by response
  std::map<std::string, std::vector<float>> audio;  // by response, decoded
  std::string ends;                                 // of the responses
  friend bool operator==(const Transcription&, const Transcription&) = default;

  bool SameText(const Transcription& other) const {
    return transcripts == other.transcripts && text == other.text && ends == other.ends;
  }
};

// DATA_LOSS for audio that does not follow what came before, the error of a ServerError; what says nothing of
// turns and responses changes nothing.
Status AddTo(const client::Event& event, Transcription* told);

// Settings with which the same input is answered the same, however long anything takes.
client::ConversationOptions RepeatableConversation();

}  // namespace antiphon::bench
