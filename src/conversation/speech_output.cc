#include "conversation/speech_output.h"

#include <algorithm>
#include <utility>

#include "media/g711.h"
#include "media/pcm.h"

namespace antiphon {
namespace {

constexpr size_t kPacketsKept = 5;  // for another encoder to come close to this one

}  // namespace

Result<std::unique_ptr<SpeechOutput>> SpeechOutput::Create(int model_rate, const AudioFormat& format) {
  auto resampler = Resampler::Create(model_rate, format.sample_rate);
  if (!resampler.ok()) return resampler.status();
  std::optional<OpusPacketEncoder> opus;
  if (format.encoding == AudioEncoding::kOpus) {
    auto encoder = OpusPacketEncoder::Create(
        {.sample_rate = format.sample_rate, .expected_loss_percent = format.expected_loss_percent});
    if (!encoder.ok()) return encoder.status();
    opus = std::move(*encoder);
  }
  return std::unique_ptr<SpeechOutput>(
      new SpeechOutput(format.encoding, std::move(*resampler), std::move(opus)));
}

SpeechOutput::State SpeechOutput::Save() const {
  return {.inputs = resampler_.inputs(),
          .last = resampler_.last_inputs(),
          .pending = pending_,
          .packets = packets_,
          .encoded = encoded_};
}

Status SpeechOutput::Restore(const State& state) {
  resampler_.Resume(state.inputs, state.last);
  packets_ = state.packets;
  if (opus_) {
    const size_t size = opus_->packet_samples();
    for (size_t at = 0; at + size <= state.encoded.size(); at += size) {
      auto bytes = opus_->Encode(std::span(state.encoded).subspan(at, size));
      if (!bytes.ok()) return bytes.status();
    }
    encoded_ = state.encoded;
  }
  pending_ = state.pending;
  return OkStatus();
}

Result<std::vector<OutputPacket>> SpeechOutput::Push(std::span<const float> samples) {
  resampler_.Process(samples, &pending_);
  return Encode();
}

Result<std::vector<OutputPacket>> SpeechOutput::Finish() {
  resampler_.Flush(&pending_);
  if (opus_ && !pending_.empty()) {
    // The encoder is a few ms behind what it is given: the silence must also carry out the last of the
    // speech.
    const size_t packet = opus_->packet_samples();
    const size_t needed = pending_.size() + static_cast<size_t>(opus_->lookahead_samples());
    pending_.resize((needed + packet - 1) / packet * packet, 0.0f);
  }
  return Encode();
}

Result<std::vector<OutputPacket>> SpeechOutput::Encode() {
  std::vector<OutputPacket> packets;
  if (!opus_) {
    if (!pending_.empty()) packets.push_back({EncodePending(), pending_.size(), std::nullopt});
    pending_.clear();
    return packets;
  }
  const size_t size = opus_->packet_samples();
  size_t used = 0;
  for (; pending_.size() - used >= size; used += size) {
    auto bytes = opus_->Encode(std::span(pending_).subspan(used, size));
    if (!bytes.ok()) return bytes.status();
    packets.push_back({std::move(*bytes), size, packets_++});
  }
  encoded_.insert(encoded_.end(), pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(used));
  const size_t old = encoded_.size() - std::min(encoded_.size(), kPacketsKept * size);
  encoded_.erase(encoded_.begin(), encoded_.begin() + static_cast<std::ptrdiff_t>(old));
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(used));
  return packets;
}

std::string SpeechOutput::EncodePending() const {
  if (encoding_ == AudioEncoding::kG711Ulaw) return EncodeG711(pending_, G711Law::kMu);
  if (encoding_ == AudioEncoding::kG711Alaw) return EncodeG711(pending_, G711Law::kA);
  return EncodePcm16(pending_);
}

}  // namespace antiphon
