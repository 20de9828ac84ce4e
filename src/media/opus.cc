#include "media/opus.h"

#include <opus/opus.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace antiphon {
namespace {

constexpr int kPacketsPerSecond = 50;
constexpr int kMaxLossPercent = 30;
constexpr int kMaxFrames = 48;  // of a packet: 120 ms in pieces of 2.5 ms

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

// RFC 6716, section 3.1: the configurations from 16 on have only the layer for music (CELT).
bool HasSpeechLayer(std::string_view packet) { return (static_cast<unsigned char>(packet[0]) & 0x80) == 0; }

const unsigned char* Bytes(std::string_view packet) {
  return reinterpret_cast<const unsigned char*>(packet.data());
}

}  // namespace

void OpusPacketEncoder::Deleter::operator()(::OpusEncoder* encoder) const { opus_encoder_destroy(encoder); }
void OpusPacketDecoder::Deleter::operator()(::OpusDecoder* decoder) const { opus_decoder_destroy(decoder); }

Result<OpusPacketEncoder> OpusPacketEncoder::Create(const OpusEncoderOptions& options) {
  for (const Status& status :
       {CheckRate(options.sample_rate), CheckRange("bitrate", options.bitrate, 6000, 128000),
        CheckRange("complexity", options.complexity, 0, 10),
        CheckRange("expected loss", options.expected_loss_percent, 0, kMaxLossPercent)}) {
    if (!status.ok()) return status;
  }
  const bool fec = options.expected_loss_percent > 0;
  int error = OPUS_OK;
  std::unique_ptr<::OpusEncoder, Deleter> encoder(opus_encoder_create(
      options.sample_rate, 1, fec ? OPUS_APPLICATION_VOIP : OPUS_APPLICATION_RESTRICTED_LOWDELAY, &error));
  if (encoder == nullptr) return Internal(std::string("Opus encoder: ") + opus_strerror(error));
  opus_encoder_ctl(encoder.get(), OPUS_SET_BITRATE(options.bitrate));
  opus_encoder_ctl(encoder.get(), OPUS_SET_COMPLEXITY(options.complexity));
  opus_encoder_ctl(encoder.get(), OPUS_SET_SIGNAL(OPUS_SIGNAL_VOICE));
  opus_encoder_ctl(encoder.get(), OPUS_SET_INBAND_FEC(fec ? 1 : 0));
  opus_encoder_ctl(encoder.get(), OPUS_SET_PACKET_LOSS_PERC(options.expected_loss_percent));
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
  return OpusPacketDecoder(std::move(decoder), sample_rate);
}

Result<size_t> OpusPacketDecoder::Length(std::string_view packet) const {
  // An empty packet means "lost" to libopus; a client that sends one has made a mistake.
  if (packet.empty()) return InvalidArgument("an Opus packet is empty");
  if (packet.size() > kMaxPacketBytes) {
    return InvalidArgument("an Opus packet has " + std::to_string(packet.size()) + " bytes, at most " +
                           std::to_string(kMaxPacketBytes));
  }
  const auto size = static_cast<opus_int32>(packet.size());
  const int length = opus_decoder_get_nb_samples(decoder_.get(), Bytes(packet), size);
  if (length <= 0) return InvalidArgument(std::string("not an Opus packet: ") + opus_strerror(length));
  std::array<opus_int16, kMaxFrames> sizes;
  const int frames = opus_packet_parse(Bytes(packet), size, nullptr, nullptr, sizes.data(), nullptr);
  if (frames <= 0) return InvalidArgument(std::string("not an Opus packet: ") + opus_strerror(frames));
  return static_cast<size_t>(length);
}

Result<std::vector<float>> OpusPacketDecoder::Decode(std::string_view packet) {
  const Result<size_t> length = Length(packet);
  if (!length.ok()) return length.status();
  std::vector<float> samples(*length);
  const int decoded = opus_decode_float(decoder_.get(), Bytes(packet), static_cast<opus_int32>(packet.size()),
                                        samples.data(), static_cast<int>(*length), 0);
  if (decoded < 0) return InvalidArgument(std::string("not an Opus packet: ") + opus_strerror(decoded));
  speech_layer_ = HasSpeechLayer(packet);
  samples.resize(static_cast<size_t>(decoded));
  return samples;
}

void OpusPacketDecoder::Conceal(size_t count, std::vector<float>* samples) {
  const size_t before = samples->size();
  samples->resize(before + count, 0.0f);
  float* const filled = samples->data() + before;
  const int decoded = opus_decode_float(decoder_.get(), nullptr, 0, filled, static_cast<int>(count), 0);
  if (decoded != static_cast<int>(count)) std::fill_n(filled, count, 0.0f);
}

bool OpusPacketDecoder::Recover(std::string_view next, size_t count, std::vector<float>* samples) {
  if (!CarriesCopy(next, count)) {
    Conceal(count, samples);
    return false;
  }
  const size_t before = samples->size();
  samples->resize(before + count, 0.0f);
  const int decoded = opus_decode_float(decoder_.get(), Bytes(next), static_cast<opus_int32>(next.size()),
                                        samples->data() + before, static_cast<int>(count), 1);
  return decoded == static_cast<int>(count);
}

// RFC 6716, section 4.2.3: the speech layer of a frame begins with a bit for each of its 20 ms that says
// whether there is a voice, and then one that says whether there is a copy; twice that in stereo.
bool OpusPacketDecoder::CarriesCopy(std::string_view packet, size_t count) const {
  if (!speech_layer_ || packet.empty() || !HasSpeechLayer(packet)) return false;
  std::array<const unsigned char*, kMaxFrames> frames;
  std::array<opus_int16, kMaxFrames> sizes;
  const int parsed = opus_packet_parse(Bytes(packet), static_cast<opus_int32>(packet.size()), nullptr,
                                       frames.data(), sizes.data(), nullptr);
  if (parsed <= 0 || sizes[0] == 0) return false;
  const int frame = opus_packet_get_samples_per_frame(Bytes(packet), sample_rate_);
  if (static_cast<size_t>(frame) > count) return false;
  const int pieces = std::max(frame * kPacketsPerSecond / sample_rate_, 1);
  const auto flag = [&](int bit) { return (frames[0][0] >> (7 - bit) & 1) != 0; };
  const bool stereo = opus_packet_get_nb_channels(Bytes(packet)) == 2;
  return flag(pieces) || (stereo && flag(2 * pieces + 1));
}

void OpusPacketDecoder::Reset() {
  opus_decoder_ctl(decoder_.get(), OPUS_RESET_STATE);
  speech_layer_ = false;
}

}  // namespace antiphon
