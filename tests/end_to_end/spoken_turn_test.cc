// The whole path: a question is spoken to a running antiphond in real time, and its spoken answer is heard by
// an independent recogniser.
#include <gtest/gtest.h>

#include "antiphon/ask.h"
#include "antiphon/client.h"
#include "tests/end_to_end/model_fixture.h"
#include "tests/end_to_end/recogniser.h"
#include "tests/end_to_end/speak.h"

namespace antiphon {
namespace {

struct Turn {
  const char* question;
  const char* answer;
};

// What any version of Wren must know.
const Turn kTurns[] = {
    {"what is the capital of france", "paris is the capital of france"},
    {"what day comes after monday", "tuesday comes after monday"},
    {"count from three to seven", "three four five six seven"},
};

class SpokenTurnTest : public ModelTest {
 protected:
  client::Answer AskAloud(client::Conversation& conversation, const Turn& turn) {
    const Audio question = Speak("en-us", turn.question);
    return Ask(conversation, client::SpokenQuestion{question.samples, question.sample_rate, {}});
  }

  // What the recogniser may have heard: the right answers among wrong ones made of the same words.
  static std::vector<std::string> Answers() {
    std::vector<std::string> answers = {
        "rome is the capital of italy",
        "madrid is the capital of spain",
        "paris is the capital of italy",
        "london is the capital of france",
        "berlin is the capital of germany",
        "wednesday comes after tuesday",
        "thursday comes after wednesday",
        "tuesday comes before monday",
        "monday comes after tuesday",
        "sunday comes before monday",
        "three four five six",
        "three four five",
        "two three four five six seven",
        "three four five six seven eight",
        "four five six seven eight",
        "seven six five four three",
        "i am sorry i do not know that",
        "the sky is blue",
        "hello how can i help you",
        "one two three",
    };
    for (const Turn& turn : kTurns) answers.push_back(turn.answer);
    return answers;
  }
};

TEST_F(SpokenTurnTest, SpokenQuestionsGetSpokenAnswersThatAnyoneCanHear) {
  auto conversation = Open();
  ASSERT_TRUE(conversation);
  for (const Turn& turn : kTurns) {
    SCOPED_TRACE(turn.question);
    const client::Answer answer = AskAloud(*conversation, turn);
    EXPECT_EQ(answer.transcript, turn.question);
    EXPECT_EQ(answer.text, turn.answer);
    EXPECT_EQ(answer.turn_end, TurnEndCause::kModel) << "the model judges by itself that the turn is over";
    EXPECT_EQ(answer.end, ResponseEnd::kCompleted);
    EXPECT_EQ(Recognise(answer.audio, answer.sample_rate, Answers()), turn.answer);
    // One clock, one order of events.
    const client::LatencyLedger& ledger = answer.ledger;
    EXPECT_GT(ledger.last_speech_received_us, 0u);
    EXPECT_GE(ledger.first_symbol_us, ledger.endpoint_decided_us);
    EXPECT_GE(ledger.first_frame_us, ledger.endpoint_decided_us);
    EXPECT_GE(ledger.first_packet_sent_us, ledger.first_frame_us);
  }
}

TEST_F(SpokenTurnTest, OpusBothWaysSaysTheSame) {
  client::ConversationOptions options;
  options.input_audio = {client::AudioEncoding::kOpus, 48000};
  options.output_audio = {client::AudioEncoding::kOpus, 48000};
  auto conversation = Open(options);
  ASSERT_TRUE(conversation);
  const client::Answer answer = AskAloud(*conversation, kTurns[0]);
  EXPECT_EQ(answer.text, kTurns[0].answer);
  EXPECT_EQ(Recognise(answer.audio, answer.sample_rate, Answers()), kTurns[0].answer);
}

TEST_F(SpokenTurnTest, SilenceEndsTheTurnIfItIsToldTo) {
  client::ConversationOptions options;
  options.settings.turn_detection =
      client::TurnDetection{.mode = client::TurnDetectionMode::kServerVad, .silence_duration_ms = 600};
  auto conversation = Open(options);
  ASSERT_TRUE(conversation);
  const client::Answer answer = AskAloud(*conversation, kTurns[0]);
  EXPECT_EQ(answer.transcript, kTurns[0].question);
  EXPECT_EQ(answer.text, kTurns[0].answer);
  EXPECT_EQ(answer.turn_end, TurnEndCause::kSilence);
  EXPECT_FALSE(answer.cut_in);
  // The packets are 20 ms long.
  EXPECT_GE(answer.ledger.endpoint_decided_us - answer.ledger.last_speech_received_us, 560'000u);

  // In the same session the model judges again.
  client::SessionSettings settings;
  settings.turn_detection = client::TurnDetection{};
  ASSERT_TRUE(conversation->Update(settings).ok());
  EXPECT_EQ(AskAloud(*conversation, kTurns[1]).turn_end, TurnEndCause::kModel);
}

TEST_F(SpokenTurnTest, ATypedQuestionGetsTheSameAnswer) {
  auto conversation = Open();
  ASSERT_TRUE(conversation);
  for (const Turn& turn : kTurns) {
    SCOPED_TRACE(turn.question);
    EXPECT_EQ(Ask(*conversation, client::TypedQuestion{turn.question}).text, turn.answer);
  }
}

}  // namespace
}  // namespace antiphon
