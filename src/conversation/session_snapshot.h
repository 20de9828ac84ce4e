// A conversation at any moment as bytes that outlive it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "antiphon/engine.h"
#include "antiphon/status.h"
#include "conversation/conversation_state.h"
#include "conversation/function_calls.h"
#include "conversation/playback_meter.h"
#include "conversation/response.h"
#include "conversation/server_event.h"
#include "conversation/session_config.h"

namespace antiphon {

// What a conversation is made of besides what the model knows. Moments are told from the moment of the
// snapshot, so that it goes on in another process as if no time had passed.
struct SessionSnapshot {
  ConversationState state = ConversationState::kWaiting;  // never kEnding or kCancelling
  SessionConfig config;
  uint64_t input_samples = 0;       // of the session so far, at the input rate
  std::vector<float> last_samples;  // of them: Ear::LastSamples

  // The open turn.
  bool voice_told = false;
  uint64_t voice_end = 0;
  int texts = 0, images = 0, outputs = 0;
  bool reply = false;
  bool has_words = false;
  int frames_heard = 0;

  // The responses.
  uint64_t responses = 0;
  FunctionCalls::State calls;
  server_event::Usage usage;
  int64_t age_us = 0;  // since the session was created
  server_event::LatencyLedger ledger;
  SessionConfig response_config;  // of the response under way, or the last; the defaults before any
  std::optional<PlaybackMeter::State> playback;  // of it, if more of it can be played
  std::optional<Response::State> response;       // exactly while one is under way
  std::optional<ResponseDone> made;              // the engine has said its last word on that one

  std::string sequence;  // Sequence::Export's bytes
};

// "antiphon conversation\n", a format version, a CRC-32 of what follows (RFC 1952's), then the fields, those
// of the sequence last.
std::string WriteSessionSnapshot(const SessionSnapshot& snapshot);

// These are bytes of a conversation; false: perhaps those of a bare sequence, as older servers exported.
bool IsSessionSnapshot(std::string_view bytes);

// The snapshot in them, every value of which has been checked but those of the sequence. INVALID_ARGUMENT for
// no snapshot, UNIMPLEMENTED for a format version not known, or what this model has not learnt, DATA_LOSS for
// a wrong checksum or a value out of its range.
Result<SessionSnapshot> ReadSessionSnapshot(std::string_view bytes, const ModelDescription& model);

}  // namespace antiphon
