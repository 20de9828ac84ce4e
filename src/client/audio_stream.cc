#include "client/audio_stream.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>
#include <utility>

#include "media/g711.h"
#include "media/pcm.h"

namespace antiphon::client {
namespace {

// REQUIRES of both: the encoding is not Opus.
std::string Encode(AudioEncoding encoding, std::span<const float> samples) {
  if (encoding == AudioEncoding::kG711Ulaw) return EncodeG711(samples, G711Law::kMu);
  if (encoding == AudioEncoding::kG711Alaw) return EncodeG711(samples, G711Law::kA);
  return EncodePcm16(samples);
}

Status Decode(AudioEncoding encoding, std::string_view bytes, std::vector<float>* samples) {
  if (encoding == AudioEncoding::kPcm16) return AppendPcm16(bytes, samples);
  AppendG711(bytes, encoding == AudioEncoding::kG711Ulaw ? G711Law::kMu : G711Law::kA, samples);
  return OkStatus();
}

}  // namespace

Result<AudioSender> AudioSender::Create(const AudioFormat& format) {
  if (format.encoding != AudioEncoding::kOpus) return AudioSender(format, std::nullopt);
  Result<OpusPacketEncoder> encoder = OpusPacketEncoder::Create(
      {.sample_rate = format.sample_rate, .expected_loss_percent = format.expected_loss_percent});
  if (!encoder.ok()) return encoder.status();
  return AudioSender(format, std::move(*encoder));
}

Result<std::vector<std::string>> AudioSender::Pack(std::span<const float> samples) {
  std::vector<std::string> packets;
  if (!encoder_) {
    const auto second = static_cast<size_t>(format_.sample_rate);
    for (size_t start = 0; start < samples.size(); start += second) {
      const size_t count = std::min(second, samples.size() - start);
      packets.push_back(Encode(format_.encoding, samples.subspan(start, count)));
    }
    return packets;
  }
  // An encoder refuses what is no number; silence is the harmless reading.
  std::ranges::transform(samples, std::back_inserter(rest_),
                         [](float sample) { return std::isfinite(sample) ? sample : 0.0f; });
  const size_t frame = encoder_->packet_samples();
  size_t taken = 0;
  for (; rest_.size() - taken >= frame; taken += frame) {
    Result<std::string> packet = encoder_->Encode(std::span<const float>(rest_).subspan(taken, frame));
    if (!packet.ok()) {
      rest_.clear();
      return packet.status();
    }
    packets.push_back(std::move(*packet));
  }
  rest_.erase(rest_.begin(), rest_.begin() + static_cast<ptrdiff_t>(taken));
  return packets;
}

Result<std::vector<std::string>> AudioSender::Flush() {
  if (rest_.empty()) return std::vector<std::string>();
  const std::vector<float> silence(encoder_->packet_samples() - rest_.size());
  return Pack(silence);
}

Result<AudioReceiver> AudioReceiver::Create(const AudioFormat& format) {
  if (format.encoding != AudioEncoding::kOpus) return AudioReceiver(format.encoding, std::nullopt);
  Result<OpusPacketDecoder> decoder = OpusPacketDecoder::Create(format.sample_rate);
  if (!decoder.ok()) return decoder.status();
  return AudioReceiver(format.encoding, std::move(*decoder));
}

Result<std::vector<float>> AudioReceiver::Unpack(const std::string& response_id, const std::string& bytes) {
  if (!decoder_) {
    std::vector<float> samples;
    const Status status = Decode(encoding_, bytes, &samples);
    if (!status.ok()) return DataLoss("audio_delta.audio: " + status.message());
    return samples;
  }
  if (response_id != response_id_) {
    decoder_->Reset();
    response_id_ = response_id;
  }
  Result<std::vector<float>> samples = decoder_->Decode(bytes);
  if (!samples.ok()) return DataLoss("audio_delta.audio: " + samples.status().message());
  return samples;
}

}  // namespace antiphon::client
