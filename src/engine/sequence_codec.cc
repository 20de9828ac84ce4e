#include "engine/sequence_codec.h"

#include <zlib.h>

#include <cassert>

#include "engine/sequence_options.h"

namespace antiphon {
namespace {

constexpr uint8_t kHasHeard = 1;
constexpr uint8_t kHasSpoken = 2;

using Phase = StreamState::Phase;

}  // namespace

uint32_t Checksum(std::string_view bytes) {
  return static_cast<uint32_t>(
      crc32_z(crc32_z(0, nullptr, 0), reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

// ---- Writing

void PutNumbers(const std::vector<int64_t>& numbers, ByteWriter* out) {
  for (const int64_t number : numbers) out->Put(static_cast<uint32_t>(number));
}

void PutStream(const StreamState& stream, ByteWriter* out) {
  // A field more, and this does not compile: it has to be written here and read in GetStream.
  const auto& [phase, awaits_output, speak, text_over, audio_over, incomplete, next_symbol, next_spoken,
               response_position, pieces, frames, images, drawing, image_codes, image_open, speed_chosen,
               voice_chosen, calling, call_pieces, called, call_open, limits] = stream;
  const auto& [max_pieces, max_frames, max_images, may_call, max_call_pieces] = limits;
  assert(!awaits_output);
  out->Put(static_cast<uint8_t>(phase));
  for (const bool flag : {speak, text_over, audio_over, incomplete, drawing, image_open, speed_chosen,
                          voice_chosen, calling, called, call_open, may_call, !next_spoken.empty()}) {
    out->Put(static_cast<uint8_t>(flag ? 1 : 0));
  }
  PutNumbers({next_symbol, response_position, pieces, frames, images, image_codes, max_pieces, max_frames,
              max_images, call_pieces, max_call_pieces},
             out);
  PutNumbers(next_spoken, out);
}

void PutManner(const SpeechManner& manner, ByteWriter* out) {
  out->Put(static_cast<uint8_t>(manner.voice));
  out->Put(static_cast<uint8_t>(manner.speed));
}

void PutSampling(const SamplingOptions& sampling, ByteWriter* out) {
  out->PutFloat(sampling.temperature);
  out->Put(static_cast<uint32_t>(sampling.top_k));
  out->PutFloat(sampling.top_p);
  out->PutFloat(sampling.repetition_penalty);
  out->Put(sampling.seed);
}

void PutPositions(const std::vector<StreamPosition>& positions, ByteWriter* out) {
  out->Put(static_cast<uint32_t>(positions.size()));
  for (const StreamPosition& position : positions) {
    out->Put(static_cast<uint32_t>(position.symbol));
    out->Put(static_cast<uint8_t>((position.heard.empty() ? 0 : kHasHeard) |
                                  (position.spoken.empty() ? 0 : kHasSpoken)));
    PutNumbers(position.heard, out);
    PutNumbers(position.spoken, out);
  }
}

// ---- Reading

int64_t GetNumber(int64_t limit, const char* what, ByteReader& in) {
  const int64_t number = in.Get<uint32_t>(what);
  in.Require(number < limit, what);
  return in.failed() ? 0 : number;
}

int64_t GetSymbol(const ModelConfig& config, ByteReader& in) {
  return GetNumber(config.symbols.vocab_size, "symbol", in);
}

std::vector<int64_t> GetCodes(const ModelConfig& config, int64_t more, const char* what, ByteReader& in) {
  std::vector<int64_t> codes;
  for (const int64_t size : config.codebook_sizes) codes.push_back(GetNumber(size + more, what, in));
  return codes;
}

StreamState GetStream(const ModelConfig& config, ByteReader& in) {
  StreamState s;
  s.phase = static_cast<Phase>(in.GetBelow(static_cast<int64_t>(Phase::kAnswering) + 1, "phase"));
  for (bool* flag :
       {&s.speak, &s.text_over, &s.audio_over, &s.incomplete, &s.drawing, &s.image_open, &s.speed_chosen,
        &s.voice_chosen, &s.calling, &s.called, &s.call_open, &s.limits.may_call}) {
    *flag = in.GetBool("state of the response");
  }
  const bool has_spoken = in.GetBool("state of the response");
  s.next_symbol = GetSymbol(config, in);
  for (int64_t* count :
       {&s.response_position, &s.pieces, &s.frames, &s.images, &s.image_codes, &s.limits.max_pieces,
        &s.limits.max_frames, &s.limits.max_images, &s.call_pieces, &s.limits.max_call_pieces}) {
    *count = GetNumber(kMaxCount, "count of the response", in);
  }
  if (has_spoken) s.next_spoken = GetCodes(config, 0, "spoken code", in);
  const bool draws = s.drawing || s.image_open || s.images > 0 || s.image_codes > 0;
  in.Require(config.image.known() ? s.image_codes <= config.image.codes() : !draws, "picture");
  const bool calls = s.calling || s.called || s.call_open || s.limits.may_call || s.call_pieces > 0;
  in.Require(config.tools.known() || !calls, "call");
  return s;
}

SpeechManner GetManner(ByteReader& in) {
  SpeechManner manner;
  manner.voice = static_cast<SpeechVoice>(in.GetBelow(kSpeechVoices, "voice"));
  manner.speed = static_cast<SpeechSpeed>(in.GetBelow(kSpeechSpeeds, "speed"));
  return manner;
}

SamplingOptions GetSampling(ByteReader& in) {
  SequenceOptions options;
  SamplingOptions& sampling = options.sampling;
  sampling.temperature = in.GetFloat("temperature");
  sampling.top_k = static_cast<int>(GetNumber(kMaxCount, "top_k", in));
  sampling.top_p = in.GetFloat("top_p");
  sampling.repetition_penalty = in.GetFloat("repetition_penalty");
  sampling.seed = in.Get<uint64_t>("seed");
  in.Require(in.failed() || Validate(options).ok(), "sampling");
  return sampling;
}

std::vector<StreamPosition> GetPositions(const ModelConfig& config, int64_t most, ByteReader& in) {
  std::vector<StreamPosition> positions;
  const int64_t count = GetNumber(most + 1, "number of positions", in);
  for (int64_t i = 0; i < count && !in.failed(); ++i) {
    StreamPosition& position = positions.emplace_back();
    position.symbol = GetSymbol(config, in);
    const int64_t channels = in.GetBelow((kHasHeard | kHasSpoken) + 1, "channels");
    if ((channels & kHasHeard) != 0) position.heard = GetCodes(config, 0, "heard code", in);
    if ((channels & kHasSpoken) != 0) position.spoken = GetCodes(config, 0, "spoken code", in);
  }
  return positions;
}

}  // namespace antiphon
