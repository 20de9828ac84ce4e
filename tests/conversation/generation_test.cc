// The parts of one call as client events.
#include "conversation/generation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "media/g711.h"
#include "media/pcm.h"
#include "media/wav.h"
#include "tests/conversation/voice.h"

namespace antiphon {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::StartsWith;

constexpr milliseconds kLongest{30'000};
constexpr size_t kFrame = 1280;

ModelDescription Model() {
  ModelDescription model;
  model.sample_rate = 16000;
  model.frame_samples = static_cast<int>(kFrame);
  return model;
}

Result<std::vector<ClientEvent>> Script(std::vector<Part> parts, ConfigUpdate config = {}) {
  return ScriptOf({std::move(parts), std::move(config)}, Model(), kLongest, TimePoint{});
}

std::string Wav(int ms, int rate = 16000) { return EncodeWav(Voice(ms, rate), rate).value(); }

AudioPart Pcm(int ms, uint32_t rate = 16000) {
  return {EncodePcm16(Voice(ms, static_cast<int>(rate))), "audio/pcm", rate};
}

// The samples of consecutive AudioAppends from `first` on.
std::vector<float> SoundOf(const std::vector<ClientEvent>& script, size_t first) {
  std::vector<float> samples;
  for (size_t i = first; i < script.size(); ++i) {
    const auto* append = std::get_if<client_event::AudioAppend>(&script[i].event);
    if (append == nullptr) break;
    EXPECT_LE(append->audio.size(), 2u * 2 * 16000) << "2 s";
    EXPECT_TRUE(AppendPcm16(append->audio, &samples).ok());
  }
  return samples;
}

void ExpectRefused(const std::vector<Part>& parts, StatusCode code, const std::string& beginning) {
  const auto script = Script(parts);
  EXPECT_EQ(script.status().code(), code) << beginning << " " << script.status().ToString();
  EXPECT_THAT(script.status().message(), StartsWith(beginning));
}

TEST(GenerationTest, PartsKeepTheirOrder) {
  ConfigUpdate config;
  config.output_modalities = {1};
  config.max_response_seconds = 7;
  const auto script = Script(
      {TextPart{"first"}, Pcm(100), ImagePart{{"bytes", "image/png", 3, 4}}, TextPart{"last"}}, config);
  ASSERT_TRUE(script.ok()) << script.status().ToString();
  ASSERT_EQ(script->size(), 6u);
  const auto& update = std::get<client_event::SessionUpdate>((*script)[0].event).config;
  EXPECT_EQ(update.output_modalities, std::vector<int>{1});
  EXPECT_EQ(update.max_response_seconds, 7u);
  EXPECT_EQ(update.max_lead_ms, 60000u) << "nobody plays it";
  ASSERT_TRUE(update.turn_detection);
  EXPECT_EQ(update.turn_detection->mode, 1) << "only the commit ends the turn";
  ASSERT_TRUE(update.input_audio);
  EXPECT_EQ(update.input_audio->sample_rate, 16000u);
  EXPECT_EQ(std::get<client_event::TextAppend>((*script)[1].event).text, "first");
  EXPECT_TRUE(std::holds_alternative<client_event::AudioAppend>((*script)[2].event));
  const auto& image = std::get<client_event::ImageAppend>((*script)[3].event);
  EXPECT_EQ(image.data, "bytes");
  EXPECT_EQ(image.media_type, "image/png");
  EXPECT_EQ(image.width, 3u);
  EXPECT_EQ(image.height, 4u);
  EXPECT_EQ(std::get<client_event::TextAppend>((*script)[4].event).text, "last");
  EXPECT_TRUE(std::holds_alternative<client_event::Commit>((*script)[5].event));
}

TEST(GenerationTest, ARecordingEndsWithAShortSilenceAtTheEndOfAFrame) {
  for (const int ms : {1, 80, 1000, 2500, 29'000}) {
    const auto script = Script({Pcm(ms), TextPart{"x"}});
    ASSERT_TRUE(script.ok()) << script.status().ToString();
    const std::vector<float> samples = SoundOf(*script, 1);
    const auto spoken = static_cast<size_t>(16 * ms);
    EXPECT_EQ(samples.size() % kFrame, 0u);
    EXPECT_GE(samples.size(), spoken + 16 * 240);
    EXPECT_LT(samples.size(), spoken + 16 * 240 + kFrame);
    for (size_t i = spoken; i < samples.size(); ++i) ASSERT_EQ(samples[i], 0.0f);
  }
}

TEST(GenerationTest, EveryKindOfRecordingBecomesTheSameSound) {
  const auto script = Script({AudioPart{Wav(500), "audio/wav"}});
  ASSERT_TRUE(script.ok()) << script.status().ToString();
  const std::vector<float> wav = SoundOf(*script, 1);
  const std::vector<float> pcm = SoundOf(*Script({Pcm(500)}), 1);
  EXPECT_EQ(wav, pcm);
  // Files state their own rate.
  EXPECT_EQ(SoundOf(*Script({AudioPart{Wav(500), "audio/wav", 48000}}), 1), pcm);
  for (const int rate : {8000, 44100, 48000}) {
    EXPECT_EQ(SoundOf(*Script({Pcm(500, static_cast<uint32_t>(rate))}), 1).size(), pcm.size()) << rate;
    EXPECT_EQ(SoundOf(*Script({AudioPart{Wav(500, rate), "audio/wav"}}), 1).size(), pcm.size()) << rate;
  }
}

TEST(GenerationTest, G711IsARecordingToo) {
  const std::vector<float> voice = Voice(500, 8000);
  const std::vector<float> pcm = SoundOf(*Script({Pcm(500, 8000)}), 1);
  for (const auto& [law, media_type] : {std::pair(G711Law::kMu, "audio/pcmu"), {G711Law::kA, "audio/pcma"}}) {
    const auto script =
        Script({AudioPart{EncodeG711(voice, law), media_type, 48000}});  // the rate is ignored
    ASSERT_TRUE(script.ok()) << script.status().ToString();
    const std::vector<float> sound = SoundOf(*script, 1);
    ASSERT_EQ(sound.size(), pcm.size());
    for (size_t i = 0; i < sound.size(); ++i) ASSERT_NEAR(sound[i], pcm[i], 0.02f);
    ExpectRefused({AudioPart{"", media_type}}, StatusCode::kInvalidArgument, "parts[0].audio.data: ");
    EXPECT_TRUE(Script({AudioPart{std::string(30 * 8000, '\xff'), media_type}}).ok());
    ExpectRefused({AudioPart{std::string(30 * 8000 + 1, '\xff'), media_type}}, StatusCode::kOutOfRange,
                  "parts[0].audio.data: ");
  }
}

TEST(GenerationTest, HowManyPartsIsBounded) {
  ExpectRefused({}, StatusCode::kInvalidArgument, "parts: has 0 entries, must have 1 to 64");
  EXPECT_TRUE(Script(std::vector<Part>(64, TextPart{"x"})).ok());
  ExpectRefused(std::vector<Part>(65, TextPart{"x"}), StatusCode::kInvalidArgument, "parts: has 65 entries");
  ExpectRefused({TextPart{"x"}, UnknownPart{}}, StatusCode::kInvalidArgument, "parts[1]: ");
}

TEST(GenerationTest, RecordingsThatCannotBeAreRefused) {
  const std::string wav = Wav(500);
  const std::string data = "parts[0].audio.data: ";
  ExpectRefused({AudioPart{wav, "audio/mp3"}}, StatusCode::kInvalidArgument, "parts[0].audio.media_type: ");
  ExpectRefused({AudioPart{wav, ""}}, StatusCode::kInvalidArgument, "parts[0].audio.media_type: ");
  ExpectRefused({AudioPart{"", "audio/wav"}}, StatusCode::kInvalidArgument, data);
  ExpectRefused({AudioPart{"", "audio/pcm", 16000}}, StatusCode::kInvalidArgument, data);
  ExpectRefused({AudioPart{"abc", "audio/pcm", 16000}}, StatusCode::kInvalidArgument, data);
  ExpectRefused({AudioPart{"not a file", "audio/wav"}}, StatusCode::kInvalidArgument, data);
  ExpectRefused({AudioPart{"fLaC" + wav, "audio/wav"}}, StatusCode::kInvalidArgument, data);
  ExpectRefused({AudioPart{wav.substr(0, 20), "audio/wav"}}, StatusCode::kDataLoss, data);
  ExpectRefused({AudioPart{wav.substr(0, 44), "audio/wav"}}, StatusCode::kInvalidArgument, data);
  for (const uint32_t rate : {0u, 3999u, 192'001u, 0xffffffffu}) {
    ExpectRefused({AudioPart{"ab", "audio/pcm", rate}}, StatusCode::kOutOfRange,
                  "parts[0].audio.sample_rate: ");
  }
  ExpectRefused({AudioPart{"ab", "audio/pcm", 191'999}}, StatusCode::kInvalidArgument,
                "parts[0].audio.sample_rate: ");
}

TEST(GenerationTest, AMediaTypeIsToldBackInPartOnly) {
  const auto script = Script({AudioPart{"ab", std::string(100'000, 'x')}});
  EXPECT_LT(script.status().message().size(), 200u);
}

TEST(GenerationTest, RecordingsAreOfBoundedLengthTogether) {
  EXPECT_TRUE(Script({Pcm(30'000)}).ok());
  ExpectRefused({Pcm(30'100)}, StatusCode::kOutOfRange, "parts[0].audio.data: ");
  ExpectRefused({AudioPart{Wav(30'100, 8000), "audio/wav"}}, StatusCode::kOutOfRange,
                "parts[0].audio.data: ");
  EXPECT_TRUE(Script({Pcm(15'000), TextPart{"x"}, AudioPart{Wav(15'000, 8000), "audio/wav"}}).ok());
  ExpectRefused({Pcm(15'000), TextPart{"x"}, Pcm(15'100)}, StatusCode::kOutOfRange, "parts[2].audio.data: ");
}

Status Mistake(Status status, std::string field, std::string event_id) {
  return MistakeOf({{std::move(status), std::move(field)}, std::move(event_id)});
}

TEST(GenerationTest, MistakesNameTheFieldOfTheRequest) {
  EXPECT_EQ(
      Mistake(InvalidArgument("sampling.top_p is 3"), "session_update.config.sampling.top_p", "").ToString(),
      "INVALID_ARGUMENT: sampling.top_p is 3");
  EXPECT_EQ(Mistake(DataLoss("broken"), "image_append.data", "parts[2].image").ToString(),
            "DATA_LOSS: parts[2].image.data: broken");
  EXPECT_EQ(Mistake(InvalidArgument("long"), "text_append.text", "parts[1]").ToString(),
            "INVALID_ARGUMENT: parts[1].text: long");
  EXPECT_EQ(Mistake({StatusCode::kUnimplemented, "none"}, "image_append", "parts[0].image").ToString(),
            "UNIMPLEMENTED: parts[0].image: none");
  EXPECT_EQ(Mistake(ResourceExhausted("full"), "text_append.text", "").ToString(),
            "RESOURCE_EXHAUSTED: parts: full");
  EXPECT_EQ(Mistake(Internal("a fault"), "", "").ToString(), "INTERNAL: a fault");
  const Status empty = Mistake(FailedPrecondition("the turn is empty"), "", "parts");
  EXPECT_EQ(empty.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(empty.message(), HasSubstr("no voice"));
}

}  // namespace
}  // namespace antiphon
