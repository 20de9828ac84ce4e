// Telephony and lossy transports, over the wire.
#include <gtest/gtest.h>

#include <span>

#include "media/g711.h"
#include "media/opus.h"
#include "tests/conversation/voice.h"
#include "tests/server/server_fixture.h"

namespace antiphon {
namespace {

using Event = v1::ServerEvent;

class AudioFormatTest : public ServerFixture {
 protected:
  static v1::ClientEvent Formats(v1::AudioEncoding encoding, uint32_t sample_rate,
                                 uint32_t expected_loss_percent = 0) {
    v1::ClientEvent event;
    v1::SessionConfig* config = event.mutable_session_update()->mutable_config();
    for (v1::AudioFormat* format : {config->mutable_input_audio(), config->mutable_output_audio()}) {
      format->set_encoding(encoding);
      format->set_sample_rate(sample_rate);
    }
    config->mutable_output_audio()->set_expected_loss_percent(expected_loss_percent);
    return event;
  }
};

TEST_F(AudioFormatTest, ATelephoneCall) {
  StartServer();
  for (const v1::AudioEncoding encoding : {v1::AUDIO_ENCODING_G711_ULAW, v1::AUDIO_ENCODING_G711_ALAW}) {
    const G711Law law = encoding == v1::AUDIO_ENCODING_G711_ULAW ? G711Law::kMu : G711Law::kA;
    TestCall call(channel_);
    ASSERT_TRUE(call.Send(Formats(encoding, 0)));
    const v1::SessionConfig config = call.ReadUntil(Event::kSessionUpdated).session_updated().config();
    EXPECT_EQ(config.input_audio().sample_rate(), 8000u);
    EXPECT_EQ(config.output_audio().sample_rate(), 8000u);

    const std::string voice = EncodeG711(Voice(1500, 8000), law);
    for (size_t at = 0; at < voice.size(); at += 160) ASSERT_TRUE(call.SendAudio(voice.substr(at, 160)));
    EXPECT_LT(call.ReadUntil(Event::kSpeechStarted).speech_started().audio_offset_samples(), 800u);
    EXPECT_EQ(call.ReadAnswer().text, "i heard you");

    TestCall typed(channel_);
    ASSERT_TRUE(typed.Send(Formats(encoding, 8000)));
    ASSERT_TRUE(typed.Ask("blue 25"));
    const auto answer = typed.ReadAnswer();
    EXPECT_EQ(answer.audio.size(), 5u * 640u) << "5 frames of 80 ms";
    std::vector<float> heard;
    AppendG711(answer.audio, law, &heard);
    EXPECT_NEAR(heard[heard.size() / 2], 0.25f, 0.01f);
  }
}

TEST_F(AudioFormatTest, ARelayOfALossyTransport) {
  StartServer({}, {.frames_of_turn = 1000});
  TestCall call(channel_);
  ASSERT_TRUE(call.Send(Formats(v1::AUDIO_ENCODING_OPUS, 48000, 15)));
  OpusPacketEncoder encoder =
      OpusPacketEncoder::Create({.sample_rate = 48000, .expected_loss_percent = 20}).value();
  const std::vector<float> voice = Voice(1600, 48000);
  std::vector<std::string> packets;
  for (size_t at = 0; at + 960 <= voice.size(); at += 960) {
    packets.push_back(encoder.Encode(std::span(voice).subspan(at, 960)).value());
  }
  const auto first = UINT32_MAX - 39;  // half of the numbers are behind the end
  for (uint32_t i = 0; i < packets.size(); ++i) {
    // 50 and 60 do not come, 60 does much later, and 70 comes twice.
    if (i == 50 || i == 60) continue;
    ASSERT_TRUE(call.SendPacket(packets[i], first + i));
    if (i != 70) continue;
    ASSERT_TRUE(call.SendPacket(packets[60], first + 60));
    ASSERT_TRUE(call.SendPacket(packets[70], first + 70));
  }
  ASSERT_TRUE(call.Commit());
  call.ReadUntil(Event::kTurnEnded);
  uint32_t next = 0;
  v1::ServerEvent event;
  do {
    event = call.Read().value_or(v1::ServerEvent());
    if (!event.has_audio_delta()) continue;
    EXPECT_TRUE(event.audio_delta().has_packet_number());
    EXPECT_EQ(event.audio_delta().packet_number(), next++);
  } while (event.event_case() != Event::EVENT_NOT_SET && !event.has_response_done());
  ASSERT_TRUE(event.has_response_done());
  EXPECT_GE(next, 20u);
  const v1::Usage& usage = event.response_done().usage();
  EXPECT_EQ(usage.heard_frames(), 20u) << "1600 ms, none of them missing";
  EXPECT_EQ(usage.input_packets().recovered() + usage.input_packets().concealed(), 2u);
  EXPECT_EQ(usage.input_packets().late(), 1u);
  EXPECT_EQ(usage.input_packets().duplicates(), 1u);
}

}  // namespace
}  // namespace antiphon
