#include "conversation/ear.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tests/conversation/conversation_fixture.h"

namespace antiphon {
namespace {

constexpr int kRate = 16000;  // of the model as well: nothing is resampled
constexpr int kMs = kRate / 1000;
constexpr size_t kFrame = 1280;

Ear NewEar(const TurnDetection& detection, int rate = kRate) {
  auto ear = Ear::Create(TestModel(), rate);
  EXPECT_TRUE(ear.ok());
  ear->Configure(detection);
  return std::move(*ear);
}

// Silences and voices in turn, so many ms of each.
std::vector<float> Sound(const std::vector<int>& ms, int rate = kRate) {
  std::vector<float> sound;
  for (size_t i = 0; i < ms.size(); ++i) {
    const std::vector<float> voice = Voice(ms[i], rate);
    if (i % 2 == 1) sound.insert(sound.end(), voice.begin(), voice.end());
    if (i % 2 == 0) sound.resize(sound.size() + voice.size());
  }
  return sound;
}

std::vector<Heard> Listen(Ear& ear, std::span<const float> sound, size_t packet) {
  std::vector<Heard> heard;
  for (size_t at = 0; at < sound.size(); at += packet) {
    for (Heard& what : ear.Push(sound.subspan(at, std::min(packet, sound.size() - at)), TimePoint{})) {
      heard.push_back(std::move(what));
    }
  }
  return heard;
}

template <typename Kind>
std::vector<Kind> All(const std::vector<Heard>& heard) {
  std::vector<Kind> found;
  for (const Heard& what : heard) {
    if (const auto* kind = std::get_if<Kind>(&what)) found.push_back(*kind);
  }
  return found;
}

std::string Describe(const Heard& heard) {
  if (const auto* started = std::get_if<VoiceStarted>(&heard))
    return "start " + std::to_string(started->offset);
  if (const auto* stopped = std::get_if<VoiceStopped>(&heard))
    return "stop " + std::to_string(stopped->offset);
  if (const auto* frame = std::get_if<GatedFrame>(&heard)) return std::to_string(frame->first_sample);
  if (std::holds_alternative<LongSilenceNear>(heard)) return "near";
  return "silence since " + std::to_string(std::get<LongSilence>(heard).voice.end);
}

TEST(EarTest, PassesThePaddingFromTheFrameThatHoldsItsFirstSample) {
  for (const int padding : {0, 10, 300, 777, 1000}) {
    for (const int before : {300, 1900, 2345}) {
      SCOPED_TRACE(std::to_string(padding) + " ms of " + std::to_string(before));
      Ear ear = NewEar({.prefix_padding_ms = padding});
      const std::vector<Heard> heard = Listen(ear, Sound({before, 1000}), 20 * kMs);
      const auto started = All<VoiceStarted>(heard);
      const auto frames = All<GatedFrame>(heard);
      ASSERT_EQ(started.size(), 1u);
      ASSERT_FALSE(frames.empty());
      const auto onset = static_cast<int64_t>(started[0].offset);
      EXPECT_NEAR(static_cast<double>(onset), before * kMs, 50.0 * kMs);
      const auto first = static_cast<uint64_t>(std::max<int64_t>(onset - padding * kMs, 0));
      EXPECT_EQ(frames[0].first_sample, first / kFrame * kFrame);
      for (size_t i = 1; i < frames.size(); ++i) {
        EXPECT_EQ(frames[i].first_sample, frames[i - 1].first_sample + kFrame);
      }
    }
  }
}

TEST(EarTest, PaddingReachesAsFarBackAsThereIsAudio) {
  Ear ear = NewEar({.prefix_padding_ms = 1000});
  const auto frames = All<GatedFrame>(Listen(ear, Sound({500, 800}), 20 * kMs));
  ASSERT_FALSE(frames.empty());
  EXPECT_EQ(frames[0].first_sample, 0u);
}

TEST(EarTest, ThePacketsDoNotMatter) {
  const std::vector<float> sound = Sound({700, 600, 400, 500, 900, 300, 1500});
  std::vector<std::string> expected;
  for (const size_t packet : {size_t{160}, size_t{37}, size_t{320}, size_t{1999}, sound.size()}) {
    SCOPED_TRACE(packet);
    Ear ear = NewEar({.mode = TurnDetectionMode::kServerVad});
    std::vector<std::string> told;
    for (const Heard& heard : Listen(ear, sound, packet)) told.push_back(Describe(heard));
    if (expected.empty()) expected = told;
    EXPECT_EQ(told, expected);
  }
  EXPECT_EQ(std::ranges::count_if(expected, [](const auto& what) { return what.starts_with("silence"); }), 2)
      << testing::PrintToString(expected);
}

TEST(EarTest, ALongSilenceIsToldWhenItIsLongEnough) {
  for (const int duration : {200, 500, 1700}) {
    SCOPED_TRACE(duration);
    Ear ear = NewEar({.mode = TurnDetectionMode::kServerVad, .silence_duration_ms = duration});
    const std::vector<float> sound = Sound({300, 700, 2000});
    bool told = false;
    for (size_t at = 0; at + kMs <= sound.size() && !told; at += kMs) {
      for (const Heard& heard : ear.Push(std::span(sound).subspan(at, kMs), TimePoint{})) {
        const auto* silence = std::get_if<LongSilence>(&heard);
        if (silence == nullptr) continue;
        told = true;
        EXPECT_NEAR(static_cast<double>(silence->voice.end), 1000.0 * kMs, 30.0 * kMs);
        const size_t length = at + kMs - silence->voice.end;
        EXPECT_GE(length, static_cast<size_t>(duration * kMs));
        EXPECT_LE(length, static_cast<size_t>((duration + 10) * kMs));
      }
    }
    EXPECT_TRUE(told);
    EXPECT_TRUE(ear.long_silence());
  }
}

TEST(EarTest, AStopIsToldBeforeTheSilenceThatEndsTheTurn) {
  for (const int duration : {200, 300, 1000}) {
    SCOPED_TRACE(duration);
    Ear ear = NewEar({.mode = TurnDetectionMode::kServerVad, .silence_duration_ms = duration});
    std::vector<std::string> told;
    for (const Heard& heard : Listen(ear, Sound({300, 700, 2000}), 20 * kMs)) {
      if (std::holds_alternative<GatedFrame>(heard) || std::holds_alternative<LongSilenceNear>(heard))
        continue;
      told.push_back(Describe(heard).substr(0, 4));
    }
    EXPECT_EQ(told, (std::vector<std::string>{"star", "stop", "sile"}));
  }
}

TEST(EarTest, ALongSilenceIsNearBehindTheLastFrameBeforeIt) {
  int told = 0;
  for (int duration = 200; duration <= 600; duration += 20) {
    SCOPED_TRACE(duration);
    Ear ear = NewEar({.mode = TurnDetectionMode::kServerVad, .silence_duration_ms = duration});
    const auto heard = Listen(ear, Sound({300, 700, 1000}), 20 * kMs);
    const auto end = std::ranges::find_if(
        heard, [](const Heard& what) { return std::holds_alternative<LongSilence>(what); });
    ASSERT_NE(end, heard.end());
    auto last = end;
    while (!std::holds_alternative<GatedFrame>(*last)) --last;
    const uint64_t silence =
        std::get<GatedFrame>(*last).first_sample + kFrame - std::get<LongSilence>(*end).voice.end;
    const bool near = std::holds_alternative<LongSilenceNear>(*std::next(last));
    // A frame that is complete in the very moment is heard before the silence is long enough.
    EXPECT_EQ(near, silence < static_cast<uint64_t>(duration * kMs));
    EXPECT_EQ(All<LongSilenceNear>(heard).size(), near ? 1u : 0u);
    told += near ? 1 : 0;
  }
  EXPECT_GE(told, 14);
}

TEST(EarTest, APauseIsShorterIfAVoiceSetsInBeforeItsEnd) {
  for (const auto& [pause, silences] : {std::pair{440, 1u}, std::pair{470, 1u}, std::pair{560, 2u}}) {
    SCOPED_TRACE(pause);
    Ear ear = NewEar({.mode = TurnDetectionMode::kServerVad, .silence_duration_ms = 500});
    const auto heard = Listen(ear, Sound({300, 700, pause, 700, 1000}), 10 * kMs);
    EXPECT_EQ(All<LongSilence>(heard).size(), silences);
  }
}

TEST(EarTest, WithoutServerVadNoSilenceIsTooLong) {
  for (const TurnDetectionMode mode : {TurnDetectionMode::kNone, TurnDetectionMode::kSemantic}) {
    Ear ear = NewEar({.mode = mode, .silence_duration_ms = 200});
    const auto heard = Listen(ear, Sound({300, 700, 6000}), 20 * kMs);
    EXPECT_TRUE(All<LongSilence>(heard).empty());
    EXPECT_TRUE(All<LongSilenceNear>(heard).empty());
    EXPECT_FALSE(ear.long_silence());
  }
}

TEST(EarTest, ASilenceThatHasPassedCountsWhenServerVadIsSet) {
  Ear ear = NewEar({});
  Listen(ear, Sound({300, 700, 800}), 20 * kMs);
  ear.Configure({.mode = TurnDetectionMode::kServerVad, .silence_duration_ms = 500});
  EXPECT_FALSE(ear.long_silence());
  const auto silences = All<LongSilence>(Listen(ear, Sound({20}), 20 * kMs));
  ASSERT_EQ(silences.size(), 1u);
  EXPECT_NEAR(static_cast<double>(silences[0].voice.end), 1000.0 * kMs, 30.0 * kMs);
  ear.Configure({.mode = TurnDetectionMode::kServerVad, .silence_duration_ms = 5000});
  EXPECT_FALSE(ear.long_silence()) << "it is not long any more";
  ear.Configure({});
  EXPECT_FALSE(ear.long_silence());
}

TEST(EarTest, OffsetsAreThoseOfTheInputRate) {
  for (const int rate : {16000, 24000, 48000}) {
    SCOPED_TRACE(rate);
    Ear ear = NewEar({.mode = TurnDetectionMode::kServerVad}, rate);
    ear.Reset(rate, 1'000'000);
    const auto heard = Listen(ear, Sound({1000, 600, 1000}, rate), static_cast<size_t>(rate / 50));
    const auto started = All<VoiceStarted>(heard);
    const auto stopped = All<VoiceStopped>(heard);
    ASSERT_EQ(started.size(), 1u);
    ASSERT_EQ(stopped.size(), 1u);
    EXPECT_NEAR(static_cast<double>(started[0].offset), 1e6 + 1.0 * rate, 0.03 * rate);
    EXPECT_NEAR(static_cast<double>(stopped[0].offset), 1e6 + 1.6 * rate, 0.03 * rate);
    const auto silences = All<LongSilence>(heard);
    ASSERT_EQ(silences.size(), 1u);
    EXPECT_EQ(silences[0].voice.end, stopped[0].offset);
  }
}

}  // namespace
}  // namespace antiphon
