#include "conversation/input_decoder.h"

#include <string>
#include <utility>

#include "media/g711.h"
#include "media/pcm.h"

namespace antiphon {

Status InputDecoder::SetFormat(const AudioFormat& format) {
  std::optional<OpusStreamDecoder> opus;
  if (format.encoding == AudioEncoding::kOpus) {
    auto decoder = OpusStreamDecoder::Create(format.sample_rate);
    if (!decoder.ok()) return decoder.status();
    opus = std::move(*decoder);
  }
  Flush();
  fates_ = TakeFates();
  opus_ = std::move(opus);
  samples_ =
      samples_ * static_cast<uint64_t>(format.sample_rate) / static_cast<uint64_t>(format_.sample_rate);
  format_ = format;
  return OkStatus();
}

std::variant<InputDecoder::Decoded, Refusal> InputDecoder::Decode(std::string_view bytes,
                                                                  std::optional<uint32_t> packet_number,
                                                                  TimePoint received, TimePoint ready) {
  constexpr char kAudio[] = "audio_append.audio";
  constexpr char kNumber[] = "audio_append.packet_number";
  if (packet_number && !opus_) {
    return Refusal{InvalidArgument("packet_number is for Opus packets, and input_audio is another encoding"),
                   kNumber};
  }
  if (bytes.empty()) return Refusal{InvalidArgument("audio is empty"), kAudio};
  Result<Decoded> decoded = !opus_          ? DecodePcm(bytes, received)
                            : packet_number ? opus_->Push(bytes, *packet_number, received, ready)
                                            : opus_->Push(bytes, received);
  if (decoded.ok()) return Counted(std::move(*decoded));
  const bool number = decoded.status().code() == StatusCode::kOutOfRange;
  return Refusal{decoded.status(), number ? kNumber : kAudio};
}

Result<InputDecoder::Decoded> InputDecoder::DecodePcm(std::string_view bytes, TimePoint received) const {
  const bool pcm16 = format_.encoding == AudioEncoding::kPcm16;
  const size_t most = (pcm16 ? 2 : 1) * kMaxSeconds * static_cast<size_t>(format_.sample_rate);
  if (bytes.size() > most) {
    return InvalidArgument("audio has " + std::to_string(bytes.size()) + " bytes, must have at most " +
                           std::to_string(most) + " (2 s)");
  }
  DecodedPacket packet{{}, received};
  if (!pcm16) {
    const bool mu = format_.encoding == AudioEncoding::kG711Ulaw;
    AppendG711(bytes, mu ? G711Law::kMu : G711Law::kA, &packet.samples);
  } else if (Status status = AppendPcm16(bytes, &packet.samples); !status.ok()) {
    return status;
  }
  Decoded decoded;
  decoded.push_back(std::move(packet));
  return decoded;
}

InputDecoder::Decoded InputDecoder::PopOverdue(TimePoint now, TimePoint ready) {
  return opus_ ? Counted(opus_->PopOverdue(now, ready)) : Decoded();
}

InputDecoder::Decoded InputDecoder::Flush() { return opus_ ? Counted(opus_->Flush()) : Decoded(); }

InputDecoder::Decoded InputDecoder::Counted(Decoded decoded) {
  for (const DecodedPacket& packet : decoded) samples_ += packet.samples.size();
  return decoded;
}

PacketFates InputDecoder::TakeFates() {
  PacketFates fates = std::exchange(fates_, {});
  if (!opus_) return fates;
  const PacketFates more = opus_->TakeFates();
  fates.recovered += more.recovered;
  fates.concealed += more.concealed;
  fates.late += more.late;
  fates.duplicates += more.duplicates;
  return fates;
}

}  // namespace antiphon
