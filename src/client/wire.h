// Between the public structs of antiphon/client.h and the messages of antiphon/v1. Audio bytes stay as they
// are here: audio_stream.h turns them into samples.
#pragma once

#include <cstdint>
#include <variant>

#include "antiphon/client.h"
#include "antiphon/status.h"
#include "antiphon/v1/conversation.pb.h"
#include "antiphon/v1/generation.pb.h"
#include "antiphon/v1/model.pb.h"

namespace antiphon::client {

// INVALID_ARGUMENT unless the rate and the loss are ones the wire allows for the encoding.
Status CheckFormat(const AudioFormat& format, const char* field);

void ToWire(const AudioFormat& format, v1::AudioFormat* wire);
void ToWire(const SessionSettings& settings, v1::SessionConfig* wire);

SessionSettings FromWire(const v1::SessionConfig& wire);
ModelInfo FromWire(const v1::ModelInfo& wire);

// The event's body; std::monostate for kinds this client does not know, which it skips as later servers may
// send them. `audio` receives the bytes of an AudioDelta, whose samples are left empty. DATA_LOSS for values
// outside their enums.
using WireBody =
    std::variant<std::monostate, Session, SessionUpdated, SpeechStarted, SpeechStopped, TranscriptDelta,
                 TurnEnded, ResponseStarted, TextDelta, AudioDelta, ImageStarted, ImageDelta, ImageDone,
                 FunctionCallStarted, FunctionCallArgumentsDelta, FunctionCallDone, PlaybackPaused,
                 PlaybackResumed, ResponseInterrupted, ResponseDone, SessionExported, SessionImported,
                 ServerError>;
Result<WireBody> FromWire(v1::ServerEvent&& wire, std::string* audio);
// Likewise; a call that has started is a Session with an id and a model.
Result<WireBody> FromWire(v1::GenerateResponse&& wire, std::string* audio);

}  // namespace antiphon::client
