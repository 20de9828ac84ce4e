// What is fuzzed: every decoder of bytes that come from outside. Each target takes any bytes at all, and ends
// the process when a promise of the code it calls is broken; what the sanitizers find ends it as well.
#pragma once

#include <cstdlib>
#include <string_view>

namespace antiphon::fuzz {

// PNG, JPEG or WebP, as the first byte says.
void DecodePicture(std::string_view bytes);
// A recording in any format that libsndfile reads.
void ReadRecording(std::string_view bytes);
// Opus packets of one stream: a byte of length before each.
void DecodeOpusPackets(std::string_view bytes);
// Numbered Opus packets of one stream: records of an operation, the step of the number, the ms since the
// record before, a byte of length, and so many bytes. opus_stream_target.cc lists the operations.
void DecodeOpusStream(std::string_view bytes);
// A GenerateRequest of the wire, as far as it can be read without a model.
void ReadGenerateRequest(std::string_view bytes);
// A recorded session (engine/recording.h) of the model in recording_model.h.
void ReadRecordedSession(std::string_view bytes);
// A session: records of an operation, two bytes of length (low first) and so many bytes. Operations are the
// client's (the bytes are a ClientEvent of the wire), the engine's and the clock's; client_event_target.cc
// lists them.
void HandleClientEvents(std::string_view bytes);

// Not assert: it must hold in every build.
inline void Promise(bool kept) {
  if (!kept) std::abort();
}

}  // namespace antiphon::fuzz
