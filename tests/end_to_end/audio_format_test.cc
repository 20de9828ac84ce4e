// The model that ships, over a telephone and over a network that loses packets.
#include <gtest/gtest.h>

#include <functional>
#include <span>

#include "media/opus.h"
#include "media/pcm.h"
#include "media/resampler.h"
#include "tests/end_to_end/model_fixture.h"
#include "tests/end_to_end/speak.h"

namespace antiphon {
namespace {

using client::AudioEncoding;

constexpr char kQuestion[] = "what day comes after monday";
constexpr char kAnswer[] = "tuesday comes after monday";

class AudioFormatTest : public ModelTest {
 protected:
  // The question comes as packets of which some are lost, all at once; what the model makes of it.
  client::ResponseDone AskOverANetwork(const std::function<bool(size_t)>& lost) {
    const Audio question = Speak("en-us", kQuestion);
    const std::vector<float> samples = Resample(question.samples, question.sample_rate, 24000).value();
    OpusPacketEncoder encoder =
        OpusPacketEncoder::Create({.sample_rate = 24000, .expected_loss_percent = 20}).value();
    client::ConversationOptions options;
    options.input_audio = {AudioEncoding::kOpus, 24000};
    options.settings.speak = false;
    options.settings.turn_detection = client::TurnDetection{.mode = client::TurnDetectionMode::kNone};
    auto conversation = Open(options);
    if (!conversation) return {};
    for (size_t i = 0; (i + 1) * 480 <= samples.size(); ++i) {
      const auto packet = encoder.Encode(std::span(samples).subspan(i * 480, 480));
      if (!lost(i)) {
        EXPECT_TRUE(conversation->AppendOpusPacket(packet.value(), static_cast<uint32_t>(i)).ok());
      }
    }
    EXPECT_TRUE(conversation->Commit().ok());
    while (true) {
      Result<client::Event> event = conversation->NextEvent(std::chrono::seconds(60));
      if (!event.ok()) {
        ADD_FAILURE() << event.status().ToString();
        return {};
      }
      if (const auto* ended = std::get_if<client::TurnEnded>(&event->body)) transcript_ = ended->transcript;
      if (auto* done = std::get_if<client::ResponseDone>(&event->body)) return std::move(*done);
    }
  }

  std::string transcript_;
};

TEST_F(AudioFormatTest, ATelephoneCall) {
  for (const AudioEncoding encoding : {AudioEncoding::kG711Ulaw, AudioEncoding::kG711Alaw}) {
    client::ConversationOptions options;
    options.input_audio = options.output_audio = {encoding, 8000};
    auto conversation = Open(options);
    ASSERT_TRUE(conversation);
    const Audio question = Speak("en-us", kQuestion);
    const client::Answer answer =
        Ask(*conversation, client::SpokenQuestion{question.samples, question.sample_rate, {}});
    EXPECT_EQ(answer.transcript, kQuestion);
    EXPECT_EQ(answer.text, kAnswer);
    EXPECT_EQ(answer.end, ResponseEnd::kCompleted);
    EXPECT_EQ(answer.audio.size(), static_cast<size_t>(answer.usage.spoken_frames) * 640) << "80 ms each";
    EXPECT_GT(LevelDbfs(answer.audio), -40.0f);  // the recogniser knows nothing of telephones
  }
}

TEST_F(AudioFormatTest, OnePacketInTenIsLost) {
  const client::ResponseDone whole = AskOverANetwork([](size_t) { return false; });
  EXPECT_EQ(transcript_, kQuestion);
  EXPECT_EQ(whole.text, kAnswer);
  EXPECT_EQ(whole.usage.input_packets.recovered + whole.usage.input_packets.concealed, 0);
  const client::ResponseDone lossy = AskOverANetwork([](size_t i) { return i % 10 == 7; });
  EXPECT_EQ(transcript_, kQuestion);
  EXPECT_EQ(lossy.text, kAnswer);
  EXPECT_GT(lossy.usage.input_packets.recovered, 3);
  EXPECT_EQ(lossy.usage.heard_frames, whole.usage.heard_frames) << "nothing of the time is lost";
}

}  // namespace
}  // namespace antiphon
