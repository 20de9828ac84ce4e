// Opus packets: 20 ms of mono speech at 24 or 48 kHz.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "antiphon/status.h"

struct OpusEncoder;
struct OpusDecoder;

namespace antiphon {

struct OpusEncoderOptions {
  int sample_rate = 24000;  // Hz: 24000 or 48000
  int bitrate = 32000;      // bits a second, 6000 to 128000
  int complexity = 5;       // 0 (fastest) to 10
};

// One stream's encoder, in Opus' low-delay mode: its packets are 2.5 ms behind the samples (6.5 ms in the
// usual mode). Thread rule: one thread at a time.
class OpusPacketEncoder {
 public:
  // INVALID_ARGUMENT names the option out of range.
  static Result<OpusPacketEncoder> Create(const OpusEncoderOptions& options);

  // The packet for the next 20 ms. INVALID_ARGUMENT unless there are packet_samples() of them.
  Result<std::string> Encode(std::span<const float> samples);
  // Forgets everything encoded.
  void Reset();

  // Samples of a packet: 20 ms.
  size_t packet_samples() const { return packet_samples_; }
  // Samples by which the decoded stream is behind the encoded one.
  int lookahead_samples() const;

 private:
  struct Deleter {
    void operator()(::OpusEncoder* encoder) const;
  };
  OpusPacketEncoder(std::unique_ptr<::OpusEncoder, Deleter> encoder, size_t packet_samples)
      : encoder_(std::move(encoder)), packet_samples_(packet_samples) {}

  std::unique_ptr<::OpusEncoder, Deleter> encoder_;
  size_t packet_samples_;
};

// One stream's decoder. Takes whatever a client may send: any legal Opus packet (mono or stereo, up to 120
// ms), and refuses the rest without harm to the stream. Thread rule: one thread at a time.
class OpusPacketDecoder {
 public:
  // `sample_rate` is that of the output, 24000 or 48000 Hz.
  static Result<OpusPacketDecoder> Create(int sample_rate);

  // Mono samples of one packet. INVALID_ARGUMENT when it is empty, longer than kMaxPacketBytes or not Opus;
  // the decoder is then as it was.
  Result<std::vector<float>> Decode(std::string_view packet);
  // Forgets everything decoded.
  void Reset();

  static constexpr size_t kMaxPacketBytes =
      6 * 1276 + 8;  // 120 ms: six frames of the largest size, with headers

 private:
  struct Deleter {
    void operator()(::OpusDecoder* decoder) const;
  };
  explicit OpusPacketDecoder(std::unique_ptr<::OpusDecoder, Deleter> decoder)
      : decoder_(std::move(decoder)) {}

  std::unique_ptr<::OpusDecoder, Deleter> decoder_;
};

}  // namespace antiphon
