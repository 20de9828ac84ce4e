// Parts of a sequence to bytes and back, for what outlives it: snapshots and recordings.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "antiphon/types.h"
#include "common/byte_codec.h"
#include "model/model_config.h"
#include "model/stream_grammar.h"

namespace antiphon {

constexpr int64_t kMaxCount = int64_t{1} << 20;  // of whatever a response counts
constexpr int64_t kMaxAnswer = 1 << 12;          // pieces

// RFC 1952's CRC-32.
uint32_t Checksum(std::string_view bytes);

// ---- Writing. What was written by a function is read by the one of its name.

void PutNumbers(const std::vector<int64_t>& numbers, ByteWriter* out);
// REQUIRES: stream.awaits_output is false.
void PutStream(const StreamState& stream, ByteWriter* out);
void PutManner(const SpeechManner& manner, ByteWriter* out);
void PutSampling(const SamplingOptions& sampling, ByteWriter* out);
// Inputs only.
void PutPositions(const std::vector<StreamPosition>& positions, ByteWriter* out);

// ---- Reading: what these return means something only if the reader has not failed.

int64_t GetNumber(int64_t limit, const char* what, ByteReader& in);  // below `limit`
int64_t GetSymbol(const ModelConfig& config, ByteReader& in);
// `more`: a code may be one beyond its codebook's, as the end of audio is.
std::vector<int64_t> GetCodes(const ModelConfig& config, int64_t more, const char* what, ByteReader& in);
// A state that the grammar could be in, as far as it relies on it.
StreamState GetStream(const ModelConfig& config, ByteReader& in);
SpeechManner GetManner(ByteReader& in);
SamplingOptions GetSampling(ByteReader& in);
// At most `most`.
std::vector<StreamPosition> GetPositions(const ModelConfig& config, int64_t most, ByteReader& in);

}  // namespace antiphon
