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
  // How many of 100 packets the transport loses, 0 to 30. Above 0 a packet of speech also carries a copy of
  // the one before it (in-band FEC), the finer the more are lost, within the same bit rate.
  int expected_loss_percent = 0;
};

// One stream's encoder. Without expected loss it works in Opus' low-delay mode, whose packets are 2.5 ms
// behind the samples; that mode has no FEC, so that with expected loss it is the usual one, 6.5 ms behind.
// Thread rule: one thread at a time.
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

// One stream's decoder. Takes whatever a client may send: any legal Opus packet (mono or stereo, 2.5 to 120
// ms), and refuses the rest without harm to the stream. Thread rule: one thread at a time.
class OpusPacketDecoder {
 public:
  // `sample_rate` is that of the output, 24000 or 48000 Hz.
  static Result<OpusPacketDecoder> Create(int sample_rate);

  // Mono samples of one packet. INVALID_ARGUMENT when it is empty, longer than kMaxPacketBytes or not Opus;
  // the decoder is then as it was.
  Result<std::vector<float>> Decode(std::string_view packet);
  // Samples of one packet, as its header says. INVALID_ARGUMENT as Decode, as far as can be told without
  // decoding.
  Result<size_t> Length(std::string_view packet) const;

  // `count` samples in place of a lost packet, made up from what came before: they fade out when more and
  // more is lost. `count` is a multiple of 2.5 ms, at most 120 ms. Appended to `samples`.
  void Conceal(size_t count, std::vector<float>* samples);
  // The same with the help of `next`, the packet behind the lost one: when that carries a copy of the end of
  // the lost one it is decoded, and true is returned; otherwise as Conceal. `next` itself is still to be
  // decoded.
  bool Recover(std::string_view next, size_t count, std::vector<float>* samples);

  // Forgets everything decoded.
  void Reset();

  static constexpr size_t kMaxPacketBytes =
      6 * 1276 + 8;  // 120 ms: six frames of the largest size, with headers

 private:
  struct Deleter {
    void operator()(::OpusDecoder* decoder) const;
  };
  OpusPacketDecoder(std::unique_ptr<::OpusDecoder, Deleter> decoder, int sample_rate)
      : decoder_(std::move(decoder)), sample_rate_(sample_rate) {}

  // Of `count` samples before `packet`, or of the last of them.
  bool CarriesCopy(std::string_view packet, size_t count) const;

  std::unique_ptr<::OpusDecoder, Deleter> decoder_;
  int sample_rate_;
  bool speech_layer_ = false;  // the last packet had one (SILK): only then can a copy be decoded
};

}  // namespace antiphon
