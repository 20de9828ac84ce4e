// One call's parts, as the script of a conversation that has one turn.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "antiphon/status.h"
#include "antiphon/types.h"
#include "conversation/client_event.h"
#include "conversation/server_event.h"
#include "conversation/session_config.h"

namespace antiphon {

// What a client asks for, unchecked. The wire contract (proto/antiphon/v1/generation.proto) says what each
// field means.
struct TextPart {
  std::string text;
};
struct AudioPart {
  std::string data;
  std::string media_type;
  uint32_t sample_rate = 0;
};
struct ImagePart {
  client_event::ImageAppend image;
};
struct UnknownPart {};
using Part = std::variant<UnknownPart, TextPart, AudioPart, ImagePart>;

struct GenerationRequest {
  std::vector<Part> parts;
  ConfigUpdate config;  // without input_audio, turn_detection and max_lead_ms, which are the script's
};

// The client events that put all parts into one turn, in their order, and commit it. Audio is decoded and
// resampled here; each recording ends at the end of a frame of `model`, so that what follows it comes after
// all of it. INVALID_ARGUMENT, OUT_OF_RANGE or DATA_LOSS for parts that cannot be put so, recordings longer
// than `longest_audio` together among them; the message begins with the field. What else may be wrong the
// conversation says when it plays the script: see MistakeOf.
Result<std::vector<ClientEvent>> ScriptOf(GenerationRequest request, const ModelDescription& model,
                                          std::chrono::milliseconds longest_audio, TimePoint received);

// What an Error that the script brought about says of the request.
Status MistakeOf(const server_event::Error& error);

}  // namespace antiphon
