#include "bench/interruptions.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <memory>
#include <random>
#include <span>
#include <utility>
#include <variant>

#include "antiphon/ask.h"
#include "bench/judge.h"
#include "bench/noises.h"
#include "media/resampler.h"
#include "media/wav.h"

namespace antiphon::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kRate = 16000;
constexpr milliseconds kPacket{20};
constexpr size_t kPacketSamples = kRate / 50;
constexpr float kAudible = 0.01f;          // -40 dBFS: where an intrusion sets in
constexpr milliseconds kEarliest{300};     // of an intrusion, after the first of the answer was heard
constexpr milliseconds kLatest{1800};      // likewise
constexpr milliseconds kAfterwards{1500};  // of silence, for the server to make up its mind
constexpr const char* kWhatWasSaid = "what did you say";

// One intrusion, on a conversation of its own.
class Intruder {
 public:
  Intruder(client::Conversation& conversation, const InterruptionsOptions& options, Interrupted* result)
      : conversation_(conversation), options_(options), result_(result) {}

  // Asks, and waits until some of the answer was heard, `before` after its first sound.
  Status Listen(milliseconds before) {
    if (Status status = conversation_.AppendText(options_.request); !status.ok()) return status;
    if (Status status = conversation_.Commit(); !status.ok()) return status;
    if (Status status = AwaitUntil([this] { return first_audio_.has_value(); }); !status.ok()) return status;
    const std::vector<float> silence(kPacketSamples * static_cast<size_t>(before / kPacket));
    return Microphone(silence);
  }

  // Makes a sound at the pace of sound.
  Status Intrude(const std::vector<float>& sound) {
    const auto first = std::ranges::find_if(sound, [](float x) { return std::abs(x) >= kAudible; });
    onset_packet_ = static_cast<size_t>(first - sound.begin()) / kPacketSamples;
    Status status = Microphone(sound);
    onset_packet_.reset();
    return status;
  }

  Status Silence(milliseconds length) {
    return Microphone(std::vector<float>(kPacketSamples * static_cast<size_t>(length / kPacket)));
  }

  Status AwaitResponses(int count) {
    return AwaitUntil([this, count] { return responses_ >= count; });
  }
  Status AwaitInterruption() {
    return AwaitUntil([this] { return result_->interrupted; });
  }

  Status Cancel(milliseconds heard) {
    return conversation_.Cancel(static_cast<uint64_t>(heard.count()) * kRate / 1000);
  }
  milliseconds spoken() const { return milliseconds(1000 * audio_samples_ / kRate); }

 private:
  Status Microphone(std::vector<float> samples) {
    samples.resize((samples.size() + kPacketSamples - 1) / kPacketSamples * kPacketSamples);
    const auto start = steady_clock::now();
    for (size_t packet = 0; packet * kPacketSamples < samples.size(); ++packet) {
      const auto due = start + kPacket * static_cast<int>(packet + 1);
      if (Status status = HandleUntil(due); !status.ok()) return status;
      if (onset_packet_ == packet) onset_ = steady_clock::now();
      const auto piece = std::span<const float>(samples).subspan(packet * kPacketSamples, kPacketSamples);
      if (Status status = conversation_.AppendAudio(piece); !status.ok()) return status;
    }
    return OkStatus();
  }

  template <typename Condition>
  Status AwaitUntil(const Condition& met) {
    const auto give_up = steady_clock::now() + options_.timeout;
    while (!met()) {
      if (steady_clock::now() > give_up) return DeadlineExceeded("the server did not go on");
      if (Status status = HandleUntil(steady_clock::now() + kPacket); !status.ok()) return status;
    }
    return OkStatus();
  }

  Status HandleUntil(TimePoint until) {
    while (true) {
      const auto left = std::max(until - steady_clock::now(), steady_clock::duration::zero());
      const Result<client::Event> event = conversation_.NextEvent(left);
      if (event.ok()) {
        if (Status status = Handle(*event); !status.ok()) return status;
      } else if (event.status().code() != StatusCode::kDeadlineExceeded) {
        return event.status();
      }
      if (steady_clock::now() >= until) return OkStatus();
    }
  }

  Status Handle(const client::Event& event) {
    if (const auto* audio = std::get_if<client::AudioDelta>(&event.body)) {
      if (!first_audio_) first_audio_ = event.received;
      audio_samples_ += audio->samples.size();
    } else if (const auto* paused = std::get_if<client::PlaybackPaused>(&event.body)) {
      paused_at_ = paused->played_samples;
      NotePause(event.received);
    } else if (const auto* resumed = std::get_if<client::PlaybackResumed>(&event.body)) {
      result_->resumed = resumed->played_samples == paused_at_;
    } else if (const auto* interrupted = std::get_if<client::ResponseInterrupted>(&event.body)) {
      NotePause(event.received);
      result_->interrupted = true;
      result_->heard = interrupted->heard_text;
    } else if (const auto* done = std::get_if<client::ResponseDone>(&event.body)) {
      (responses_++ == 0 ? result_->text : result_->next) = done->text;
    } else if (const auto* error = std::get_if<client::ServerError>(&event.body)) {
      return error->status;
    } else if (const auto* closed = std::get_if<client::Closed>(&event.body)) {
      return Unavailable("the server ended the conversation: " + closed->status.ToString());
    }
    return OkStatus();
  }

  void NotePause(TimePoint received) {
    if (result_->paused_ms || !onset_) return;
    result_->paused_ms = std::chrono::duration<double, std::milli>(received - *onset_).count();
  }

  client::Conversation& conversation_;
  const InterruptionsOptions& options_;
  Interrupted* const result_;
  std::optional<TimePoint> first_audio_;
  std::optional<TimePoint> onset_;
  std::optional<size_t> onset_packet_;  // of the sound that is being made
  std::optional<uint64_t> paused_at_;
  uint64_t audio_samples_ = 0;
  int responses_ = 0;
};

Result<std::vector<float>> Recording(const Question& question) {
  const Result<Audio> audio = ReadWav(question.wav);
  if (!audio.ok()) return audio.status();
  return Resample(audio->samples, audio->sample_rate, kRate);
}

Status Run(const Question* question, uint32_t number, milliseconds moment, client::Client& client,
           const InterruptionsOptions& options, Interrupted* result) {
  client::ConversationOptions settings;
  settings.input_audio = settings.output_audio = {client::AudioEncoding::kPcm16, kRate};
  settings.settings.speak = true;
  settings.settings.interruption = options.interruption;
  // It says where it stopped, as if it had heard all up to there.
  if (result->intrusion == Intrusion::kCancel) settings.settings.max_lead_ms = client::kLongestLeadMs;
  auto conversation = client.Open(settings);
  if (!conversation.ok()) return conversation.status();
  Intruder intruder(**conversation, options, result);

  if (result->intrusion == Intrusion::kCancel) {
    if (Status status = intruder.Listen(milliseconds(0)); !status.ok()) return status;
    if (Status status = intruder.AwaitResponses(1); !status.ok()) return status;
    // Anywhere in the answer, as if it had been played up to there.
    if (Status status = intruder.Cancel(intruder.spoken() * moment.count() / kLatest.count()); !status.ok()) {
      return status;
    }
    if (Status status = intruder.AwaitInterruption(); !status.ok()) return status;
    if (Words(result->heard).empty()) return OkStatus();  // there is nothing to remember
    if (Status status = (*conversation)->AppendText(kWhatWasSaid); !status.ok()) return status;
    if (Status status = (*conversation)->Commit(); !status.ok()) return status;
    if (Status status = intruder.AwaitResponses(2); !status.ok()) return status;
    result->right = Words(result->next) == Words(result->heard);
    return OkStatus();
  }

  std::vector<float> sound;
  if (result->intrusion == Intrusion::kNoise) {
    const Noise kind = kNoises[number % std::size(kNoises)];
    result->what = NameOf(kind);
    sound = MakeNoise(kind, options.seed + number, kRate);
  } else {
    result->what = question->text;
    Result<std::vector<float>> recording = Recording(*question);
    if (!recording.ok()) return recording.status();
    sound = std::move(*recording);
  }
  if (Status status = intruder.Listen(moment); !status.ok()) return status;
  if (Status status = intruder.Intrude(sound); !status.ok()) return status;
  if (Status status = intruder.Silence(kAfterwards); !status.ok()) return status;
  if (result->intrusion == Intrusion::kNoise) return OkStatus();
  if (!result->interrupted) return OkStatus();
  if (Status status = intruder.AwaitResponses(2); !status.ok()) return status;
  if (!question->answers.empty()) result->right = IsRight(result->next, question->answers);
  return OkStatus();
}

}  // namespace

bool Interrupted::HeardIsABeginning() const {
  const std::vector<std::string> all = Words(text);
  const std::vector<std::string> some = Words(heard);
  return some.size() <= all.size() && std::equal(some.begin(), some.end(), all.begin());
}

bool Interrupted::Good() const {
  if (!status.ok()) return false;
  switch (intrusion) {
    case Intrusion::kNoise:
      return !interrupted && (resumed || !paused_ms);
    case Intrusion::kVoice:
      return interrupted;
    case Intrusion::kCancel:
      return interrupted && right.value_or(true);
  }
  return false;
}

Result<std::vector<Interrupted>> RunInterruptions(const std::vector<Question>& questions,
                                                  const InterruptionsOptions& options,
                                                  const InterruptionListener& listener) {
  std::vector<const Question*> spoken;
  for (const Question& question : questions) {
    if (!question.wav.empty() && question.before.empty()) spoken.push_back(&question);
  }
  if (options.voices > 0 && spoken.empty()) return InvalidArgument("there are no recordings of questions");
  auto client = client::Client::Connect(options.server, {});
  if (!client.ok()) return client.status();

  std::mt19937 random(options.seed);
  std::vector<Interrupted> all;
  const auto run = [&](Intrusion intrusion, int count) {
    for (int i = 0; i < count; ++i) {
      Interrupted result;
      result.intrusion = intrusion;
      const Question* question = spoken.empty() ? nullptr : spoken[static_cast<size_t>(i) % spoken.size()];
      const auto span = static_cast<uint32_t>((kLatest - kEarliest).count());
      const milliseconds moment = kEarliest + milliseconds(random() % span);
      result.status = Run(question, static_cast<uint32_t>(i), moment, **client, options, &result);
      all.push_back(std::move(result));
      if (listener) listener(all.back(), static_cast<int>(all.size()));
    }
  };
  run(Intrusion::kNoise, options.noises);
  run(Intrusion::kVoice, options.voices);
  run(Intrusion::kCancel, options.cancels);
  return all;
}

}  // namespace antiphon::bench
