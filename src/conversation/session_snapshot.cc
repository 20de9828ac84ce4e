#include "conversation/session_snapshot.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <utility>
#include <variant>

#include "common/byte_codec.h"

namespace antiphon {
namespace {

constexpr std::string_view kMagic = "antiphon conversation\n";
constexpr uint32_t kFormatVersion = 2;
constexpr size_t kChunk = 60'000;  // bytes that ByteWriter takes as one text
constexpr size_t kMaxId = 64;
constexpr size_t kMaxTextBytes = 1 << 16;
constexpr size_t kMaxMediaBytes = 4 << 20;
constexpr uint64_t kMaxCount = 1 << 20;
constexpr uint64_t kMaxSamples = uint64_t{1} << 40;
constexpr size_t kMaxFloats = 4 * 48'000;
constexpr size_t kMaxPackets = 1 << 14;
constexpr size_t kMaxPictures = 4;

uint32_t Checksum(std::string_view bytes) {
  return static_cast<uint32_t>(
      crc32_z(crc32_z(0, nullptr, 0), reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

// Two visitors of the same fields: one writes them, one reads and checks them. Numbers are below `limit`.
class Saver {
 public:
  static constexpr bool kReads = false;

  template <typename T>
  void Number(T& value, uint64_t /*limit*/) {
    out_.Put(static_cast<uint64_t>(value));
  }
  void Flag(bool& value) { out_.Put(static_cast<uint8_t>(value ? 1 : 0)); }
  void Float(float& value) { out_.PutFloat(value); }
  void Text(std::string& text, size_t /*most*/) {
    out_.Put(static_cast<uint32_t>(text.size()));
    for (size_t at = 0; at < text.size(); at += kChunk)
      out_.PutText(std::string_view(text).substr(at, kChunk));
  }
  void Require(bool /*condition*/) {}
  static bool Since(uint32_t /*version*/) { return true; }
  bool ok() const { return true; }
  std::string Take() { return out_.Take(); }

 private:
  ByteWriter out_;
};

class Loader {
 public:
  static constexpr bool kReads = true;

  Loader(std::string_view bytes, uint32_t version) : version_(version), in_(bytes, "the conversation") {}

  // Bytes of this format version or a later one.
  bool Since(uint32_t version) const { return version_ >= version; }

  template <typename T>
  void Number(T& value, uint64_t limit) {
    const auto number = in_.Get<uint64_t>(kWhat);
    in_.Require(number < limit, kWhat);
    value = static_cast<T>(in_.failed() ? 0 : number);
  }
  void Flag(bool& value) { value = in_.GetBool(kWhat); }
  void Float(float& value) {
    value = in_.GetFloat(kWhat);
    in_.Require(std::isfinite(value), kWhat);
  }
  void Text(std::string& text, size_t most) {
    const size_t size = in_.Get<uint32_t>(kWhat);
    in_.Require(size <= most && size <= in_.left(), kWhat);
    while (!in_.failed() && text.size() < size) {
      const std::string chunk = in_.GetText(kChunk, kWhat);
      in_.Require(!chunk.empty(), kWhat);
      text += chunk;
    }
    in_.Require(text.size() == size, kWhat);
  }
  void Require(bool condition) { in_.Require(condition, kWhat); }
  bool ok() const { return !in_.failed(); }
  Status Finish() {
    in_.RequireEnd();
    return in_.status();
  }

 private:
  static constexpr const char* kWhat = "state";
  const uint32_t version_;
  ByteReader in_;
};

// ---- What several parts have in common

template <typename Visitor, typename List, typename Each>
void Visit(Visitor& v, List& list, size_t most, const Each& each) {
  size_t count = list.size();
  v.Number(count, most + 1);
  for (size_t i = 0; i < count && v.ok(); ++i) {
    if constexpr (Visitor::kReads) list.emplace_back();
    each(list[i]);
  }
}

template <typename Visitor, typename T, typename Each>
void Visit(Visitor& v, std::optional<T>& value, const Each& each) {
  bool there = value.has_value();
  v.Flag(there);
  if (!there || !v.ok()) return;
  if constexpr (Visitor::kReads) value.emplace();
  each(*value);
}

template <typename Visitor>
void Visit(Visitor& v, std::vector<float>& numbers) {
  Visit(v, numbers, kMaxFloats, [&](float& number) { v.Float(number); });
}

template <typename Visitor>
void Visit(Visitor& v, std::vector<Function>& functions) {
  Visit(v, functions, 64, [&](Function& function) {
    v.Text(function.name, kMaxId);
    v.Text(function.description, kMaxTextBytes);
    v.Text(function.parameters, kMaxTextBytes);
  });
}

// ---- Settings, as the wish of a client, which is checked as one

template <typename Visitor>
void Visit(Visitor& v, AudioFormatUpdate& format) {
  v.Number(format.encoding, kMaxCount);
  v.Number(format.sample_rate, kMaxCount);
  v.Number(format.expected_loss_percent, kMaxCount);
}

template <typename Visitor>
void Visit(Visitor& v, ConfigUpdate& config) {
  Visit(v, config.output_modalities, 3, [&](int& modality) { v.Number(modality, kMaxCount); });
  Visit(v, config.input_audio, [&](AudioFormatUpdate& format) { Visit(v, format); });
  Visit(v, config.output_audio, [&](AudioFormatUpdate& format) { Visit(v, format); });
  Visit(v, config.turn_detection, [&](TurnDetectionUpdate& turns) {
    v.Number(turns.mode, kMaxCount);
    v.Float(turns.threshold);
    v.Number(turns.max_silence_ms, kMaxCount);
    v.Number(turns.eagerness, kMaxCount);
    v.Number(turns.silence_duration_ms, kMaxCount);
    Visit(v, turns.prefix_padding_ms, [&](uint32_t& ms) { v.Number(ms, kMaxCount); });
    Visit(v, turns.vad_threshold, [&](float& threshold) { v.Float(threshold); });
  });
  Visit(v, config.sampling, [&](SamplingUpdate& sampling) {
    v.Float(sampling.temperature);
    v.Number(sampling.top_k, kMaxCount);
    v.Float(sampling.top_p);
    v.Float(sampling.repetition_penalty);
    uint64_t low = sampling.seed & UINT32_MAX, high = sampling.seed >> 32;
    v.Number(low, uint64_t{1} << 32);
    v.Number(high, uint64_t{1} << 32);
    sampling.seed = high << 32 | low;
  });
  v.Number(config.max_response_seconds, kMaxCount);
  v.Number(config.max_video_frames, kMaxCount);
  v.Text(config.voice, kMaxId);
  v.Number(config.speed, kMaxCount);
  Visit(v, config.interruption, [&](InterruptionUpdate& interruption) {
    v.Number(interruption.policy, kMaxCount);
    v.Number(interruption.min_voice_ms, kMaxCount);
  });
  Visit(v, config.playback_delay_ms, [&](uint32_t& ms) { v.Number(ms, kMaxCount); });
  v.Number(config.max_lead_ms, kMaxCount);
  if (v.Since(2)) {
    Visit(v, config.speech_enhancement, [&](SpeechEnhancementUpdate& enhancement) {
      v.Number(enhancement.noise_suppression, kMaxCount);
      v.Flag(enhancement.echo_cancellation);
    });
  }
  Visit(v, config.functions, [&](std::vector<Function>& functions) { Visit(v, functions); });
  Visit(v, config.instructions, [&](std::string& text) { v.Text(text, kMaxTextBytes); });
}

// ---- The rest

template <typename Visitor>
void Visit(Visitor& v, FunctionCalls::State& calls) {
  v.Number(calls.calls, kMaxSamples);
  v.Text(calls.response_id, kMaxId);
  Visit(v, calls.functions);
  v.Flag(calls.writing);
  v.Text(calls.id, kMaxId);
  v.Text(calls.text, kMaxTextBytes);
  Visit(v, calls.name, [&](std::string& name) { v.Text(name, kMaxTextBytes); });
  v.Number(calls.told, calls.text.size() + 1);
  const auto id = [&](std::string& call_id) { v.Text(call_id, kMaxId); };
  Visit(v, calls.open, FunctionCalls::kMostOpen, id);
  Visit(v, calls.held, FunctionCalls::kMostOpen, [&](client_event::FunctionCallOutput& output) {
    v.Text(output.call_id, kMaxId);
    v.Text(output.output, kMaxTextBytes);
    v.Flag(output.respond);
  });
  Visit(v, calls.in_turn, FunctionCalls::kMostOpen, id);
}

template <typename Visitor>
void Visit(Visitor& v, server_event::Usage& usage) {
  for (int* count :
       {&usage.heard_frames, &usage.input_text_pieces, &usage.output_text_pieces, &usage.spoken_frames,
        &usage.context_positions, &usage.input_images, &usage.output_images, &usage.input_video_frames,
        &usage.dropped_video_frames, &usage.input_function_outputs, &usage.input_function_pieces,
        &usage.output_function_calls, &usage.output_function_pieces}) {
    v.Number(*count, kMaxCount);
  }
  PacketFates& packets = usage.input_packets;
  for (uint32_t* count : {&packets.recovered, &packets.concealed, &packets.late, &packets.duplicates}) {
    v.Number(*count, UINT32_MAX);
  }
}

template <typename Visitor>
void Visit(Visitor& v, server_event::LatencyLedger& ledger) {
  for (uint64_t* moment :
       {&ledger.last_speech_received_us, &ledger.endpoint_decided_us, &ledger.first_symbol_us,
        &ledger.first_frame_us, &ledger.first_packet_sent_us, &ledger.first_image_us}) {
    v.Number(*moment, kMaxSamples);
  }
}

template <typename Visitor>
void Visit(Visitor& v, PlaybackMeter::State& meter) {
  v.Number(meter.sent, uint64_t{1} << 31);
  v.Number(meter.reported, meter.sent + 1);
  v.Number(meter.played, meter.sent + 1);
  v.Flag(meter.measured);
  v.Number(meter.least_margin, meter.sent + 1);
  v.Number(meter.underruns, kMaxCount);
}

template <typename Visitor>
void Visit(Visitor& v, SpeechOutput::State& output) {
  v.Number(output.inputs, uint64_t{1} << 31);
  Visit(v, output.last);
  Visit(v, output.pending);
  v.Number(output.packets, UINT32_MAX);
  Visit(v, output.encoded);
}

template <typename Visitor>
void Visit(Visitor& v, Response::State& response, size_t codes) {
  v.Text(response.text, kMaxTextBytes);
  v.Number(response.frames, kMaxCount);
  Visit(v, response.output, [&](SpeechOutput::State& output) { Visit(v, output); });
  Visit(v, response.waiting, kMaxPackets, [&](OutputPacket& packet) {
    v.Text(packet.bytes, kMaxMediaBytes);
    v.Number(packet.samples, kMaxFloats);
    Visit(v, packet.number, [&](uint32_t& number) { v.Number(number, UINT32_MAX); });
  });
  v.Number(response.images.begun, kMaxCount);
  v.Number(response.images.complete, kMaxCount);
  Visit(v, response.images.unpainted, codes == 0 ? 0 : kMaxPictures, [&](ResponseImage& image) {
    v.Number(image.index, kMaxCount);
    Visit(v, image.codes, codes, [&](int& code) { v.Number(code, kMaxCount); });
  });
}

template <typename Visitor>
void Visit(Visitor& v, ResponseDone& done) {
  v.Number(done.end, 4);
  int code = static_cast<int>(done.error.code());
  std::string message = done.error.message();
  v.Number(code, 17);
  v.Text(message, kMaxTextBytes);
  if constexpr (Visitor::kReads) {
    if (code != 0) done.error = Status(static_cast<StatusCode>(code), std::move(message));
  }
  for (int* count : {&done.text_pieces, &done.spoken_frames, &done.images, &done.context_positions,
                     &done.calls, &done.call_pieces}) {
    v.Number(*count, kMaxCount);
  }
}

// `codes`: of a picture. Settings travel beside it, as updates.
template <typename Visitor>
void Visit(Visitor& v, SessionSnapshot& s, size_t codes) {
  v.Number(s.state, static_cast<uint64_t>(ConversationState::kCancelling));
  v.Require(s.state != ConversationState::kEnding);
  v.Number(s.input_samples, kMaxSamples);
  Visit(v, s.last_samples);
  v.Flag(s.voice_told);
  v.Number(s.voice_end, s.input_samples + 1);
  for (int* count : {&s.texts, &s.images, &s.outputs, &s.frames_heard}) v.Number(*count, kMaxCount);
  v.Flag(s.reply);
  v.Flag(s.has_words);
  v.Number(s.responses, kMaxSamples);
  Visit(v, s.calls);
  Visit(v, s.usage);
  v.Number(s.age_us, kMaxSamples);
  Visit(v, s.ledger);
  Visit(v, s.playback, [&](PlaybackMeter::State& meter) { Visit(v, meter); });
  Visit(v, s.response, [&](Response::State& response) { Visit(v, response, codes); });
  Visit(v, s.made, [&](ResponseDone& done) { Visit(v, done); });
  v.Text(s.sequence, kMaxMediaBytes);
  const bool responding = s.state == ConversationState::kResponding;
  v.Require(responding == s.response.has_value());
  v.Require(responding ? s.playback.has_value() && s.responses > 0 : !s.made.has_value());
}

Result<SessionConfig> Checked(const ConfigUpdate& update, const ModelDescription& model) {
  auto applied = ApplyUpdate({}, update, AbilitiesOf(model));
  if (const auto* refusal = std::get_if<Refusal>(&applied)) {
    return Status(refusal->status.code() == StatusCode::kUnimplemented ? StatusCode::kUnimplemented
                                                                       : StatusCode::kDataLoss,
                  "the conversation's settings: " + refusal->status.message());
  }
  return std::get<SessionConfig>(std::move(applied));
}

size_t CodesOf(const ModelDescription& model) {
  return static_cast<size_t>(model.image_grid) * static_cast<size_t>(model.image_grid);
}

}  // namespace

bool IsSessionSnapshot(std::string_view bytes) { return bytes.starts_with(kMagic); }

std::string WriteSessionSnapshot(const SessionSnapshot& snapshot) {
  Saver saver;
  for (const SessionConfig* config : {&snapshot.config, &snapshot.response_config}) {
    ConfigUpdate update = UpdateTo(*config);
    Visit(saver, update);
  }
  SessionSnapshot copy = snapshot;
  Visit(saver, copy, kMaxMediaBytes);
  const std::string body = saver.Take();
  ByteWriter head;
  head.Put(kFormatVersion);
  head.Put(Checksum(body));
  return std::string(kMagic) + head.bytes() + body;
}

Result<SessionSnapshot> ReadSessionSnapshot(std::string_view bytes, const ModelDescription& model) {
  if (!IsSessionSnapshot(bytes)) return InvalidArgument("the bytes are no exported session");
  bytes.remove_prefix(kMagic.size());
  ByteReader head(bytes, "the conversation");
  const auto version = head.Get<uint32_t>("format version");
  if (!head.failed() && (version < 1 || version > kFormatVersion)) {
    return Status(StatusCode::kUnimplemented, "the conversation's format version is " +
                                                  std::to_string(version) + ", this server reads 1 to " +
                                                  std::to_string(kFormatVersion));
  }
  const auto checksum = head.Get<uint32_t>("checksum");
  if (head.failed()) return head.status();
  bytes.remove_prefix(2 * sizeof(uint32_t));
  if (Checksum(bytes) != checksum) return DataLoss("the conversation's checksum is wrong");

  Loader loader(bytes, version);
  ConfigUpdate settings, of_response;
  Visit(loader, settings);
  Visit(loader, of_response);
  SessionSnapshot snapshot;
  Visit(loader, snapshot, CodesOf(model));
  if (Status status = loader.Finish(); !status.ok()) return status;
  auto config = Checked(settings, model);
  if (!config.ok()) return config.status();
  auto response_config = Checked(of_response, model);
  if (!response_config.ok()) return response_config.status();
  snapshot.config = *std::move(config);
  snapshot.response_config = *std::move(response_config);
  if (auto mistake = CheckFunctions(snapshot.calls.functions, "functions")) {
    return DataLoss("the conversation's functions: " + mistake->status.message());
  }
  return snapshot;
}

}  // namespace antiphon
