// One question, one answer, on a real socket: pacing, latency, and what can go wrong on the way.
#include "antiphon/ask.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

#include "tests/client/scripted_server.h"

namespace antiphon::client {
namespace {

using namespace std::chrono_literals;
using testing::AnsweringScript;
using testing::Call;
using ::testing::HasSubstr;
using testing::ScriptedServer;

constexpr int kRate = 16000;

std::unique_ptr<Conversation> OpenOn(const ScriptedServer& server, bool speak = true) {
  auto client = Client::Connect(server.target(), {});
  EXPECT_TRUE(client.ok());
  ConversationOptions options;
  options.input_audio = options.output_audio = {AudioEncoding::kPcm16, kRate};
  options.settings.speak = speak;
  auto conversation = (*client)->Open(options);
  EXPECT_TRUE(conversation.ok()) << conversation.status().ToString();
  return std::move(*conversation);
}

// A loud tone, then silence.
SpokenQuestion Speech(int speech_ms, int silence_ms, int rate = kRate) {
  SpokenQuestion question;
  question.sample_rate = rate;
  question.samples.resize(static_cast<size_t>((speech_ms + silence_ms) * rate / 1000));
  for (size_t i = 0; i < static_cast<size_t>(speech_ms * rate / 1000); ++i) {
    question.samples[i] = 0.3f * static_cast<float>(std::sin(2 * M_PI * 300 * static_cast<double>(i) / rate));
  }
  return question;
}

TEST(AskTest, TypedQuestion) {
  const ScriptedServer server(AnsweringScript(kRate));
  const auto conversation = OpenOn(server);
  Answer answer;
  ASSERT_TRUE(Ask(*conversation, TypedQuestion{"what is two plus three"}, {}, &answer).ok());
  EXPECT_EQ(answer.transcript, "what is two plus three");
  EXPECT_EQ(answer.text, "answer 1");
  EXPECT_EQ(answer.audio.size(), kRate * 4u / 10);
  EXPECT_EQ(answer.sample_rate, kRate);
  EXPECT_EQ(answer.ledger.endpoint_decided_us, 1'100'000u);
  EXPECT_GE(*answer.latency.first_audible_ms, 0);
  EXPECT_EQ(answer.latency.underruns, 0);
  EXPECT_FALSE(answer.cut_in);
}

TEST(AskTest, WrittenAnswerHasNoAudio) {
  const ScriptedServer server(AnsweringScript(kRate));
  const auto conversation = OpenOn(server, /*speak=*/false);
  Answer answer;
  ASSERT_TRUE(Ask(*conversation, TypedQuestion{"hello"}, {}, &answer).ok());
  EXPECT_TRUE(answer.audio.empty());
  EXPECT_TRUE(answer.latency.first_text_ms.has_value());
  EXPECT_FALSE(answer.latency.first_audible_ms.has_value());
}

TEST(AskTest, AnAnswerThatIsPausedStandsStill) {
  constexpr size_t kSamples = size_t{2} * kRate;
  uint64_t standing = 0;
  const ScriptedServer server([&standing](Call& call) {
    call.CreateSession();
    call.ReadUntil(v1::ClientEvent::kCommit);
    call.EndTurn("hello", v1::TurnEnded::CAUSE_COMMIT);
    call.StartResponse();
    call.SendPcm(std::vector<int16_t>(kSamples, 3000));
    v1::ServerEvent paused;
    paused.mutable_playback_paused()->set_response_id("response-1");
    call.Write(std::move(paused));
    // Its client says where it is all the time.
    uint64_t before = UINT64_MAX;
    for (v1::ClientEvent report; call.ReadUntil(v1::ClientEvent::kPlaybackPosition, &report);) {
      standing = report.playback_position().played_samples();
      if (std::exchange(before, standing) == standing) break;
    }
    v1::ServerEvent resumed;
    resumed.mutable_playback_resumed()->set_response_id("response-1");
    call.Write(std::move(resumed));
    call.SendPcm(std::vector<int16_t>(kRate / 10, 3000));
    call.SendDone();
    v1::ClientEvent event;
    while (call.Read(&event)) {
    }
    return grpc::Status::OK;
  });
  auto conversation = OpenOn(server);
  Answer answer;
  ASSERT_TRUE(Ask(*conversation, TypedQuestion{"hello"}, {}, &answer).ok());
  conversation.reset();
  ASSERT_TRUE(server.WaitForCalls(1));
  EXPECT_LT(standing, kSamples) << "it was paused, not at its end";
  EXPECT_EQ(answer.audio.size(), kSamples + kRate / 10);
  EXPECT_EQ(answer.latency.underruns, 0);
}

TEST(AskTest, SpeechIsPacedAsAMicrophoneWould) {
  const ScriptedServer server(AnsweringScript(kRate));
  auto conversation = OpenOn(server);
  Answer answer;
  ASSERT_TRUE(Ask(*conversation, Speech(600, 50), {}, &answer).ok());
  EXPECT_EQ(answer.transcript, "heard 600 ms");
  EXPECT_NEAR(answer.speech_ms, 600, 10);
  conversation.reset();
  ASSERT_TRUE(server.WaitForCalls(1));
  std::vector<testing::ReceivedMessage> packets;
  for (const auto& message : server.received()) {
    if (message.event.has_audio_append()) packets.push_back(message);
  }
  ASSERT_GE(packets.size(), 35u);  // 600 ms and the 100 ms of silence the server waits for
  for (const auto& packet : packets) EXPECT_EQ(packet.event.audio_append().audio().size(), 2u * kRate / 50);
  const auto elapsed = packets[34].at - packets[0].at;
  // The first may have come late, on a busy machine; without pacing all would come at once.
  EXPECT_GE(elapsed, 34 * 20ms - 200ms);
  EXPECT_LE(elapsed, 34 * 20ms + 500ms);
}

TEST(AskTest, LatencyCountsFromTheLastSpeechSampleSent) {
  // The recording ends with two seconds of silence, and the server answers one second after the speech: a
  // latency counted from the end of the file would be negative.
  const ScriptedServer server(AnsweringScript(kRate, /*silence_ms=*/1000));
  const auto conversation = OpenOn(server);
  Answer answer;
  ASSERT_TRUE(Ask(*conversation, Speech(400, 2000), {}, &answer).ok());
  // A busy machine sends the last packet late and catches up on the silence behind it.
  EXPECT_GE(*answer.latency.turn_ended_ms, 300);
  EXPECT_LE(*answer.latency.turn_ended_ms, 1900);
  EXPECT_GE(*answer.latency.first_audible_ms, *answer.latency.turn_ended_ms);
  // The last sample was spoken up to one packet before it was sent.
  EXPECT_GE(*answer.latency.mouth_to_ear_ms, *answer.latency.first_audible_ms);
  EXPECT_LE(*answer.latency.mouth_to_ear_ms, *answer.latency.first_audible_ms + 200);
}

TEST(AskTest, QuietAudioIsNotAnAnswerYet) {
  const ScriptedServer server([](Call& call) {
    call.CreateSession();
    call.ReadUntil(v1::ClientEvent::kCommit);
    call.EndTurn("x");
    call.StartResponse();
    call.SendPcm(std::vector<int16_t>(1280, 50));  // -56 dBFS
    std::this_thread::sleep_for(500ms);
    call.SendPcm(std::vector<int16_t>(1280, 500));  // -36 dBFS, after a gap of 420 ms
    call.SendDone();
    return grpc::Status::OK;
  });
  const auto conversation = OpenOn(server);
  Answer answer;
  ASSERT_TRUE(Ask(*conversation, TypedQuestion{"x"}, {}, &answer).ok());
  EXPECT_GE(*answer.latency.first_audible_ms - *answer.latency.first_audio_ms, 50);
  EXPECT_EQ(answer.latency.underruns, 1);
}

TEST(AskTest, FastSendsAtOnceAndMeasuresNoLatency) {
  const ScriptedServer server(AnsweringScript(kRate));
  const auto conversation = OpenOn(server);
  Answer answer;
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(Ask(*conversation, Speech(5000, 0), {.real_time = false}, &answer).ok());
  EXPECT_LT(std::chrono::steady_clock::now() - start, 3s);
  EXPECT_EQ(answer.transcript, "heard 5000 ms");
  EXPECT_FALSE(answer.latency.first_audible_ms.has_value());
}

TEST(AskTest, AnyRateIsResampled) {
  const ScriptedServer server(AnsweringScript(kRate));
  const auto conversation = OpenOn(server);
  for (const int rate : {8000, 44100, 48000}) {
    Answer answer;
    ASSERT_TRUE(Ask(*conversation, Speech(500, 0, rate), {.real_time = false}, &answer).ok());
    // Packets the filter's tail reaches into are heard too.
    EXPECT_THAT(answer.transcript, ::testing::AnyOf("heard 500 ms", "heard 520 ms")) << rate;
  }
}

TEST(AskTest, SeveralQuestionsShareAConversation) {
  const ScriptedServer server(AnsweringScript(kRate));
  const auto conversation = OpenOn(server);
  Answer answer;
  ASSERT_TRUE(Ask(*conversation, TypedQuestion{"my name is ann"}, {}, &answer).ok());
  EXPECT_EQ(answer.text, "answer 1");
  ASSERT_TRUE(Ask(*conversation, Speech(200, 0), {.real_time = false}, &answer).ok());
  EXPECT_EQ(answer.text, "answer 2");
  ASSERT_TRUE(Ask(*conversation, TypedQuestion{"what is my name"}, {}, &answer).ok());
  EXPECT_EQ(answer.text, "answer 3");
}

TEST(AskTest, CommitsInsteadOfWaiting) {
  const ScriptedServer server(AnsweringScript(kRate, /*silence_ms=*/60'000));
  const auto conversation = OpenOn(server);
  Answer answer;
  ASSERT_TRUE(Ask(*conversation, Speech(300, 100), {.commit = true}, &answer).ok());
  EXPECT_EQ(answer.text, "answer 1");
  EXPECT_LE(*answer.latency.turn_ended_ms, 500);
}

TEST(AskTest, AnAnswerDuringTheQuestionIsACutIn) {
  const ScriptedServer server([](Call& call) {
    call.CreateSession();
    for (int i = 0; i < 5; ++i) call.ReadUntil(v1::ClientEvent::kAudioAppend);
    call.Answer("what", "what what", 400, kRate);
    v1::ClientEvent event;
    while (call.Read(&event)) {
    }
    return grpc::Status::OK;
  });
  const auto conversation = OpenOn(server);
  Answer answer;
  ASSERT_TRUE(Ask(*conversation, Speech(600, 0), {}, &answer).ok());
  EXPECT_TRUE(answer.cut_in);
  EXPECT_FALSE(answer.latency.first_audible_ms.has_value());
  EXPECT_EQ(answer.text, "what what");
}

TEST(AskTest, QuestionsThatAreNone) {
  const ScriptedServer server(AnsweringScript(kRate));
  const auto conversation = OpenOn(server);
  Answer answer;
  EXPECT_EQ(Ask(*conversation, TypedQuestion{""}, {}, &answer).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Ask(*conversation, SpokenQuestion{}, {}, &answer).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Ask(*conversation, Speech(0, 500), {}, &answer).code(), StatusCode::kInvalidArgument);
}

TEST(AskTest, TheServersErrorIsTheResult) {
  const ScriptedServer server([](Call& call) {
    call.CreateSession();
    call.ReadUntil(v1::ClientEvent::kTextAppend);
    v1::ServerEvent event;
    event.mutable_error()->set_code(8);
    event.mutable_error()->set_message("the context is full");
    call.Write(event);
    call.ReadUntil(v1::ClientEvent::kClear);
    return grpc::Status::OK;
  });
  const auto conversation = OpenOn(server);
  Answer answer;
  EXPECT_EQ(Ask(*conversation, TypedQuestion{"x"}, {}, &answer), ResourceExhausted("the context is full"));
}

TEST(AskTest, AnAnswerThatNeverEndsTimesOutWithWhatCame) {
  const ScriptedServer server([](Call& call) {
    call.CreateSession();
    call.ReadUntil(v1::ClientEvent::kCommit);
    call.EndTurn("x");
    call.StartResponse();
    call.SendText("well ...");
    call.ReadUntil(v1::ClientEvent::kClear);
    return grpc::Status::OK;
  });
  const auto conversation = OpenOn(server);
  Answer answer;
  const Status status = Ask(*conversation, TypedQuestion{"x"}, {.timeout = 200ms}, &answer);
  EXPECT_EQ(status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(answer.text, "well ...");
}

TEST(AskTest, AServerThatGoesAwayDuringTheQuestion) {
  const ScriptedServer server([](Call& call) {
    call.CreateSession();
    for (int i = 0; i < 5; ++i) call.ReadUntil(v1::ClientEvent::kAudioAppend);
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "draining");
  });
  const auto conversation = OpenOn(server);
  Answer answer;
  EXPECT_EQ(Ask(*conversation, Speech(1000, 0), {}, &answer), Unavailable("draining"));
}

TEST(AskTest, AServerThatEndsTheCallInsteadOfTheAnswer) {
  const ScriptedServer server([](Call& call) {
    call.CreateSession();
    call.ReadUntil(v1::ClientEvent::kCommit);
    call.EndTurn("x");
    return grpc::Status::OK;
  });
  const auto conversation = OpenOn(server);
  Answer answer;
  EXPECT_EQ(Ask(*conversation, TypedQuestion{"x"}, {}, &answer).code(), StatusCode::kUnavailable);
}

TEST(AskTest, AFailedResponseIsAFailure) {
  const ScriptedServer server([](Call& call) {
    call.CreateSession();
    call.ReadUntil(v1::ClientEvent::kCommit);
    call.EndTurn("x");
    call.StartResponse();
    call.SendDone(v1::ResponseDone::STATUS_FAILED);
    return grpc::Status::OK;
  });
  const auto conversation = OpenOn(server);
  Answer answer;
  EXPECT_EQ(Ask(*conversation, TypedQuestion{"x"}, {}, &answer).code(), StatusCode::kInternal);
}

TEST(AskTest, LostAudioIsNoticed) {
  const ScriptedServer server([](Call& call) {
    call.CreateSession();
    call.ReadUntil(v1::ClientEvent::kCommit);
    call.EndTurn("x");
    call.StartResponse();
    v1::ServerEvent event;
    event.mutable_audio_delta()->set_response_id("response-1");
    event.mutable_audio_delta()->set_audio("abcd");
    event.mutable_audio_delta()->set_first_sample(1280);
    call.Write(event);
    call.ReadUntil(v1::ClientEvent::kClear);
    return grpc::Status::OK;
  });
  const auto conversation = OpenOn(server);
  Answer answer;
  const Status status = Ask(*conversation, TypedQuestion{"x"}, {}, &answer);
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("first_sample is 1280 after 0"));
}

TEST(AskTest, PlaybackIsReported) {
  const ScriptedServer server([](Call& call) {
    call.CreateSession();
    call.ReadUntil(v1::ClientEvent::kCommit);
    call.EndTurn("x");
    call.StartResponse();
    call.SendPcm(std::vector<int16_t>(kRate, 500));
    v1::ClientEvent event;
    call.ReadUntil(v1::ClientEvent::kPlaybackPosition, &event);
    EXPECT_EQ(event.playback_position().response_id(), "response-1");
    EXPECT_LE(event.playback_position().played_samples(), static_cast<uint64_t>(kRate));
    call.SendDone();
    return grpc::Status::OK;
  });
  const auto conversation = OpenOn(server);
  Answer answer;
  EXPECT_TRUE(Ask(*conversation, TypedQuestion{"x"}, {.timeout = 5000ms}, &answer).ok());
}

}  // namespace
}  // namespace antiphon::client
