#include <algorithm>

#include "media/opus.h"
#include "tests/fuzz/targets.h"

namespace antiphon::fuzz {

void DecodeOpusPackets(std::string_view bytes) {
  constexpr int kRate = 48'000;
  auto decoder = OpusPacketDecoder::Create(kRate);
  Promise(decoder.ok());
  while (!bytes.empty()) {
    const size_t length = std::min<size_t>(static_cast<unsigned char>(bytes[0]), bytes.size() - 1);
    const Result<std::vector<float>> samples = decoder->Decode(bytes.substr(1, length));
    bytes.remove_prefix(1 + length);
    if (samples.ok()) Promise(!samples->empty() && samples->size() <= kRate * 120 / 1000);
  }
}

}  // namespace antiphon::fuzz
