// One question, one answer, and how long it took: what the command line, the tests and the benchmarks share.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "antiphon/client.h"
#include "antiphon/status.h"
#include "antiphon/types.h"

namespace antiphon::client {

// Pictures are sent before the words, all at once.

// Speech, mono, in [-1, 1], at any rate: it is resampled to the conversation's.
struct SpokenQuestion {
  std::vector<float> samples;
  int sample_rate = 0;
  // Samples up to and including the last one of the speech, at sample_rate. Unset: found by level
  // (docs/client.md).
  std::optional<size_t> speech_end;
  std::vector<ImageFile> images{};
};

// Text, pictures or both.
struct TypedQuestion {
  std::string text;
  std::vector<ImageFile> images{};
};

using Question = std::variant<SpokenQuestion, TypedQuestion>;

struct AskOptions {
  // Send speech at the pace it was spoken, in packets of 20 ms, then silence until the answer ends, as a
  // microphone would. False: send it all at once, followed by silence; no latency is reported then.
  bool real_time = true;
  // Commit a spoken question after its last speech sample instead of leaving the turn's end to the server.
  // For conversations without turn detection. (A typed question is always committed.)
  bool commit = false;
  // From the arrival of an answer's first audio to its being played, at least 0: as
  // SessionSettings::playback_delay_ms.
  std::chrono::milliseconds playback_delay{0};
  // Longest wait for the end of the answer, from the last sample of the question.
  std::chrono::milliseconds timeout{60'000};
  // Called with each call of a function (SessionSettings::functions): its output, or nothing to leave it
  // unanswered. After an output the model goes on, with more words and speech, which belong to the same
  // answer. At most 8 calls of an answer are given outputs. Unset: none is.
  std::function<std::optional<std::string>(const FunctionCallDone& call)> call_function{};
};

// Times on the client's clock in ms. All count from the moment the packet with the last speech sample was
// handed to the transport (from the Commit for a typed question). Unset: it did not happen, or would mean
// nothing (not real time; the model cut in before the speech was over).
struct ClientLatency {
  std::optional<double> turn_ended_ms;     // the event that the user's turn is over: the endpoint's part
  std::optional<double> first_text_ms;     // first text of the answer
  std::optional<double> first_audio_ms;    // first packet of speech, audible or not
  std::optional<double> first_audible_ms;  // THE TURN LATENCY: packet with the first sample above -50 dBFS
  // From the instant the last speech sample was spoken (up to 20 ms before its packet was sent) to the
  // instant a loudspeaker that starts with the first packet (playback_delay after it) plays the first audible
  // sample.
  std::optional<double> mouth_to_ear_ms;
  std::optional<double> first_image_ms;  // the first preview of a picture, or the picture itself
  std::optional<double> done_ms;         // the end of the answer
  int underruns = 0;                     // gaps such a loudspeaker would have
  double least_margin_ms = 0;            // least audio it had in hand when a packet came; 0 without audio
};

// A picture of an answer.
struct AnswerImage {
  int width = 0;  // pixels
  int height = 0;
  std::string png;  // a PNG file
};

// A call of a function in an answer.
struct AnswerCall {
  FunctionCallDone call;
  std::optional<std::string> output;  // that it was given
};

struct Answer {
  std::string transcript;                // of the question, as the model heard or read it
  std::string text;                      // words before and after a call are separated by a space
  std::vector<float> audio;              // at the conversation's output rate; empty for written answers
  int sample_rate = 0;                   // of audio
  std::vector<AnswerImage> images;       // those that were finished
  std::vector<AnswerCall> calls;         // that were complete
  std::optional<TurnEndCause> turn_end;  // unset: the turn did not end
  std::optional<ResponseEnd> end;        // unset: nor did the answer
  bool cut_in = false;                   // the turn was judged over before its last speech sample was sent
  double speech_ms = 0;  // of the question, from its first sample to its last speech sample; 0 if typed
  Usage usage;           // of all its responses, if calls made it more than one
  LatencyLedger ledger;  // the server's, of the first
  ClientLatency latency;
  TimePoint playback_end{};  // when that loudspeaker falls silent
};

// Asks and waits for the end of the answer. `conversation` must have no listener and no response under way,
// and belongs to Ask meanwhile. On failure `answer` (not null) holds what had come until then:
// INVALID_ARGUMENT for a question with nothing in it, the server's error, DEADLINE_EXCEEDED after the
// timeout, or why the conversation broke. The conversation is then best closed: part of the exchange may
// still be on its way.
Status Ask(Conversation& conversation, const Question& question, const AskOptions& options, Answer* answer);

}  // namespace antiphon::client
