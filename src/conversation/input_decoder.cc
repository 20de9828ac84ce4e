#include "conversation/input_decoder.h"

#include <string>
#include <utility>

#include "media/pcm.h"

namespace antiphon {

Status InputDecoder::SetFormat(const AudioFormat& format) {
  std::optional<OpusPacketDecoder> opus;
  if (format.encoding == AudioEncoding::kOpus) {
    auto decoder = OpusPacketDecoder::Create(format.sample_rate);
    if (!decoder.ok()) return decoder.status();
    opus = std::move(*decoder);
  }
  opus_ = std::move(opus);
  samples_ =
      samples_ * static_cast<uint64_t>(format.sample_rate) / static_cast<uint64_t>(format_.sample_rate);
  format_ = format;
  return OkStatus();
}

Result<std::vector<float>> InputDecoder::Decode(std::string_view bytes) {
  if (bytes.empty()) return InvalidArgument("audio is empty");
  std::vector<float> samples;
  if (opus_) {
    auto decoded = opus_->Decode(bytes);
    if (!decoded.ok()) return decoded.status();
    samples = std::move(*decoded);
  } else {
    const size_t most = sizeof(int16_t) * kMaxSeconds * static_cast<size_t>(format_.sample_rate);
    if (bytes.size() > most) {
      return InvalidArgument("audio has " + std::to_string(bytes.size()) + " bytes, must have at most " +
                             std::to_string(most) + " (2 s)");
    }
    if (Status status = AppendPcm16(bytes, &samples); !status.ok()) return status;
  }
  samples_ += samples.size();
  return samples;
}

}  // namespace antiphon
