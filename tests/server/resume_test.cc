// Conversations that outlive their streams, as a client sees them that speaks the bare protocol.
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "media/pcm.h"
#include "tests/common/exposition.h"
#include "tests/common/http_connection.h"
#include "tests/conversation/voice.h"
#include "tests/server/server_fixture.h"

namespace antiphon {
namespace {

using Event = v1::ServerEvent;
using std::chrono::milliseconds;

v1::ClientEvent AcknowledgeEvent(uint64_t number) {
  v1::ClientEvent event;
  event.mutable_acknowledge()->set_last_event_number(number);
  return event;
}
v1::ClientEvent ResumeEvent(const std::string& token, uint64_t number) {
  v1::ClientEvent event;
  event.mutable_resume()->set_token(token);
  event.mutable_resume()->set_last_event_number(number);
  return event;
}
v1::ClientEvent TextEvent(const std::string& text) {
  v1::ClientEvent event;
  event.mutable_text_append()->set_text(text);
  return event;
}
v1::ClientEvent AudioEvent(std::string audio) {
  v1::ClientEvent event;
  event.mutable_audio_append()->set_audio(std::move(audio));
  return event;
}
v1::ClientEvent CommitEvent() {
  v1::ClientEvent event;
  event.mutable_commit();
  return event;
}
v1::ClientEvent FinishEvent(bool abandon = false) {
  v1::ClientEvent event;
  event.mutable_finish()->set_abandon(abandon);
  return event;
}

// One call of either kind. Every read fails after 20 s instead of hanging the test.
class Line {
 public:
  enum class Method { kConverse, kResume };

  Line(const std::shared_ptr<grpc::Channel>& channel, Method method)
      : stub_(v1::ConversationService::NewStub(channel)) {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    stream_ = method == Method::kConverse ? stub_->Converse(&context_) : stub_->Resume(&context_);
  }
  ~Line() {
    Vanish();
    End();
  }

  bool Send(const v1::ClientEvent& event) { return stream_->Write(event); }
  bool Ask(const std::string& text) { return Send(TextEvent(text)) && Send(CommitEvent()); }
  void HalfClose() { stream_->WritesDone(); }
  // As a client whose connection is lost: the stream is reset.
  void Vanish() { context_.TryCancel(); }

  std::optional<Event> Read() {
    Event event;
    if (!stream_->Read(&event)) return std::nullopt;
    return event;
  }
  // Everything up to the first of a kind, that included. Fails the test when the call ends before.
  std::vector<Event> ReadThrough(Event::EventCase kind) {
    std::vector<Event> events;
    while (auto event = Read()) {
      events.push_back(*std::move(event));
      if (events.back().event_case() == kind) return events;
    }
    ADD_FAILURE() << "the call ended before event " << kind << ": " << End().error_message();
    events.emplace_back();
    return events;
  }

  // Reads what is left and returns how the call ended.
  grpc::Status End() {
    if (ended_) return status_;
    while (Read()) {
    }
    ended_ = true;
    return status_ = stream_->Finish();
  }
  bool session_over() const { return context_.GetServerTrailingMetadata().count("session-over") > 0; }

 private:
  std::unique_ptr<v1::ConversationService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::ClientEvent, Event>> stream_;
  bool ended_ = false;
  grpc::Status status_;
};

std::string AudioOf(const std::vector<Event>& events) {
  std::string audio;
  for (const Event& event : events) audio += event.audio_delta().audio();
  return audio;
}
std::string TextOf(const std::vector<Event>& events) {
  std::string text;
  for (const Event& event : events) text += event.text_delta().text();
  return text;
}
std::vector<Event> Joined(std::vector<Event> first, const std::vector<Event>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}
void ExpectCounts(const std::vector<Event>& events, uint64_t first) {
  for (size_t i = 0; i < events.size(); ++i) EXPECT_EQ(events[i].sequence_number(), first + i);
}

class ResumeTest : public ServerFixture {
 protected:
  // A session whose client asks for it to be kept. Its token is token_.
  std::unique_ptr<Line> Open() {
    auto line = std::make_unique<Line>(channel_, Line::Method::kConverse);
    EXPECT_TRUE(line->Send(AcknowledgeEvent(0)));
    const Event created = line->ReadThrough(Event::kSessionCreated).back();
    EXPECT_EQ(created.sequence_number(), 1u);
    token_ = created.session_created().resume_token();
    return line;
  }
  std::unique_ptr<Line> Resume(uint64_t last_event_number) { return Resume(token_, last_event_number); }
  std::unique_ptr<Line> Resume(const std::string& token, uint64_t last_event_number) {
    auto line = std::make_unique<Line>(channel_, Line::Method::kResume);
    EXPECT_TRUE(line->Send(ResumeEvent(token, last_event_number)));
    return line;
  }
  // How many client events the server has taken.
  static uint64_t ReadResumed(Line& line) {
    const auto first = line.Read();
    if (!first || !first->has_session_resumed()) {
      ADD_FAILURE() << "not resumed: " << line.End().error_message();
      return 0;
    }
    EXPECT_EQ(first->sequence_number(), 0u);
    return first->session_resumed().client_events();
  }

  std::string token_;
};

TEST_F(ResumeTest, ASessionHasATokenOfItsOwn) {
  StartServer();
  const auto first = Open();
  const std::string token = token_;
  EXPECT_EQ(token.size(), 32u);
  EXPECT_EQ(token.find_first_not_of("0123456789abcdef"), std::string::npos);
  const auto second = Open();
  EXPECT_NE(token_, token);
}

TEST_F(ResumeTest, TellsHowLongItIsKept) {
  StartServer({.resume_grace = milliseconds(7000)});
  Line line(channel_, Line::Method::kConverse);
  EXPECT_EQ(line.ReadThrough(Event::kSessionCreated).back().session_created().resume_grace_ms(), 7000u);
}

TEST_F(ResumeTest, AnAnswerGoesOnWhereItWasLost) {
  StartServer({}, {.step = milliseconds(2), .answer_frames = 40});
  auto line = Open();
  ASSERT_TRUE(line->Ask("blue 7"));
  const auto before = line->ReadThrough(Event::kAudioDelta);
  line->Vanish();
  const auto resumed = Resume(before.back().sequence_number());
  EXPECT_EQ(ReadResumed(*resumed), 2u) << "the text and its commit";
  const auto after = resumed->ReadThrough(Event::kResponseDone);
  const auto all = Joined(before, after);
  ExpectCounts(all, 2);
  EXPECT_EQ(TextOf(all), "you said blue 7");
  EXPECT_EQ(AudioOf(all).size(), 40u * 1920 * 2);
  EXPECT_EQ(after.back().response_done().status(), v1::ResponseDone::STATUS_COMPLETED);
  ASSERT_TRUE(resumed->Ask("red 9"));
  EXPECT_EQ(TextOf(resumed->ReadThrough(Event::kResponseDone)), "you said red 9");
}

TEST_F(ResumeTest, WhatWasReadIsSentAgainIfTheClientWantsIt) {
  StartServer();
  auto line = Open();
  ASSERT_TRUE(line->Ask("blue 7"));
  const auto first = line->ReadThrough(Event::kResponseDone);
  for (int i = 0; i < 3; ++i) {
    line->Vanish();
    line = Resume(1);
    ReadResumed(*line);
    const auto again = line->ReadThrough(Event::kResponseDone);
    ASSERT_EQ(again.size(), first.size());
    for (size_t e = 0; e < first.size(); ++e) {
      EXPECT_EQ(again[e].SerializeAsString(), first[e].SerializeAsString());
    }
  }
}

TEST_F(ResumeTest, WhatWasAcknowledgedIsNotKept) {
  StartServer();
  auto line = Open();
  ASSERT_TRUE(line->Ask("blue 7"));
  const uint64_t last = line->ReadThrough(Event::kResponseDone).back().sequence_number();
  ASSERT_TRUE(line->Send(AcknowledgeEvent(last)));
  ASSERT_TRUE(line->Ask("red 9"));  // read behind the acknowledgement
  const uint64_t next = line->ReadThrough(Event::kTurnEnded).back().sequence_number();
  line->Vanish();
  const grpc::Status too_early = Resume(last - 1)->End();
  EXPECT_EQ(too_early.error_code(), grpc::StatusCode::OUT_OF_RANGE);
  EXPECT_EQ(Resume(last + 1000)->End().error_code(), grpc::StatusCode::OUT_OF_RANGE);
  const auto resumed = Resume(next);
  ReadResumed(*resumed);
  ExpectCounts(resumed->ReadThrough(Event::kResponseDone), next + 1);
}

TEST_F(ResumeTest, TheServerCountsWhatItHasTaken) {
  StartServer();
  const std::vector<v1::ClientEvent> said = {TextEvent("one "), TextEvent("two "), TextEvent("three "),
                                             TextEvent("7"), CommitEvent()};
  for (int i = 0; i < 10; ++i) {
    auto line = Open();
    ASSERT_TRUE(line->Ask("red 9"));  // its answer shows that the acknowledgement before it was read
    const uint64_t last = line->ReadThrough(Event::kResponseDone).back().sequence_number();
    for (int e = 0; e < i % 5; ++e) ASSERT_TRUE(line->Send(said[static_cast<size_t>(e)]));
    line->Vanish();
    const auto resumed = Resume(last);
    const uint64_t taken = ReadResumed(*resumed) - 2;
    ASSERT_LE(taken, static_cast<uint64_t>(i % 5));
    for (uint64_t e = taken; e < said.size(); ++e) ASSERT_TRUE(resumed->Send(said[e]));
    EXPECT_EQ(resumed->ReadThrough(Event::kTurnEnded).back().turn_ended().transcript(), "one two three 7");
    ASSERT_TRUE(resumed->Send(FinishEvent(/*abandon=*/true)));
    EXPECT_EQ(resumed->End().error_code(), grpc::StatusCode::CANCELLED);
  }
}

TEST_F(ResumeTest, InputIsAcknowledgedNowAndThen) {
  StartServer();
  auto line = Open();
  v1::ClientEvent clear;
  clear.mutable_clear();
  for (int i = 0; i < 32; ++i) ASSERT_TRUE(line->Send(clear));
  EXPECT_EQ(line->ReadThrough(Event::kInputAcknowledged).back().input_acknowledged().client_events(), 32u);
  ASSERT_TRUE(line->Send(AudioEvent(std::string(96'000, '\0'))));
  ASSERT_TRUE(line->Send(AudioEvent(std::string(96'000, '\0'))));
  EXPECT_EQ(line->ReadThrough(Event::kInputAcknowledged).back().input_acknowledged().client_events(), 34u);
}

TEST_F(ResumeTest, WhoIsUnknownLearnsNothing) {
  StartServer({.resume_grace = milliseconds(50)});
  auto line = Open();
  line->Vanish();
  ASSERT_TRUE(engine_->WaitForSequences(0)) << "it expires";
  const grpc::Status expired = Resume(1)->End();
  EXPECT_EQ(expired.error_code(), grpc::StatusCode::NOT_FOUND);
  for (const std::string& token : {std::string(32, '0'), std::string(), std::string(100'000, 'f')}) {
    const grpc::Status unknown = Resume(token, 1)->End();
    EXPECT_EQ(unknown.error_code(), grpc::StatusCode::NOT_FOUND);
    EXPECT_EQ(unknown.error_message(), expired.error_message());
  }
  // Nor does a token help whose client has not asked for the session to be kept.
  Line silent(channel_, Line::Method::kConverse);
  const std::string token =
      silent.ReadThrough(Event::kSessionCreated).back().session_created().resume_token();
  EXPECT_EQ(Resume(token, 1)->End().error_message(), expired.error_message());
}

TEST_F(ResumeTest, AServerThatKeepsNoSessionsSaysSo) {
  StartServer({.resume_grace = milliseconds(0)}, {.endless = true});
  auto line = Open();
  EXPECT_EQ(token_, "");
  ASSERT_TRUE(line->Ask("blue 7"));
  line->ReadThrough(Event::kAudioDelta);
  line->Vanish();
  EXPECT_TRUE(engine_->WaitForSequences(0));
}

TEST_F(ResumeTest, TheFirstEventMustBeAResume) {
  StartServer();
  Line wrong(channel_, Line::Method::kResume);
  ASSERT_TRUE(wrong.Send(CommitEvent()));
  EXPECT_EQ(wrong.End().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  Line nothing(channel_, Line::Method::kResume);
  nothing.HalfClose();
  EXPECT_EQ(nothing.End().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_FALSE(nothing.session_over());
}

TEST_F(ResumeTest, AResumeMustComeInTime) {
  StartServer({.resume_patience = milliseconds(100)});
  Line late(channel_, Line::Method::kResume);
  EXPECT_EQ(late.End().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_FALSE(late.session_over());
}

TEST_F(ResumeTest, CallsThatWaitAreBounded) {
  StartServer({.max_waiting_resumes = 2, .resume_patience = std::chrono::minutes(1)});
  std::vector<std::unique_ptr<Line>> waiting;
  std::vector<std::future<grpc::Status>> ends;
  for (int i = 0; i < 3; ++i) {
    waiting.push_back(std::make_unique<Line>(channel_, Line::Method::kResume));
    ends.push_back(std::async(std::launch::async, [line = waiting.back().get()] { return line->End(); }));
  }
  // Which of them came last is the network's choice: one ends at once.
  size_t first = 0;
  while (ends[first].wait_for(milliseconds(10)) != std::future_status::ready) first = (first + 1) % 3;
  EXPECT_EQ(ends[first].get().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  for (auto& line : waiting) line->Vanish();
  for (auto& end : ends) {
    if (end.valid()) end.wait();
  }
  grpc::Status later;
  for (int i = 0; i < 200; ++i) {  // until the server has noticed
    later = Resume(std::string(32, '0'), 1)->End();
    if (later.error_code() == grpc::StatusCode::NOT_FOUND) break;
    std::this_thread::sleep_for(milliseconds(50));
  }
  EXPECT_EQ(later.error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(ResumeTest, ANewStreamTakesTheSessionOver) {
  StartServer({}, {.step = milliseconds(2), .answer_frames = 100});
  auto line = Open();
  ASSERT_TRUE(line->Ask("blue 7"));
  auto all = line->ReadThrough(Event::kAudioDelta);
  for (int i = 0; i < 5; ++i) {
    auto next = Resume(all.back().sequence_number());
    EXPECT_EQ(ReadResumed(*next), 2u);
    const grpc::Status end = line->End();
    EXPECT_EQ(end.error_code(), grpc::StatusCode::ABORTED);
    EXPECT_FALSE(line->session_over());
    all = Joined(all, next->ReadThrough(Event::kAudioDelta));
    line = std::move(next);
  }
  all = Joined(all, line->ReadThrough(Event::kResponseDone));
  ExpectCounts(all, 2);
  EXPECT_EQ(AudioOf(all).size(), 100u * 1920 * 2);
}

TEST_F(ResumeTest, ADetachedSessionHoldsItsPlace) {
  StartServer({.max_sessions = 1});
  auto line = Open();
  ASSERT_TRUE(line->Ask("red 9"));
  const uint64_t last = line->ReadThrough(Event::kResponseDone).back().sequence_number();
  line->Vanish();
  line->End();
  Line other(channel_, Line::Method::kConverse);
  EXPECT_EQ(other.End().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  const auto resumed = Resume(last);
  ReadResumed(*resumed);
  ASSERT_TRUE(resumed->Ask("blue 7"));
  EXPECT_EQ(TextOf(resumed->ReadThrough(Event::kResponseDone)), "you said blue 7");
}

TEST_F(ResumeTest, NoMoreThanSoManyAreKept) {
  StartServer({.max_detached = 0});
  auto line = Open();
  line->Vanish();
  EXPECT_TRUE(engine_->WaitForSequences(0));
}

TEST_F(ResumeTest, AClientThatAcknowledgesNothingIsEnded) {
  StartServer({.max_kept_events = 20}, {.endless = true});
  auto line = Open();
  ASSERT_TRUE(line->Ask("blue 7"));
  const grpc::Status end = line->End();
  EXPECT_EQ(end.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_NE(end.error_message().find("over 20 events are kept"), std::string::npos) << end.error_message();
  EXPECT_TRUE(line->session_over());
}

TEST_F(ResumeTest, ADetachedSessionThatSaysTooMuchIsEnded) {
  StartServer({.max_kept_bytes = 200'000}, {.endless = true});
  auto line = Open();
  ASSERT_TRUE(line->Ask("blue 7"));
  line->ReadThrough(Event::kResponseStarted);
  line->Vanish();
  EXPECT_TRUE(engine_->WaitForSequences(0));
  const grpc::Status end = Resume(1)->End();
  EXPECT_EQ(end.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_NE(end.error_message().find("over 200000 bytes are kept"), std::string::npos) << end.error_message();
}

TEST_F(ResumeTest, AStoppingServerKeepsNothing) {
  StartServer({}, {.endless = true});
  auto line = Open();
  ASSERT_TRUE(line->Ask("blue 7"));
  line->ReadThrough(Event::kAudioDelta);
  line->Vanish();
  line->End();
  const auto begun = std::chrono::steady_clock::now();
  server_->Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(5))
      << "the answer without a listener is not waited for";
  EXPECT_EQ(engine_->statistics().open_sequences, 0);
}

TEST_F(ResumeTest, ForAClientThatIsAwayTimeStandsStill) {
  StartServer({}, {.frames_of_turn = 1'000'000});
  auto line = Open();
  const std::string second = EncodePcm16(Voice(1000, 24000));
  std::vector<v1::ClientEvent> said;  // 2 s in pieces of 100 ms
  for (size_t i = 0; i < 20; ++i) said.push_back(AudioEvent(second.substr(i % 10 * 4800, 4800)));
  for (size_t i = 0; i < 10; ++i) ASSERT_TRUE(line->Send(said[i]));
  const uint64_t last = line->ReadThrough(Event::kTranscriptDelta).back().sequence_number();
  line->Vanish();
  line->End();
  // Longer than the 1.5 s of silence that would end the turn. Nothing must happen: there is no event to wait
  // for.
  std::this_thread::sleep_for(milliseconds(2500));
  const auto resumed = Resume(last);
  for (size_t i = ReadResumed(*resumed); i < said.size(); ++i) ASSERT_TRUE(resumed->Send(said[i]));
  ASSERT_TRUE(resumed->Send(CommitEvent()));
  const auto rest = resumed->ReadThrough(Event::kResponseDone);
  EXPECT_EQ(rest.back().response_done().usage().heard_frames(), 25u) << "2 s in frames of 80 ms";
  for (const Event& event : rest) {
    if (!event.has_turn_ended()) continue;
    EXPECT_EQ(event.turn_ended().cause(), v1::TurnEnded::CAUSE_COMMIT);
  }
}

TEST_F(ResumeTest, AFinishedSessionEndsWhenEverythingIsAcknowledged) {
  StartServer({}, {.step = milliseconds(2), .answer_frames = 40});
  auto line = Open();
  ASSERT_TRUE(line->Ask("blue 7"));
  ASSERT_TRUE(line->Send(FinishEvent()));
  const auto before = line->ReadThrough(Event::kAudioDelta);
  line->Vanish();
  const auto resumed = Resume(before.back().sequence_number());
  if (ReadResumed(*resumed) == 2) {  // it was lost
    ASSERT_TRUE(resumed->Send(FinishEvent()));
  }
  const auto after = resumed->ReadThrough(Event::kResponseDone);
  EXPECT_EQ(AudioOf(Joined(before, after)).size(), 40u * 1920 * 2);
  EXPECT_EQ(engine_->statistics().open_sequences, 1) << "the last events might have been lost";
  ASSERT_TRUE(resumed->Send(AcknowledgeEvent(after.back().sequence_number())));
  EXPECT_TRUE(resumed->End().ok());
  EXPECT_TRUE(resumed->session_over());
  // The end itself may have been lost.
  const auto late = Resume(after.back().sequence_number());
  EXPECT_TRUE(late->End().ok());
  EXPECT_TRUE(late->session_over());
}

TEST_F(ResumeTest, FinishWithoutAcknowledgementsIsAHalfClose) {
  StartServer();
  Line line(channel_, Line::Method::kConverse);
  ASSERT_TRUE(line.Ask("blue 7"));
  ASSERT_TRUE(line.Send(FinishEvent()));
  EXPECT_EQ(TextOf(line.ReadThrough(Event::kResponseDone)), "you said blue 7");
  EXPECT_TRUE(line.End().ok());
  EXPECT_TRUE(line.session_over());
}

TEST_F(ResumeTest, TheEndOfWritingAloneMayBeThatOfTheConnection) {
  StartServer();
  auto line = Open();
  line->HalfClose();
  const auto resumed = Resume(1);
  ReadResumed(*resumed);
  ASSERT_TRUE(resumed->Ask("blue 7"));
  EXPECT_EQ(TextOf(resumed->ReadThrough(Event::kResponseDone)), "you said blue 7");
}

TEST_F(ResumeTest, AClientThatLeavesIsNotWaitedFor) {
  StartServer({}, {.endless = true});
  auto line = Open();
  ASSERT_TRUE(line->Ask("blue 7"));
  line->ReadThrough(Event::kAudioDelta);
  ASSERT_TRUE(line->Send(FinishEvent(/*abandon=*/true)));
  EXPECT_EQ(line->End().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(line->session_over());
  EXPECT_TRUE(engine_->WaitForSequences(0));
  EXPECT_EQ(Resume(1)->End().error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(ResumeTest, MistakesAreErrorsAndTheSessionGoesOn) {
  StartServer();
  auto line = Open();
  v1::ClientEvent early = AcknowledgeEvent(99);
  early.set_event_id("ack");
  ASSERT_TRUE(line->Send(early));
  const v1::Error first = line->ReadThrough(Event::kError).back().error();
  EXPECT_EQ(first.code(), static_cast<uint32_t>(grpc::StatusCode::OUT_OF_RANGE));
  EXPECT_EQ(first.field(), "acknowledge.last_event_number");
  EXPECT_EQ(first.event_id(), "ack");
  ASSERT_TRUE(line->Send(ResumeEvent(token_, 1)));
  const v1::Error second = line->ReadThrough(Event::kError).back().error();
  EXPECT_EQ(second.code(), static_cast<uint32_t>(grpc::StatusCode::INVALID_ARGUMENT));
  EXPECT_EQ(second.field(), "resume");
  ASSERT_TRUE(line->Ask("blue 7"));
  EXPECT_EQ(TextOf(line->ReadThrough(Event::kResponseDone)), "you said blue 7");
  ASSERT_TRUE(line->Send(FinishEvent()));
  ASSERT_TRUE(line->Send(CommitEvent()));
  EXPECT_EQ(line->End().error_code(), grpc::StatusCode::INVALID_ARGUMENT) << "an event came after Finish";
}

TEST_F(ResumeTest, ComingsAndGoingsAreCounted) {
  StartServer({.metrics_address = "127.0.0.1:0"});
  const auto value = [this](const std::string& series) {
    return ValueOf(HttpGet(server_->metrics_address(), "/metrics"), series).value_or(-1);
  };
  const auto wait_until_detached = [&] {
    for (int i = 0; i < 400 && value("antiphon_sessions_detached") != 1; ++i) {
      std::this_thread::sleep_for(milliseconds(50));
    }
    return value("antiphon_sessions_detached") == 1;
  };
  EXPECT_EQ(value("antiphon_sessions_detached"), 0);
  auto line = Open();
  line->Vanish();
  ASSERT_TRUE(wait_until_detached());
  line = Resume(1);
  ReadResumed(*line);
  EXPECT_EQ(value("antiphon_sessions_detached"), 0);
  EXPECT_EQ(value("antiphon_sessions_detached_total"), 1);
  EXPECT_EQ(value("antiphon_sessions_resumed_total"), 1);
  EXPECT_EQ(value("antiphon_sessions_expired_total"), 0);
  line->Vanish();
  ASSERT_TRUE(wait_until_detached());
  server_->Stop();
  EXPECT_EQ(value("antiphon_sessions_detached"), 0);
  EXPECT_EQ(value("antiphon_sessions_detached_total"), 2);
  EXPECT_EQ(value("antiphon_sessions_expired_total"), 1);
  EXPECT_EQ(value("antiphon_sessions_open{kind=\"conversation\"}"), 0);
}

TEST_F(ResumeTest, OptionsThatCannotBeAreRefused) {
  FakeEngine engine;
  for (const ServerOptions& options :
       {ServerOptions{.resume_grace = milliseconds(-1)},
        ServerOptions{.resume_grace = std::chrono::hours(25)}, ServerOptions{.max_detached = -1},
        ServerOptions{.max_waiting_resumes = 0}, ServerOptions{.resume_patience = milliseconds(0)}}) {
    EXPECT_EQ(Server::Start(engine, options).status().code(), StatusCode::kInvalidArgument);
  }
}

TEST_F(ResumeTest, ManyComeBackAtOnce) {
  constexpr int kSessions = 8;
  StartServer({.max_sessions = kSessions, .max_detached = kSessions},
              {.step = milliseconds(1), .answer_frames = 60});
  std::vector<std::future<void>> clients;
  for (int i = 0; i < kSessions; ++i) {
    clients.push_back(std::async(std::launch::async, [this, i] {
      const auto channel = NewChannel();
      auto line = std::make_unique<Line>(channel, Line::Method::kConverse);
      ASSERT_TRUE(line->Send(AcknowledgeEvent(0)));
      auto all = line->ReadThrough(Event::kSessionCreated);
      const std::string token = all.back().session_created().resume_token();
      ASSERT_TRUE(line->Ask("blue " + std::to_string(i)));
      all = Joined(all, line->ReadThrough(Event::kTurnEnded));
      for (int cut = 0; cut < 5; ++cut) {
        line->Vanish();
        line = std::make_unique<Line>(channel, Line::Method::kResume);
        ASSERT_TRUE(line->Send(ResumeEvent(token, all.back().sequence_number())));
        EXPECT_EQ(ReadResumed(*line), 2u);
        all = Joined(all, line->ReadThrough(Event::kAudioDelta));
      }
      all = Joined(all, line->ReadThrough(Event::kResponseDone));
      ExpectCounts(all, 1);
      EXPECT_EQ(TextOf(all), "you said blue " + std::to_string(i));
      EXPECT_EQ(AudioOf(all).size(), 60u * 1920 * 2);
    }));
  }
  for (auto& client : clients) client.get();
}

}  // namespace
}  // namespace antiphon
