// What a conversation tells its client, as plain values. The wire contract
// (proto/antiphon/v1/conversation.proto) says what each means.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "antiphon/types.h"
#include "common/clock.h"
#include "conversation/session_config.h"
#include "media/opus_stream.h"

namespace antiphon {
namespace server_event {

struct SessionCreated {
  std::string session_id;
  std::string model;
  std::string model_version;
  SessionConfig config;
  int max_session_seconds = 0;
};
struct SessionUpdated {
  SessionConfig config;
};
struct SpeechStarted {
  uint64_t audio_offset_samples = 0;
};
struct SpeechStopped {
  uint64_t audio_offset_samples = 0;
};
struct TranscriptDelta {
  std::string text;
};
struct TurnEnded {
  TurnEndCause cause = TurnEndCause::kModel;
  std::string transcript;
};
struct ResponseStarted {
  std::string response_id;
};
struct TextDelta {
  std::string response_id;
  std::string text;
};
struct AudioDelta {
  std::string response_id;
  std::string audio;  // bytes in the output format
  uint64_t first_sample = 0;
  std::optional<uint32_t> packet_number{};  // of Opus
};
struct ImageStarted {
  std::string response_id;
  int image_index = 0;  // of the response's pictures, from 0
  int width = 0;        // pixels
  int height = 0;
  int grid = 0;  // codes on a side
};
struct ImageDelta {
  std::string response_id;
  int image_index = 0;
  int rows = 0;         // of codes
  std::string preview;  // PNG
};
struct ImageDone {
  std::string response_id;
  int image_index = 0;
  std::string png;
};
struct FunctionCallStarted {
  std::string response_id;
  std::string call_id;
  std::string name;
};
struct FunctionCallArgumentsDelta {
  std::string response_id;
  std::string call_id;
  std::string arguments;
};
struct FunctionCallDone {
  std::string response_id;
  std::string call_id;
  std::string name;
  std::string arguments;
  std::string fault;  // what keeps it from fitting a function that was declared; empty: it fits
};
struct Usage {
  int heard_frames = 0;
  int input_text_pieces = 0;
  int output_text_pieces = 0;
  int spoken_frames = 0;
  int context_positions = 0;
  int input_images = 0;
  int output_images = 0;
  int input_video_frames = 0;
  int dropped_video_frames = 0;
  PacketFates input_packets{};
  int input_function_outputs = 0;
  int input_function_pieces = 0;
  int output_function_calls = 0;
  int output_function_pieces = 0;
};
// Microseconds since the session was created; 0: did not happen.
struct LatencyLedger {
  uint64_t last_speech_received_us = 0;
  uint64_t endpoint_decided_us = 0;
  uint64_t first_symbol_us = 0;
  uint64_t first_frame_us = 0;
  uint64_t first_packet_sent_us = 0;
  int least_margin_ms = 0;
  int underruns = 0;
  uint64_t first_image_us = 0;
};
struct ResponseDone {
  std::string response_id;
  ResponseEnd end = ResponseEnd::kCompleted;
  std::string text;
  Usage usage;
  LatencyLedger ledger;
};
// The user speaks into the answer: the client stops playing it where it is, for the time being. Here and
// below what has no place in the wire contract is for the server's metrics; `since_onset` counts from the
// arrival of the first of the voice.
struct PlaybackPaused {
  std::string response_id;
  uint64_t played_samples = 0;  // so far, at the output rate
  Nanoseconds since_onset{};
};
// That was nothing: it goes on from the same sample.
struct PlaybackResumed {
  std::string response_id;
  uint64_t played_samples = 0;
  Nanoseconds since_onset{};
};
enum class InterruptedBy {
  kCautious,  // a voice that was judged to be a turn
  kEager,     // any voice
  kCommit,    // while it was open what a voice was
  kCancel,
  kCancelAt,  // the cancel said where the playback had stopped
  kFault,     // the server could not encode the answer
};
// The rest of the answer will not be heard.
struct ResponseInterrupted {
  std::string response_id;
  uint64_t played_samples = 0;
  std::string heard_text;
  InterruptedBy by{};
  Nanoseconds since_onset{};  // until that was decided; without a voice 0
};
struct SessionExported {
  std::string snapshot;
};
struct SessionImported {
  int context_positions = 0;
};
struct Error {
  Refusal refusal;
  std::string event_id;
};

}  // namespace server_event

using ServerEvent =
    std::variant<server_event::SessionCreated, server_event::SessionUpdated, server_event::SpeechStarted,
                 server_event::SpeechStopped, server_event::TranscriptDelta, server_event::TurnEnded,
                 server_event::ResponseStarted, server_event::TextDelta, server_event::AudioDelta,
                 server_event::ImageStarted, server_event::ImageDelta, server_event::ImageDone,
                 server_event::FunctionCallStarted, server_event::FunctionCallArgumentsDelta,
                 server_event::FunctionCallDone, server_event::PlaybackPaused, server_event::PlaybackResumed,
                 server_event::ResponseInterrupted, server_event::ResponseDone, server_event::SessionExported,
                 server_event::SessionImported, server_event::Error>;

// Takes a conversation's events, in order, on the thread that drives the conversation. Must return at once.
class EventSink {
 public:
  virtual ~EventSink() = default;
  // An image delta that still waits to be written may be forgotten for a later one of its picture.
  virtual void Send(ServerEvent event) = 0;
  // Forgets the audio and the pictures of this response that still wait to be written.
  virtual void DropMedia(const std::string& response_id) = 0;
};

}  // namespace antiphon
