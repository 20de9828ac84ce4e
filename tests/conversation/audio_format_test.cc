// The encodings and rates of speech, in and out.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "media/g711.h"
#include "media/opus.h"
#include "tests/conversation/conversation_fixture.h"

namespace antiphon {
namespace {

using State = ConversationState;
using client_event::AudioAppend;

constexpr int kTelephone = 8000;
constexpr int kPcm16 = 1, kOpus = 2, kUlaw = 3, kAlaw = 4;  // of the wire

class AudioFormatTest : public ConversationFixture {
 protected:
  // What 10 frames of a constant level are at the output.
  std::string Spoken(float level = 0.25f) {
    BeginAnswer();
    for (int i = 0; i < 10; ++i) EngineSpeaks(1, level);
    EngineIsDone();
    std::string bytes;
    for (const auto& delta : All<server_event::AudioDelta>()) {
      EXPECT_FALSE(delta.packet_number);
      EXPECT_EQ(delta.first_sample, bytes.size() / bytes_a_sample_);
      bytes += delta.audio;
    }
    return bytes;
  }

  size_t bytes_a_sample_ = 1;
};

struct TelephoneFormat {
  int encoding;
  std::string (*encode)(const std::vector<float>&);
};

const TelephoneFormat kTelephoneFormats[] = {
    {kPcm16, [](const std::vector<float>& samples) { return EncodePcm16(samples); }},
    {kUlaw, [](const std::vector<float>& samples) { return EncodeG711(samples, G711Law::kMu); }},
    {kAlaw, [](const std::vector<float>& samples) { return EncodeG711(samples, G711Law::kA); }},
};

class TelephoneTest : public AudioFormatTest, public testing::WithParamInterface<TelephoneFormat> {};
INSTANTIATE_TEST_SUITE_P(Formats, TelephoneTest, testing::ValuesIn(kTelephoneFormats),
                         [](const auto& format) {
                           return "Encoding" + std::to_string(format.param.encoding);
                         });

TEST_P(TelephoneTest, AVoiceIsHeardWhereItIs) {
  Client(client_event::SessionUpdate{{.input_audio = {{GetParam().encoding, kTelephone}}}});
  std::vector<float> audio(2 * kTelephone);
  const std::vector<float> voice = Voice(1000, kTelephone);
  audio.insert(audio.end(), voice.begin(), voice.end());
  audio.resize(audio.size() + kTelephone / 2);
  for (size_t begin = 0; begin < audio.size(); begin += 160) {
    Advance(20);
    Client(AudioAppend{GetParam().encode({audio.begin() + static_cast<ptrdiff_t>(begin),
                                          audio.begin() + static_cast<ptrdiff_t>(begin + 160)})});
    conversation_->Tick();
  }
  EXPECT_EQ(state(), State::kHearing);
  EXPECT_NEAR(static_cast<double>(One<server_event::SpeechStarted>().audio_offset_samples), 2.0 * kTelephone,
              0.05 * kTelephone);
  EXPECT_NEAR(static_cast<double>(One<server_event::SpeechStopped>().audio_offset_samples), 3.0 * kTelephone,
              0.15 * kTelephone);
  ASSERT_GE(record_->frames.size(), 20u);
  for (const auto& frame : record_->frames) EXPECT_EQ(frame.samples.size(), 1280u);
  EXPECT_NEAR(LevelDbfs(record_->frames[10].samples), LevelDbfs(std::span(voice).subspan(3840, 640)), 3);
  EXPECT_TRUE(All<server_event::Error>().empty());
}

TEST_P(TelephoneTest, AnAnswerIsSpoken) {
  Client(client_event::SessionUpdate{{.output_audio = {{GetParam().encoding, kTelephone}}}});
  bytes_a_sample_ = GetParam().encoding == kPcm16 ? 2 : 1;
  const std::string bytes = Spoken();
  ASSERT_EQ(bytes.size(), bytes_a_sample_ * kTelephone * 8 / 10) << "10 frames of 80 ms";
  const std::string level = GetParam().encode({0.25f});
  for (size_t i = 0; i < 6000; i += bytes_a_sample_) {
    if (i < 200) continue;  // the filter's beginning
    ASSERT_EQ(bytes.substr(i, bytes_a_sample_).size(), level.size());
    std::vector<float> sample;
    if (GetParam().encoding == kPcm16) {
      ASSERT_TRUE(AppendPcm16(bytes.substr(i, 2), &sample).ok());
    } else {
      AppendG711(bytes.substr(i, 1), GetParam().encoding == kUlaw ? G711Law::kMu : G711Law::kA, &sample);
    }
    ASSERT_NEAR(sample[0], 0.25f, 0.01f) << i;
  }
}

TEST_F(AudioFormatTest, APieceOfG711LastsAtMost2S) {
  Client(client_event::SessionUpdate{{.input_audio = {{kUlaw}}}});
  EXPECT_EQ(One<server_event::SessionUpdated>().config.input, (AudioFormat{AudioEncoding::kG711Ulaw, 8000}));
  Client(AudioAppend{std::string(16000, '\xff')});
  EXPECT_TRUE(All<server_event::Error>().empty());
  Client(AudioAppend{std::string(16001, '\xff')});
  ExpectError(StatusCode::kInvalidArgument, "audio_append.audio", "16000 (2 s)");
  Client(AudioAppend{""});
  ExpectError(StatusCode::kInvalidArgument, "audio_append.audio", "empty");
}

TEST_F(AudioFormatTest, TheRateMayChangeToTheTelephonesAndBack) {
  for (int i = 0; i < 10; ++i) Client(AudioAppend{std::string(4800, '\0')});  // a second
  Client(client_event::SessionUpdate{{.input_audio = {{kAlaw}}}});
  for (int i = 0; i < 5; ++i) Client(AudioAppend{EncodeG711(std::vector<float>(1600), G711Law::kA)});
  Client(client_event::SessionUpdate{{.input_audio = {{kPcm16, 24000}}}});
  for (int i = 0; i < 5; ++i) Client(AudioAppend{EncodePcm16(Voice(100, kRate))});
  EXPECT_NEAR(static_cast<double>(One<server_event::SpeechStarted>().audio_offset_samples), 2.0 * kRate,
              0.05 * kRate);
}

TEST_F(AudioFormatTest, OpusPacketsOfEachResponseAreNumberedFrom0) {
  Client(client_event::SessionUpdate{{.output_audio = {{kOpus, 24000}}}});
  for (uint64_t turn = 1; turn <= 2; ++turn) {
    events_.clear();
    Client(client_event::TextAppend{"hello"});
    Client(client_event::Commit{});
    EngineAnswers(turn, TurnEndCause::kCommit);
    for (int i = 0; i < 5; ++i) EngineSpeaks(turn);
    EngineIsDone(turn);
    uint32_t next = 0;
    for (const auto& delta : All<server_event::AudioDelta>()) EXPECT_EQ(delta.packet_number, next++);
    EXPECT_EQ(next, 21u);
  }
}

TEST_F(AudioFormatTest, WithExpectedLossPacketsCarryCopies) {
  const auto copies_with = [&](uint32_t percent) {
    events_.clear();
    Client(client_event::SessionUpdate{{.output_audio = {{kOpus, 24000, percent}}}});
    EXPECT_EQ(One<server_event::SessionUpdated>().config.output.expected_loss_percent,
              static_cast<int>(percent));
    BeginAnswer();
    const std::vector<float> voice = Voice(1200, 16000);
    for (size_t at = 0; at + 1280 <= voice.size(); at += 1280) {
      const auto frame = std::span(voice).subspan(at, 1280);
      Engine(1, ResponseAudio{{frame.begin(), frame.end()}, clock_.Now()});
    }
    EngineIsDone();
    OpusPacketDecoder decoder = OpusPacketDecoder::Create(24000).value();
    int copies = 0;
    for (const auto& delta : All<server_event::AudioDelta>()) {
      // As if every packet had been lost before it came.
      std::vector<float> recovered;
      if (decoder.Recover(delta.audio, 480, &recovered)) ++copies;
      EXPECT_TRUE(decoder.Decode(delta.audio).ok());
    }
    return copies;
  };
  EXPECT_EQ(copies_with(0), 0);
  EXPECT_GT(copies_with(20), 30) << "of 60 packets";
}

}  // namespace
}  // namespace antiphon
