#include "engine/sequence_snapshot.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>

#include "common/byte_codec.h"
#include "engine/sequence_codec.h"

namespace antiphon {
namespace {

constexpr std::string_view kMagic = "antiphon session\n";
constexpr uint32_t kFormatVersion = 3;
constexpr uint32_t kBetweenTurnsOnly = 1;  // an older one
constexpr uint32_t kLongTranscripts = 3;   // from this one on
constexpr size_t kMaxNameBytes = 128;
constexpr size_t kMaxTextBytes = 65'535;
constexpr size_t kMaxTranscriptBytes = 4 << 20;
constexpr size_t kMaxCharacterBytes = 4;
constexpr size_t kMaxVideo = 8;
constexpr int64_t kMaxHistory = int64_t{1} << 20;  // numbers
constexpr int64_t kMaxSamples = int64_t{1} << 31;
constexpr float kLoudest = 1e6f;  // far beyond what a codec remembers

using Phase = StreamState::Phase;

// ---- Writing

void PutFlag(bool flag, ByteWriter* out) { out->Put(static_cast<uint8_t>(flag ? 1 : 0)); }

void PutCounts(const std::vector<int64_t>& numbers, ByteWriter* out) {
  out->Put(static_cast<uint32_t>(numbers.size()));
  PutNumbers(numbers, out);
}

void PutFloats(const std::vector<float>& numbers, ByteWriter* out) {
  out->Put(static_cast<uint32_t>(numbers.size()));
  for (const float number : numbers) out->PutFloat(number);
}

void PutDecoder(const TextDecoder::State& decoder, ByteWriter* out) {
  PutFlag(decoder.started, out);
  PutFlag(decoder.space_pending, out);
  out->PutText(decoder.partial);
}

void PutSound(const SoundSnapshot& sound, ByteWriter* out) {
  PutFloats(sound.history, out);
  out->Put(static_cast<uint32_t>(sound.frames));
  out->Put(std::bit_cast<uint64_t>(sound.phase));
  PutManner(sound.manner, out);
  out->Put(static_cast<uint32_t>(sound.position));
  out->Put(static_cast<uint32_t>(sound.last_hop));
}

void PutTurn(const TurnSnapshot& turn, ByteWriter* out) {
  PutStream(turn.before, out);
  out->Put(static_cast<uint32_t>(turn.length_before));
  out->PutLongText(turn.transcript);
  PutDecoder(turn.decoder, out);
  PutFlag(turn.typed_last, out);
  PutFlag(turn.lost, out);
  PutNumbers({turn.heard_frames, turn.text_pieces, turn.texts, turn.images, turn.results,
              turn.function_pieces, turn.video},
             out);
  PutSound(turn.hearing, out);
}

void PutResponse(const ResponseSnapshot& response, ByteWriter* out) {
  PutFlag(response.begin.has_value(), out);
  out->Put(static_cast<uint32_t>(response.begin.value_or(0)));
  PutFlag(response.spoken, out);
  PutFlag(response.speech_over, out);
  PutCounts(response.answer, out);
  PutDecoder(response.decoder, out);
  PutCounts(response.words, out);
  PutNumbers(response.pieces_before, out);
  out->Put(static_cast<uint32_t>(response.scores.size()));
  for (const std::vector<float>& scores : response.scores) PutFloats(scores, out);
  PutNumbers({response.spoken_frames, response.spoken_samples}, out);
  PutCounts({response.image_codes.begin(), response.image_codes.end()}, out);
  PutNumbers({response.drawn_images}, out);
  PutDecoder(response.call_decoder, out);
  PutNumbers({response.calls, response.call_pieces}, out);
  PutSampling(response.sampling, out);
  PutSound(response.speech, out);
}

// ---- Reading

std::string Described(const ModelIdentity& model) {
  return model.name + " " + model.version + " (weights " + std::to_string(model.weights) + ")";
}

int GetCount(const char* what, ByteReader& in) { return static_cast<int>(GetNumber(kMaxCount, what, in)); }

// At most `most` of them, each below `limit`.
std::vector<int64_t> GetNumbers(int64_t most, int64_t limit, const char* what, ByteReader& in) {
  std::vector<int64_t> numbers;
  const int64_t count = GetNumber(most + 1, what, in);
  for (int64_t i = 0; i < count && !in.failed(); ++i) numbers.push_back(GetNumber(limit, what, in));
  return numbers;
}

std::vector<float> GetFloats(int64_t most, const char* what, ByteReader& in) {
  std::vector<float> numbers;
  const int64_t count = GetNumber(most + 1, what, in);
  for (int64_t i = 0; i < count && !in.failed(); ++i) {
    numbers.push_back(in.GetFloat(what));
    in.Require(std::abs(numbers.back()) <= kLoudest, what);  // false for NaN
  }
  return numbers;
}

TextDecoder::State GetDecoder(ByteReader& in) {
  TextDecoder::State decoder;
  decoder.started = in.GetBool("unfinished text");
  decoder.space_pending = in.GetBool("unfinished text");
  decoder.partial = in.GetText(kMaxCharacterBytes, "unfinished text");
  return decoder;
}

SoundSnapshot GetSound(ByteReader& in) {
  SoundSnapshot sound;
  sound.history = GetFloats(kMaxHistory, "state of the codec", in);
  sound.frames = GetCount("state of the codec", in);
  sound.phase = std::bit_cast<double>(in.Get<uint64_t>("state of the codec"));
  in.Require(sound.phase >= 0.0 && sound.phase < 1.0, "state of the codec");
  sound.manner = GetManner(in);
  sound.position = GetNumber(kMaxSamples, "state of the codec", in);
  sound.last_hop = GetCount("state of the codec", in);
  return sound;
}

// The state of version 1.
StreamState GetStreamBetweenTurns(const ModelConfig& config, ByteReader& in) {
  StreamState stream;
  stream.phase = static_cast<Phase>(in.GetBelow(static_cast<int64_t>(Phase::kClosing) + 1, "phase"));
  const int64_t symbol = GetNumber(config.symbols.vocab_size, "next symbol", in);
  if (stream.phase == Phase::kClosing) stream.next_symbol = symbol;
  return stream;
}

// Each is a whole picture among the positions, and none overlaps the one before.
std::vector<SequenceSnapshot::VideoPlace> GetVideo(const ModelConfig& config,
                                                   const std::vector<StreamPosition>& positions,
                                                   ByteReader& in) {
  std::vector<SequenceSnapshot::VideoPlace> video;
  const auto count = in.Get<uint8_t>("number of video frames");
  in.Require(count <= kMaxVideo && (count == 0 || config.image.known()), "number of video frames");
  int64_t free = 0;  // the first position that may be the next one's
  for (int i = 0; i < count && !in.failed(); ++i) {
    const auto size = static_cast<int64_t>(positions.size());
    const int64_t first = GetNumber(size, "video frame", in);
    const int64_t end = first + config.image.symbols();
    const bool whole = first >= free && end <= size &&
                       positions[static_cast<size_t>(first)].symbol == config.image.begin &&
                       positions[static_cast<size_t>(end - 1)].symbol == config.image.end &&
                       std::all_of(positions.begin() + first + 1, positions.begin() + end - 1,
                                   [&](const StreamPosition& p) { return config.image.is_code(p.symbol); });
    in.Require(whole, "video frame");
    video.push_back({first});
    free = end;
  }
  return video;
}

TurnSnapshot GetTurn(const ModelConfig& config, int64_t positions, uint32_t version, ByteReader& in) {
  TurnSnapshot turn;
  turn.before = GetStream(config, in);
  in.Require(!turn.before.in_turn() && !turn.before.in_response(), "turn");
  turn.length_before = GetNumber(positions + 1, "turn", in);
  turn.transcript = version >= kLongTranscripts ? in.GetLongText(kMaxTranscriptBytes, "transcript")
                                                : in.GetText(kMaxTextBytes, "transcript");
  turn.decoder = GetDecoder(in);
  turn.typed_last = in.GetBool("turn");
  turn.lost = in.GetBool("turn");
  for (int* count : {&turn.heard_frames, &turn.text_pieces, &turn.texts, &turn.images, &turn.results,
                     &turn.function_pieces, &turn.video}) {
    *count = GetCount("count of the turn", in);
  }
  turn.hearing = GetSound(in);
  return turn;
}

void GetWords(const ModelConfig& config, ResponseSnapshot* response, ByteReader& in) {
  response->words = GetNumbers(kMaxAnswer, config.symbols.text_pieces, "words", in);
  const auto words = std::ssize(response->words);
  const auto pieces = std::ssize(response->answer);
  for (int64_t i = 0; i < words && !in.failed(); ++i) {
    response->pieces_before.push_back(GetNumber(pieces, "words", in));
  }
  const int64_t frames = GetNumber(config.max_positions + 1, "words", in);
  for (int64_t i = 0; i < frames && !in.failed(); ++i) {
    response->scores.push_back(GetFloats(words, "words", in));
  }
}

ResponseSnapshot GetResponse(const ModelConfig& config, const std::vector<StreamPosition>& positions,
                             ByteReader& in) {
  ResponseSnapshot response;
  const auto size = static_cast<int64_t>(positions.size());
  const bool can_be_cut = in.GetBool("response");
  const int64_t begin = GetNumber(size + 1, "response", in);
  if (can_be_cut && !in.failed()) {
    response.begin = begin;
    const bool there =
        begin == size || positions[static_cast<size_t>(begin)].symbol == config.symbols.assistant;
    in.Require(there, "response");
  }
  response.spoken = in.GetBool("response");
  response.speech_over = in.GetBool("response");
  response.answer = GetNumbers(kMaxAnswer, config.symbols.text_pieces, "answer", in);
  response.decoder = GetDecoder(in);
  GetWords(config, &response, in);
  response.spoken_frames = GetCount("number of frames", in);
  response.spoken_samples = GetNumber(kMaxSamples, "number of samples", in);
  const int64_t codes = config.image.known() ? config.image.codes() : 0;
  const int64_t colours = config.image.known() ? config.image.codebook_size : 1;
  for (const int64_t code : GetNumbers(codes, colours, "picture", in)) {
    response.image_codes.push_back(static_cast<int>(code));
  }
  response.drawn_images = GetCount("number of pictures", in);
  response.call_decoder = GetDecoder(in);
  response.calls = GetCount("number of calls", in);
  response.call_pieces = GetCount("number of calls", in);
  response.sampling = GetSampling(in);
  response.speech = GetSound(in);
  return response;
}

// What version 1 has not.
void GetMoment(const ModelConfig& config, uint32_t version, SequenceSnapshot* snapshot, ByteReader& in) {
  const bool in_turn = in.GetBool("turn");
  in.Require(in.failed() || in_turn == snapshot->stream.in_turn(), "turn");
  if (in_turn && !in.failed()) snapshot->turn = GetTurn(config, std::ssize(snapshot->positions), version, in);
  const bool responded = in.GetBool("response");
  in.Require(in.failed() || responded || !snapshot->stream.in_response(), "response");
  if (responded && !in.failed()) snapshot->response = GetResponse(config, snapshot->positions, in);
  in.Require(!in_turn || !responded, "response");
  // What cuts a response or forgets a turn counts on video to stand before it, or wholly within the turn.
  for (const SequenceSnapshot::VideoPlace& place : snapshot->video) {
    const int64_t end = place.first + config.image.symbols();
    const bool straddles =
        snapshot->turn && place.first < snapshot->turn->length_before && end > snapshot->turn->length_before;
    const bool behind = snapshot->response && snapshot->response->begin && end > *snapshot->response->begin;
    in.Require(!straddles && !behind, "video frame");
  }
}

}  // namespace

std::string WriteSnapshot(const SequenceSnapshot& snapshot, const ModelIdentity& model) {
  ByteWriter body;
  body.PutText(model.name);
  body.PutText(model.version);
  body.Put(model.weights);
  PutStream(snapshot.stream, &body);
  PutPositions(snapshot.positions, &body);
  body.Put(static_cast<uint8_t>(snapshot.video.size()));
  for (const SequenceSnapshot::VideoPlace& place : snapshot.video)
    body.Put(static_cast<uint32_t>(place.first));
  PutFlag(snapshot.turn.has_value(), &body);
  if (snapshot.turn) PutTurn(*snapshot.turn, &body);
  PutFlag(snapshot.response.has_value(), &body);
  if (snapshot.response) PutResponse(*snapshot.response, &body);

  ByteWriter head;
  head.Put(kFormatVersion);
  head.Put(Checksum(body.bytes()));
  return std::string(kMagic) + head.bytes() + body.bytes();
}

Result<SequenceSnapshot> ReadSnapshot(std::string_view bytes, const ModelIdentity& model,
                                      const ModelConfig& config) {
  if (!bytes.starts_with(kMagic)) return InvalidArgument("the bytes are no exported session");
  ByteReader in(bytes.substr(kMagic.size()), "the session");
  const auto version = in.Get<uint32_t>("format version");
  if (!in.failed() && (version < kBetweenTurnsOnly || version > kFormatVersion)) {
    return Status(StatusCode::kUnimplemented, "the session's format version is " + std::to_string(version) +
                                                  ", this server reads up to " +
                                                  std::to_string(kFormatVersion));
  }
  const auto checksum = in.Get<uint32_t>("checksum");
  if (in.failed()) return in.status();
  const size_t head = kMagic.size() + 2 * sizeof(uint32_t);
  if (Checksum(bytes.substr(head)) != checksum) return DataLoss("the session's checksum is wrong");

  ModelIdentity owner;
  owner.name = in.GetText(kMaxNameBytes, "model");
  owner.version = in.GetText(kMaxNameBytes, "model version");
  owner.weights = in.Get<uint32_t>("weights");
  if (in.failed()) return in.status();
  if (owner != model) {
    return FailedPrecondition("the session belongs to " + Described(owner) + ", the model here is " +
                              Described(model));
  }
  SequenceSnapshot snapshot;
  snapshot.stream = version == kBetweenTurnsOnly ? GetStreamBetweenTurns(config, in) : GetStream(config, in);
  snapshot.positions = GetPositions(config, config.max_positions, in);
  snapshot.video = GetVideo(config, snapshot.positions, in);
  in.Require((snapshot.stream.phase == Phase::kNew) == snapshot.positions.empty(), "phase");
  if (version != kBetweenTurnsOnly && !in.failed()) GetMoment(config, version, &snapshot, in);
  in.RequireEnd();
  if (in.failed()) return in.status();
  return snapshot;
}

}  // namespace antiphon
