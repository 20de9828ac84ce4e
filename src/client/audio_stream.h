// Samples to the bytes of AudioAppend, and the bytes of AudioDelta to samples, in every encoding.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "antiphon/client.h"
#include "antiphon/status.h"
#include "media/opus.h"

namespace antiphon::client {

// Not thread-safe.
class AudioSender {
 public:
  // REQUIRES: CheckFormat is OK with `format`.
  static Result<AudioSender> Create(const AudioFormat& format);

  // Whole messages, each within the wire's limit of 2 s. For Opus what does not fill a packet is kept.
  Result<std::vector<std::string>> Pack(std::span<const float> samples);
  // What was kept, filled up with silence.
  Result<std::vector<std::string>> Flush();
  // Forgets what was kept.
  void Drop() { rest_.clear(); }

 private:
  AudioSender(const AudioFormat& format, std::optional<OpusPacketEncoder> encoder)
      : format_(format), encoder_(std::move(encoder)) {}

  AudioFormat format_;
  std::optional<OpusPacketEncoder> encoder_;  // of Opus
  std::vector<float> rest_;
};

// Not thread-safe.
class AudioReceiver {
 public:
  // REQUIRES: CheckFormat is OK with `format`.
  static Result<AudioReceiver> Create(const AudioFormat& format);

  // DATA_LOSS for bytes that are not audio in this format. A new response starts with a fresh decoder.
  Result<std::vector<float>> Unpack(const std::string& response_id, const std::string& bytes);

 private:
  AudioReceiver(AudioEncoding encoding, std::optional<OpusPacketDecoder> decoder)
      : encoding_(encoding), decoder_(std::move(decoder)) {}

  AudioEncoding encoding_;
  std::optional<OpusPacketDecoder> decoder_;  // of Opus
  std::string response_id_;
};

}  // namespace antiphon::client
