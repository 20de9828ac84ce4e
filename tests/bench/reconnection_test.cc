// The client library and a server whose connection is cut, again and again.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "antiphon/client.h"
#include "bench/connection_proxy.h"
#include "common/logging.h"
#include "server/server.h"
#include "tests/conversation/voice.h"
#include "tests/server/fake_engine.h"

namespace antiphon {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// What a client was told: each kind of thing in its order.
struct Told {
  std::map<std::string, std::string> words;
  std::map<std::string, std::vector<float>> audio;  // by response
  friend bool operator==(const Told&, const Told&) = default;
};

class ReconnectionTest : public testing::Test {
 protected:
  void StartServer(ServerOptions options = {}) {
    SetLogLevel(LogLevel::kOff);
    engine_ = std::make_unique<FakeEngine>(
        FakeEngineOptions{.step = milliseconds(1), .answer_frames = 40, .frames_of_turn = 1'000'000});
    options.listen = "127.0.0.1:0";
    auto server = Server::Start(*engine_, options);
    ASSERT_TRUE(server.ok()) << server.status().ToString();
    server_ = std::move(*server);
    auto proxy = bench::ConnectionProxy::Start(server_->address());
    ASSERT_TRUE(proxy.ok()) << proxy.status().ToString();
    proxy_ = std::move(*proxy);
    auto client = client::Client::Connect(proxy_->address(), {});
    ASSERT_TRUE(client.ok()) << client.status().ToString();
    client_ = std::move(*client);
  }

  std::unique_ptr<client::Conversation> Open(const client::ResumeOptions& resume = {}) {
    client::ConversationOptions options;
    options.settings.interruption = client::Interruption{.policy = client::Interruption::Policy::kOff};
    options.settings.turn_detection = client::TurnDetection{.mode = client::TurnDetectionMode::kNone};
    options.resume = resume;
    auto conversation = client_->Open(options);
    EXPECT_TRUE(conversation.ok()) << conversation.status().ToString();
    return conversation.ok() ? std::move(*conversation) : nullptr;
  }

  // Reads on until the response, or the conversation, has ended. False when it was the conversation.
  bool Listen(client::Conversation& conversation) {
    while (true) {
      Result<client::Event> event = conversation.NextEvent(seconds(20));
      if (!event.ok()) {
        ADD_FAILURE() << event.status().ToString();
        return false;
      }
      if (further_cuts_ > 0 && proxy_->cuts() > cuts_seen_) {
        cuts_seen_ = proxy_->cuts();
        --further_cuts_;
        proxy_->CutAfter(random_() % 50'000 + 1);
      }
      std::visit([this](auto& body) { Note(body); }, event->body);
      if (std::holds_alternative<client::ResponseDone>(event->body)) return true;
      if (std::holds_alternative<client::Closed>(event->body)) return false;
    }
  }

  void Note(client::TranscriptDelta& delta) { told_.words["transcript"] += delta.text; }
  void Note(client::SpeechStarted& started) {
    told_.words["speech"] += "from " + std::to_string(started.audio_offset_samples) + "\n";
  }
  void Note(client::SpeechStopped& stopped) {
    told_.words["speech"] += "to " + std::to_string(stopped.audio_offset_samples) + "\n";
  }
  void Note(client::TurnEnded& ended) {
    told_.words["turns"] +=
        ended.transcript + ", cause " + std::to_string(static_cast<int>(ended.cause)) + "\n";
  }
  void Note(client::ResponseStarted& started) { told_.words["started"] += started.response_id + "\n"; }
  void Note(client::TextDelta& delta) { told_.words[delta.response_id] += delta.text; }
  void Note(client::AudioDelta& delta) {
    std::vector<float>& audio = told_.audio[delta.response_id];
    EXPECT_EQ(delta.first_sample, audio.size());
    audio.insert(audio.end(), delta.samples.begin(), delta.samples.end());
  }
  void Note(client::ResponseDone& done) {
    told_.words["done"] += done.response_id + ": " + done.text + ", end " +
                           std::to_string(static_cast<int>(done.end)) + ", heard " +
                           std::to_string(done.usage.heard_frames) + ", typed " +
                           std::to_string(done.usage.input_text_pieces) + "\n";
  }
  void Note(client::ServerError& error) { told_.words["errors"] += error.status.ToString() + "\n"; }
  void Note(client::Closed& closed) { told_.words["closed"] += closed.status.ToString() + "\n"; }
  template <typename Other>
  void Note(Other&) {
    told_.words["others"] += "one more\n";
  }

  // A typed turn, a spoken one, another typed one, and the end.
  void Converse(client::Conversation& conversation) {
    ASSERT_TRUE(conversation.AppendText("blue 7").ok());
    ASSERT_TRUE(conversation.Commit().ok());
    if (!Listen(conversation)) return;
    constexpr size_t kPiece = 480;  // 20 ms
    const std::vector<float> voice = Voice(1600, 24000);
    for (size_t i = 0; i < voice.size(); i += kPiece) {
      const std::span<const float> piece = std::span(voice).subspan(i, std::min(kPiece, voice.size() - i));
      ASSERT_TRUE(conversation.AppendAudio(piece).ok());
    }
    ASSERT_TRUE(conversation.Commit().ok());
    if (!Listen(conversation)) return;
    ASSERT_TRUE(conversation.AppendText("red ").ok());
    ASSERT_TRUE(conversation.AppendText("9").ok());
    ASSERT_TRUE(conversation.Commit().ok());
    ASSERT_TRUE(conversation.FinishInput().ok());
    while (Listen(conversation)) {
    }
  }

  std::unique_ptr<FakeEngine> engine_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<bench::ConnectionProxy> proxy_;
  std::unique_ptr<client::Client> client_;
  Told told_;
  std::mt19937 random_;
  int further_cuts_ = 0;
  int cuts_seen_ = 0;
};

TEST_F(ReconnectionTest, CutsAtAnyMomentLoseNothingAndDoubleNothing) {
  StartServer();
  auto undisturbed = Open();
  ASSERT_TRUE(undisturbed);
  EXPECT_EQ(undisturbed->session().resume_grace, seconds(30));
  const uint64_t begun = proxy_->bytes_passed();
  Converse(*undisturbed);
  const uint64_t bytes = proxy_->bytes_passed() - begun;
  const Told expected = std::move(told_);
  EXPECT_EQ(expected.words.at("response-1"), "you said blue 7");
  EXPECT_EQ(expected.words.at("response-2"), "i heard you");
  EXPECT_EQ(expected.words.at("response-3"), "you said red 9");
  EXPECT_EQ(expected.words.at("closed"), "OK\n");
  EXPECT_EQ(expected.audio.at("response-2").size(), 40u * 1920);
  EXPECT_EQ(expected.words.count("errors") + expected.words.count("others"), 0u);

  for (uint32_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    proxy_->KeepWhole();
    auto conversation = Open();
    ASSERT_TRUE(conversation);
    told_ = {};
    random_.seed(seed);
    cuts_seen_ = proxy_->cuts();
    further_cuts_ = static_cast<int>(seed % 4);
    const int cuts_before = proxy_->cuts();
    // The first within what has to pass, so that there is one.
    proxy_->CutAfter(std::uniform_int_distribution<uint64_t>(1, bytes * 9 / 10)(random_));
    Converse(*conversation);
    EXPECT_EQ(told_.words, expected.words);
    EXPECT_TRUE(told_.audio == expected.audio);
    EXPECT_GT(proxy_->cuts(), cuts_before);
  }
}

TEST_F(ReconnectionTest, WhatIsSaidWhileThereIsNoConnectionArrives) {
  StartServer();
  const auto conversation = Open();
  ASSERT_TRUE(conversation);
  proxy_->Shut();
  ASSERT_TRUE(conversation->AppendText("blue 7").ok());
  ASSERT_TRUE(conversation->Commit().ok());
  EXPECT_EQ(conversation->NextEvent(milliseconds(500)).status().code(), StatusCode::kDeadlineExceeded);
  proxy_->Open();
  EXPECT_TRUE(Listen(*conversation));
  EXPECT_EQ(told_.words["response-1"], "you said blue 7");
}

TEST_F(ReconnectionTest, AttemptsAreBounded) {
  StartServer();
  const auto conversation =
      Open({.max_attempts = 3, .first_backoff = milliseconds(1), .max_backoff = milliseconds(2)});
  ASSERT_TRUE(conversation);
  proxy_->Shut();
  EXPECT_FALSE(Listen(*conversation));
  EXPECT_NE(told_.words["closed"].find("UNAVAILABLE: the connection was lost"), std::string::npos)
      << told_.words["closed"];
  EXPECT_EQ(conversation->AppendText("blue 7").code(), StatusCode::kFailedPrecondition);
}

TEST_F(ReconnectionTest, TheGraceBoundsThemAsWell) {
  StartServer({.resume_grace = milliseconds(300)});
  const auto conversation = Open({.max_attempts = 1'000'000});
  ASSERT_TRUE(conversation);
  proxy_->Shut();
  EXPECT_FALSE(Listen(*conversation));
  EXPECT_NE(told_.words["closed"].find("UNAVAILABLE"), std::string::npos) << told_.words["closed"];
  EXPECT_TRUE(engine_->WaitForSequences(0));
}

TEST_F(ReconnectionTest, ASessionThatIsGoneIsSaid) {
  StartServer({.resume_grace = milliseconds(300)});
  const auto conversation = Open({.first_backoff = milliseconds(100), .max_backoff = milliseconds(100)});
  ASSERT_TRUE(conversation);
  proxy_->Shut();
  ASSERT_TRUE(engine_->WaitForSequences(0)) << "the server has given it up";
  proxy_->Open();
  EXPECT_FALSE(Listen(*conversation));
  EXPECT_NE(told_.words["closed"].find("UNAVAILABLE"), std::string::npos) << told_.words["closed"];
}

TEST_F(ReconnectionTest, WhoClosesLeavesNothingBehind) {
  StartServer();
  {
    const auto conversation = Open();
    ASSERT_TRUE(conversation);
    ASSERT_TRUE(conversation->AppendText("blue 7").ok());
    ASSERT_TRUE(conversation->Commit().ok());
    const auto begun = std::chrono::steady_clock::now();
    conversation->Close();
    while (Listen(*conversation)) {
    }
    EXPECT_EQ(told_.words["closed"], "OK\n");
    EXPECT_LT(std::chrono::steady_clock::now() - begun, seconds(10));
  }
  // Much sooner than the 30 s that it would be kept.
  EXPECT_TRUE(engine_->WaitForSequences(0));
}

TEST_F(ReconnectionTest, WhoClosesWithoutAConnectionDoesNotWait) {
  StartServer();
  auto conversation = Open();
  ASSERT_TRUE(conversation);
  proxy_->Shut();
  EXPECT_EQ(conversation->NextEvent(milliseconds(200)).status().code(), StatusCode::kDeadlineExceeded);
  const auto begun = std::chrono::steady_clock::now();
  conversation.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, seconds(10));
}

TEST_F(ReconnectionTest, AServerThatKeepsNothingIsTalkedToAsEver) {
  StartServer({.resume_grace = milliseconds(0)});
  const auto conversation = Open();
  ASSERT_TRUE(conversation);
  EXPECT_EQ(conversation->session().resume_grace, milliseconds(0));
  Converse(*conversation);
  EXPECT_EQ(told_.words["response-3"], "you said red 9");
  EXPECT_EQ(told_.words["closed"], "OK\n");
  told_ = {};
  const auto lost = Open();
  ASSERT_TRUE(lost);
  proxy_->Shut();
  EXPECT_FALSE(Listen(*lost));
  EXPECT_NE(told_.words["closed"], "OK\n");
}

TEST_F(ReconnectionTest, AServerThatStopsIsNotWaitedFor) {
  StartServer();
  const auto conversation = Open();
  ASSERT_TRUE(conversation);
  const auto begun = std::chrono::steady_clock::now();
  server_->Stop();
  EXPECT_FALSE(Listen(*conversation));
  EXPECT_EQ(told_.words["closed"], "UNAVAILABLE: the server is stopping\n");
  EXPECT_LT(std::chrono::steady_clock::now() - begun, seconds(10));
}

TEST_F(ReconnectionTest, OptionsThatCannotBeAreRefused) {
  StartServer();
  client::ConversationOptions options;
  options.resume.emplace();
  options.max_queued_bytes = 1000;
  EXPECT_EQ(client_->Open(options).status().code(), StatusCode::kInvalidArgument);
  options.max_queued_bytes = 1 << 20;
  options.resume->max_attempts = 0;
  EXPECT_EQ(client_->Open(options).status().code(), StatusCode::kInvalidArgument);
  options.resume->max_attempts = 1;
  EXPECT_TRUE(client_->Open(options).ok());
}

}  // namespace
}  // namespace antiphon
