// One call: any sequence of text, audio and pictures in, one response in the modalities asked for out. For
// what nobody waits for by ear: it is done in the time that the server's conversations leave.
//
//   auto client = client::Client::Connect("127.0.0.1:50051", {});
//   client::GenerateRequest request{.parts = {client::TextPart{"what is two plus three"}}};
//   client::Generation generation;
//   Status status = (*client)->Generate(request, {}, &generation);
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include "antiphon/ask.h"
#include "antiphon/client.h"
#include "antiphon/status.h"
#include "antiphon/types.h"

namespace antiphon::client {

// UTF-8, 1 to 4000 bytes.
struct TextPart {
  std::string text;
};
// Speech, mono, in [-1, 1], 4000 to 192000 Hz; it is resampled to 16 kHz and sent as PCM16.
struct Recording {
  std::vector<float> samples;
  int sample_rate = 0;
};
// Speech as it lies in a file.
struct AudioFile {
  std::string bytes;
  std::string media_type;  // "audio/wav"
};
using Part = std::variant<TextPart, Recording, AudioFile, ImageFile, Image>;

// Limits that are not said here are those of proto/antiphon/v1/generation.proto; the server checks them.
struct GenerateRequest {
  std::vector<Part> parts;  // 1 to 64, in the order in which the model reads them
  // As in SessionSettings: with both unset the response is made of all that the model can; with one of them
  // set, speech is on and pictures are off unless told.
  std::optional<bool> speak{};
  std::optional<bool> draw{};
  AudioFormat output_audio{};
  SamplingOptions sampling{};
  int max_response_seconds = 0;        // of speech, 1 to 60; 0: the server's default
  std::optional<std::string> voice{};  // one of ModelInfo::voices
  std::optional<SpeechSpeed> speed{};  // one of ModelInfo::speeds
  std::string instructions{};          // as SessionSettings::instructions
};

struct GenerateOptions {
  std::chrono::milliseconds wait_for_place{0};  // as ConversationOptions::wait_for_place
  std::chrono::milliseconds timeout{60'000};    // longest wait for the end of the response, besides that
  std::stop_token stop{};                       // cancels the call from any thread
  // Called on the calling thread with each event as it comes: TranscriptDelta, TextDelta, AudioDelta,
  // ImageStarted, ImageDelta, ImageDone and ResponseDone. Must not throw.
  Listener listener{};
};

struct Generation {
  std::string id;  // the server's name for the call
  std::string model;
  std::string model_version;
  Answer answer;  // turn_end and what has to do with pacing stay as they are made
  std::optional<std::chrono::milliseconds> retry_after;  // the server's hint, when it was full
};

}  // namespace antiphon::client
