#include "media/opus_stream.h"

#include <algorithm>
#include <string>
#include <utility>

namespace antiphon {

Result<OpusStreamDecoder> OpusStreamDecoder::Create(int sample_rate) {
  Result<OpusPacketDecoder> decoder = OpusPacketDecoder::Create(sample_rate);
  if (!decoder.ok()) return decoder.status();
  return OpusStreamDecoder(std::move(*decoder));
}

Result<std::vector<DecodedPacket>> OpusStreamDecoder::Push(std::string_view packet, TimePoint received) {
  if (const Result<size_t> length = decoder_.Length(packet); !length.ok()) return length.status();
  std::vector<DecodedPacket> decoded = Flush();
  waiting_.Reset();
  if (!decoded.empty()) {
    decoded.push_back(Decode({std::string(packet), received}));  // too late to refuse it
    return decoded;
  }
  Result<std::vector<float>> samples = decoder_.Decode(packet);
  if (!samples.ok()) return samples.status();
  last_length_ = samples->size();
  received_ = std::max(received_, received);
  decoded.push_back({std::move(*samples), received_});
  return decoded;
}

Result<std::vector<DecodedPacket>> OpusStreamDecoder::Push(std::string_view packet, uint32_t number,
                                                           TimePoint received, TimePoint ready) {
  if (const Result<size_t> length = decoder_.Length(packet); !length.ok()) return length.status();
  std::vector<DecodedPacket> decoded;
  switch (waiting_.Push(number, packet, received)) {
    case ReorderBuffer::Arrival::kTaken:
      break;
    case ReorderBuffer::Arrival::kDuplicate:
      ++fates_.duplicates;
      break;
    case ReorderBuffer::Arrival::kLate:
      ++fates_.late;
      break;
    case ReorderBuffer::Arrival::kTooFar:
      return OutOfRange("packet number " + std::to_string(number) + " is " +
                        std::to_string(waiting_.Distance(number)) +
                        " packets from the one whose turn it is, may be at most " +
                        std::to_string(ReorderBuffer::kMaxDistance) +
                        " to either side; the packet behind it begins a new count");
    case ReorderBuffer::Arrival::kNewCount:
      decoded = Flush();
      waiting_.Reset();
      decoder_.Reset();
      waiting_.Push(number, packet, received);
      break;
  }
  while (const auto released = waiting_.Pop(received, ready)) decoded.push_back(Decode(*released));
  return decoded;
}

std::vector<DecodedPacket> OpusStreamDecoder::PopOverdue(TimePoint now, TimePoint ready) {
  std::vector<DecodedPacket> decoded;
  while (const auto released = waiting_.Pop(now, ready)) decoded.push_back(Decode(*released));
  return decoded;
}

std::vector<DecodedPacket> OpusStreamDecoder::Flush() {
  std::vector<DecodedPacket> decoded;
  while (const auto released = waiting_.PopAny()) decoded.push_back(Decode(*released));
  return decoded;
}

// Never fails: the packet has been taken, and if it is broken inside it is as good as lost.
DecodedPacket OpusStreamDecoder::Decode(const ReorderBuffer::Released& released) {
  received_ = std::max(received_, released.received);
  DecodedPacket decoded{{}, received_};
  Fill(released.lost, released.packet, &decoded.samples);
  const Result<std::vector<float>> samples = decoder_.Decode(released.packet);
  if (samples.ok()) {
    decoded.samples.insert(decoded.samples.end(), samples->begin(), samples->end());
    last_length_ = samples->size();
  } else {
    ++fates_.concealed;
    decoder_.Conceal(decoder_.Length(released.packet).value(), &decoded.samples);
  }
  return decoded;
}

void OpusStreamDecoder::Fill(uint32_t lost, std::string_view next, std::vector<float>* samples) {
  if (lost == 0) return;
  if (last_length_ == 0) last_length_ = decoder_.Length(next).value();
  fates_.concealed += lost;
  if (lost > kMaxConcealed) {
    samples->resize(lost * last_length_, 0.0f);
    decoder_.Reset();  // what came so long before says nothing of what comes now
    return;
  }
  for (uint32_t i = 1; i < lost; ++i) decoder_.Conceal(last_length_, samples);
  if (decoder_.Recover(next, last_length_, samples)) {
    --fates_.concealed;
    ++fates_.recovered;
  }
}

PacketFates OpusStreamDecoder::TakeFates() { return std::exchange(fates_, {}); }

}  // namespace antiphon
