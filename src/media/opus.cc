#include "media/opus.h"

#include <opus/opus.h>

#include <array>
#include <cmath>

namespace antiphon {
namespace {

constexpr int kPacketsPerSecond = 50;

Status CheckRate(int sample_rate) {
  if (sample_rate == 24000 || sample_rate == 48000) return OkStatus();
  return InvalidArgument("Opus sample rate is " + std::to_string(sample_rate) +
                         " Hz, must be 24000 or 48000");
}

Status CheckRange(const char* name, int value, int low, int high) {
  if (value >= low && value <= high) return OkStatus();
  return InvalidArgument(std::string("Opus ") + name + " is " + std::to_string(value) + ", must be " +
                         std::to_string(low) + " to " + std::to_string(high));
}

const unsigned char* Bytes(std::string_view packet) {
  return reinterpret_cast<const unsigned char*>(packet.data());
}

}  // namespace

void OpusPacketEncoder::Deleter::operator()(::OpusEncoder* encoder) const { opus_encoder_destroy(encoder); }
void OpusPacketDecoder::Deleter::operator()(::OpusDecoder* decoder) const { opus_decoder_destroy(decoder); }

Result<OpusPacketEncoder> OpusPacketEncoder::Create(const OpusEncoderOptions& options) {
  for (const Status& status :
       {CheckRate(options.sample_rate), CheckRange("bitrate", options.bitrate, 6000, 128000),
        CheckRange("complexity", options.complexity, 0, 10)}) {
    if (!status.ok()) return status;
  }
  int error = OPUS_OK;
  std::unique_ptr<::OpusEncoder, Deleter> encoder(
      opus_encoder_create(options.sample_rate, 1, OPUS_APPLICATION_RESTRICTED_LOWDELAY, &error));
  if (encoder == nullptr) return Internal(std::string("Opus encoder: ") + opus_strerror(error));
  opus_encoder_ctl(encoder.get(), OPUS_SET_BITRATE(options.bitrate));
  opus_encoder_ctl(encoder.get(), OPUS_SET_COMPLEXITY(options.complexity));
  opus_encoder_ctl(encoder.get(), OPUS_SET_SIGNAL(OPUS_SIGNAL_VOICE));
  return OpusPacketEncoder(std::move(encoder), static_cast<size_t>(options.sample_rate / kPacketsPerSecond));
}

Result<std::string> OpusPacketEncoder::Encode(std::span<const float> samples) {
  if (samples.size() != packet_samples_) {
    return InvalidArgument("an Opus packet takes " + std::to_string(packet_samples_) + " samples, got " +
                           std::to_string(samples.size()));
  }
  for (const float sample : samples) {
    if (!std::isfinite(sample)) return InvalidArgument("samples for Opus must be finite numbers");
  }
  std::array<unsigned char, 1275 + 1> packet;  // RFC 6716: at most 1275 bytes a frame, and one of header
  const int bytes = opus_encode_float(encoder_.get(), samples.data(), static_cast<int>(samples.size()),
                                      packet.data(), static_cast<opus_int32>(packet.size()));
  if (bytes < 0) return Internal(std::string("Opus encoder: ") + opus_strerror(bytes));
  return std::string(reinterpret_cast<const char*>(packet.data()), static_cast<size_t>(bytes));
}

void OpusPacketEncoder::Reset() { opus_encoder_ctl(encoder_.get(), OPUS_RESET_STATE); }

int OpusPacketEncoder::lookahead_samples() const {
  opus_int32 samples = 0;
  opus_encoder_ctl(encoder_.get(), OPUS_GET_LOOKAHEAD(&samples));
  return samples;
}

Result<OpusPacketDecoder> OpusPacketDecoder::Create(int sample_rate) {
  if (const Status status = CheckRate(sample_rate); !status.ok()) return status;
  int error = OPUS_OK;
  std::unique_ptr<::OpusDecoder, Deleter> decoder(opus_decoder_create(sample_rate, 1, &error));
  if (decoder == nullptr) return Internal(std::string("Opus decoder: ") + opus_strerror(error));
  return OpusPacketDecoder(std::move(decoder));
}

Result<std::vector<float>> OpusPacketDecoder::Decode(std::string_view packet) {
  // An empty packet means "lost" to libopus; a client that sends one has made a mistake.
  if (packet.empty()) return InvalidArgument("an Opus packet is empty");
  if (packet.size() > kMaxPacketBytes) {
    return InvalidArgument("an Opus packet has " + std::to_string(packet.size()) + " bytes, at most " +
                           std::to_string(kMaxPacketBytes));
  }
  const auto size = static_cast<opus_int32>(packet.size());
  const int length = opus_decoder_get_nb_samples(decoder_.get(), Bytes(packet), size);
  if (length <= 0) return InvalidArgument(std::string("not an Opus packet: ") + opus_strerror(length));
  std::vector<float> samples(static_cast<size_t>(length));
  const int decoded = opus_decode_float(decoder_.get(), Bytes(packet), size, samples.data(), length, 0);
  if (decoded < 0) return InvalidArgument(std::string("not an Opus packet: ") + opus_strerror(decoded));
  samples.resize(static_cast<size_t>(decoded));
  return samples;
}

void OpusPacketDecoder::Reset() { opus_decoder_ctl(decoder_.get(), OPUS_RESET_STATE); }

}  // namespace antiphon
