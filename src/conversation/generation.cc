#include "conversation/generation.h"

#include <algorithm>
#include <span>
#include <string_view>
#include <utility>

#include "media/g711.h"
#include "media/pcm.h"
#include "media/resampler.h"
#include "media/wav.h"

namespace antiphon {
namespace {

constexpr size_t kMaxParts = 64;
constexpr size_t kMaxMediaTypeBytes = 64;  // of one that is told back to the client
constexpr uint32_t kMinRate = 4000;
constexpr uint32_t kMaxRate = 192000;

// Enumerators of proto/antiphon/v1/conversation.proto.
constexpr int kEncodingPcm16 = 1;
constexpr int kModeNone = 1;

constexpr uint32_t kRate = 16000;  // of the script's audio: the one that the model hears at
// The model writes a word down a little after it has heard it, and hears a pause at the end of what it was
// trained on.
constexpr size_t kTailSamples = kRate * 240 / 1000;
constexpr size_t kMaxAppendSamples = 2 * kRate;

constexpr char kParts[] = "parts";
constexpr std::string_view kConfig = "session_update.config.";

std::string Path(size_t part) { return std::string(kParts) + "[" + std::to_string(part) + "]"; }

Status At(const std::string& path, const Status& status) {
  return {status.code(), path + ": " + status.message()};
}

double Seconds(std::chrono::milliseconds duration) { return static_cast<double>(duration.count()) / 1000.0; }

std::string Text(double seconds) {
  const auto tenths = static_cast<int64_t>(seconds * 10 + 0.5);
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
}

Result<Audio> ReadPcm(const AudioPart& part, const std::string& path, std::chrono::milliseconds longest) {
  if (part.sample_rate < kMinRate || part.sample_rate > kMaxRate) {
    return OutOfRange(path + ".sample_rate: is " + std::to_string(part.sample_rate) +
                      ", must be 4000 to 192000");
  }
  // Before memory is taken for the samples.
  if (static_cast<double>(part.data.size() / 2) > Seconds(longest) * part.sample_rate) {
    return OutOfRange(path + ".data: is longer than " + Text(Seconds(longest)));
  }
  Audio audio{.samples = {}, .sample_rate = static_cast<int>(part.sample_rate)};
  if (Status status = AppendPcm16(part.data, &audio.samples); !status.ok()) return At(path + ".data", status);
  return audio;
}

Result<Audio> ReadG711(const AudioPart& part, G711Law law, const std::string& path,
                       std::chrono::milliseconds longest) {
  if (static_cast<double>(part.data.size()) > Seconds(longest) * kG711SampleRate) {
    return OutOfRange(path + ".data: is longer than " + Text(Seconds(longest)));
  }
  Audio audio{.samples = {}, .sample_rate = kG711SampleRate};
  AppendG711(part.data, law, &audio.samples);
  return audio;
}

Result<Audio> ReadFile(const AudioPart& part, const std::string& path, std::chrono::milliseconds longest) {
  // The library behind it reads many kinds of file: none that was not promised.
  const std::string_view data = part.data;
  if (!data.starts_with("RIFF") || !data.substr(0, 12).ends_with("WAVE")) {
    return InvalidArgument(path + ".data: is no WAV file");
  }
  Result<Audio> audio = ReadWavBytes(data, {.max_seconds = Seconds(longest)});
  if (!audio.ok()) return At(path + ".data", audio.status());
  return audio;
}

Result<Audio> Read(const AudioPart& part, const std::string& path, std::chrono::milliseconds longest) {
  const bool mu = part.media_type == "audio/pcmu";
  const bool g711 = mu || part.media_type == "audio/pcma";
  const bool file = part.media_type == "audio/wav";
  if (!file && !g711 && part.media_type != "audio/pcm") {
    return InvalidArgument(path + ".media_type: is \"" + part.media_type.substr(0, kMaxMediaTypeBytes) +
                           "\", must be audio/wav, audio/pcm, audio/pcmu or audio/pcma");
  }
  if (part.data.empty()) return InvalidArgument(path + ".data: is empty");
  Result<Audio> audio = file   ? ReadFile(part, path, longest)
                        : g711 ? ReadG711(part, mu ? G711Law::kMu : G711Law::kA, path, longest)
                               : ReadPcm(part, path, longest);
  if (audio.ok() && audio->samples.empty()) return InvalidArgument(path + ".data: has no samples");
  return audio;
}

// Writes the script.
class Writer {
 public:
  Writer(const ModelDescription& model, std::chrono::milliseconds longest_audio, TimePoint received)
      : frame_(static_cast<size_t>(model.frame_samples)),
        longest_audio_(longest_audio),
        received_(received) {}

  template <typename Event>
  void Add(std::string path, Event event) {
    script_.push_back({std::move(path), received_, std::move(event)});
  }

  Status AddPart(const std::string& path, UnknownPart&) {
    return InvalidArgument(path + ": is neither text, audio nor image");
  }
  Status AddPart(const std::string& path, TextPart& part) {
    Add(path, client_event::TextAppend{std::move(part.text)});
    return OkStatus();
  }
  Status AddPart(const std::string& path, ImagePart& part) {
    Add(path + ".image", std::move(part.image));
    return OkStatus();
  }
  Status AddPart(const std::string& path, const AudioPart& part);

  std::vector<ClientEvent> Finish() {
    Add(kParts, client_event::Commit{});
    return std::move(script_);
  }

 private:
  const size_t frame_;  // samples
  const std::chrono::milliseconds longest_audio_;
  const TimePoint received_;
  double audio_seconds_ = 0;
  std::vector<ClientEvent> script_;
};

Status Writer::AddPart(const std::string& part_path, const AudioPart& part) {
  const std::string path = part_path + ".audio";
  const Result<Audio> audio = Read(part, path, longest_audio_);
  if (!audio.ok()) return audio.status();
  audio_seconds_ += audio->seconds();
  if (audio_seconds_ > Seconds(longest_audio_)) {
    return OutOfRange(path + ".data: with it the recordings are " + Text(audio_seconds_) +
                      " long together, at most " + Text(Seconds(longest_audio_)) + " are heard");
  }
  Result<std::vector<float>> samples = Resample(audio->samples, audio->sample_rate, static_cast<int>(kRate));
  if (!samples.ok()) return At(path + ".sample_rate", samples.status());
  const size_t length = samples->size() + kTailSamples;
  samples->resize((length + frame_ - 1) / frame_ * frame_, 0.0f);
  for (std::span<const float> rest = *samples; !rest.empty();) {
    const size_t count = std::min(rest.size(), kMaxAppendSamples);
    Add(path, client_event::AudioAppend{EncodePcm16(rest.first(count))});
    rest = rest.subspan(count);
  }
  return OkStatus();
}

}  // namespace

Result<std::vector<ClientEvent>> ScriptOf(GenerationRequest request, const ModelDescription& model,
                                          std::chrono::milliseconds longest_audio, TimePoint received) {
  if (request.parts.empty() || request.parts.size() > kMaxParts) {
    return InvalidArgument(std::string(kParts) + ": has " + std::to_string(request.parts.size()) +
                           " entries, must have 1 to 64");
  }
  Writer writer(model, longest_audio, received);
  request.config.input_audio = AudioFormatUpdate{kEncodingPcm16, kRate};
  request.config.turn_detection = TurnDetectionUpdate{.mode = kModeNone};
  request.config.max_lead_ms = static_cast<uint32_t>(kMaxLeadMs);
  writer.Add("", client_event::SessionUpdate{std::move(request.config)});
  for (size_t i = 0; i < request.parts.size(); ++i) {
    const Status added =
        std::visit([&](auto& part) { return writer.AddPart(Path(i), part); }, request.parts[i]);
    if (!added.ok()) return added;
  }
  return writer.Finish();
}

// The script's events bear the path of what they were made of.
Status MistakeOf(const server_event::Error& error) {
  const auto& [status, field] = error.refusal;
  if (field.starts_with(kConfig)) return status;  // its message begins with the field's path behind that
  const size_t dot = field.find('.');
  const std::string part = error.event_id.empty() && dot != std::string::npos ? kParts : error.event_id;
  if (part.empty()) return status;
  if (part == kParts) {
    // Of the commit, or of what the engine could not take of the turn.
    if (status.code() != StatusCode::kFailedPrecondition) return At(kParts, status);
    return InvalidArgument("parts: no voice is heard in the audio, and there is no text or image");
  }
  return At(dot == std::string::npos ? part : part + field.substr(dot), status);
}

}  // namespace antiphon
