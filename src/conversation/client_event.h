// What a client may do in a conversation, as plain values. The wire contract
// (proto/antiphon/v1/conversation.proto) says what each means; nothing here has been checked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "antiphon/types.h"
#include "conversation/session_config.h"

namespace antiphon {
namespace client_event {

struct SessionUpdate {
  ConfigUpdate config;
};
struct AudioAppend {
  std::string audio;                        // bytes in the input format
  std::optional<uint32_t> packet_number{};  // of an Opus packet
};
struct TextAppend {
  std::string text;
};
struct ImageAppend {
  std::string data;        // a file, or pixels
  std::string media_type;  // which of them
  uint32_t width = 0;      // of pixels
  uint32_t height = 0;
};
struct VideoFrame {
  ImageAppend picture;
};
struct Commit {};
struct Clear {};
struct Cancel {
  std::optional<uint64_t> played_samples = std::nullopt;  // at the output rate; absent: as far as is known
};
struct PlaybackPosition {
  std::string response_id;
  uint64_t played_samples = 0;  // at the output rate
};
struct FunctionCallOutput {
  std::string call_id;
  std::string output;
  bool respond = true;  // it is to be answered at once
};
struct ExportSession {};
struct ImportSession {
  std::string snapshot;
};
// An event this server does not know.
struct Unknown {};

}  // namespace client_event

struct ClientEvent {
  std::string event_id;
  TimePoint received;  // when its last byte had arrived
  std::variant<client_event::Unknown, client_event::SessionUpdate, client_event::AudioAppend,
               client_event::TextAppend, client_event::ImageAppend, client_event::VideoFrame,
               client_event::Commit, client_event::Clear, client_event::Cancel,
               client_event::PlaybackPosition, client_event::ExportSession, client_event::ImportSession,
               client_event::FunctionCallOutput>
      event;
};

}  // namespace antiphon
