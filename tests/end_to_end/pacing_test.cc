// The model that ships makes and sends a long answer no sooner than its playback needs it, and it is the same
// answer.
#include <gtest/gtest.h>

#include "tests/end_to_end/model_fixture.h"

namespace antiphon {
namespace {

class PacingTest : public ModelTest {
 protected:
  client::Answer CountToTen(int max_lead_ms) {
    client::ConversationOptions options;
    options.settings.max_lead_ms = max_lead_ms;
    auto conversation = Open(options);
    return conversation ? Ask(*conversation, client::TypedQuestion{"count from one to ten"})
                        : client::Answer{};
  }
};

TEST_F(PacingTest, AnAnswerThatIsPacedIsTheSame) {
  const client::Answer whole = CountToTen(client::kLongestLeadMs);
  const client::Answer paced = CountToTen(400);
  EXPECT_EQ(paced.text, whole.text);
  EXPECT_EQ(paced.usage.spoken_frames, whole.usage.spoken_frames);
  EXPECT_TRUE(paced.audio == whole.audio) << "to the sample";
  const double audio_ms = 1000.0 * static_cast<double>(paced.audio.size()) / paced.sample_rate;
  ASSERT_GT(audio_ms, 2000);
  ASSERT_TRUE(paced.latency.done_ms);
  EXPECT_GE(*paced.latency.done_ms, audio_ms - 400);
}

}  // namespace
}  // namespace antiphon
