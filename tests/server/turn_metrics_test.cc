// Scripted events, and what Prometheus is then told.
#include "server/turn_metrics.h"

#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <string>
#include <utility>
#include <vector>

#include "server/metered_sink.h"
#include "tests/common/exposition.h"

namespace antiphon {
namespace {

using server_event::LatencyLedger;
using server_event::ResponseDone;

class TurnMetricsTest : public testing::Test {
 protected:
  double Value(const std::string& series) {
    const auto value = ValueOf(prometheus::TextSerializer().Serialize(registry_.Collect()), series);
    EXPECT_TRUE(value) << series;
    return value.value_or(-1);
  }
  void Observe(ServerEvent event, SessionKind kind = SessionKind::kConversation) {
    metrics_.Observe(kind, event);
  }
  // The end of a spoken turn's response.
  static ResponseDone Spoken(const LatencyLedger& ledger) {
    ResponseDone done;
    done.usage.heard_frames = 20;
    done.ledger = ledger;
    return done;
  }

  prometheus::Registry registry_;
  TurnMetrics metrics_{registry_};
};

// A turn of 190 ms of endpointing and 20 ms of work.
constexpr LatencyLedger kLedger = {.last_speech_received_us = 1'000'000,
                                   .endpoint_decided_us = 1'190'000,
                                   .first_symbol_us = 1'197'000,
                                   .first_frame_us = 1'209'000,
                                   .first_packet_sent_us = 1'210'000,
                                   .least_margin_ms = 65,
                                   .underruns = 0,
                                   .first_image_us = 1'690'000};

TEST_F(TurnMetricsTest, ATurnsLatencyIsTheDifferenceThatTheContractDefines) {
  Observe(Spoken(kLedger));
  EXPECT_EQ(Value("antiphon_turn_latency_seconds_count{input=\"spoken\"}"), 1);
  EXPECT_NEAR(Value("antiphon_turn_latency_seconds_sum{input=\"spoken\"}"), 0.210, 1e-9);
  EXPECT_EQ(Value("antiphon_turn_latency_seconds_bucket{input=\"spoken\",le=\"0.2\"}"), 0);
  EXPECT_EQ(Value("antiphon_turn_latency_seconds_bucket{input=\"spoken\",le=\"0.225\"}"), 1);
  EXPECT_EQ(Value("antiphon_turn_latency_seconds_count{input=\"typed\"}"), 0);
}

TEST_F(TurnMetricsTest, ItsPartsAreToo) {
  Observe(Spoken(kLedger));
  const std::pair<const char*, double> parts[] = {
      {"endpointing", 0.190},  {"first_symbol", 0.007}, {"first_frame", 0.019},
      {"first_packet", 0.020}, {"first_image", 0.500},
  };
  for (const auto& [part, seconds] : parts) {
    const std::string name = "antiphon_turn_" + std::string(part) + "_seconds";
    EXPECT_EQ(Value(name + "_count{input=\"spoken\"}"), 1) << part;
    EXPECT_NEAR(Value(name + "_sum{input=\"spoken\"}"), seconds, 1e-9) << part;
  }
}

TEST_F(TurnMetricsTest, ABoundBelongsToItsBucket) {
  LatencyLedger ledger = kLedger;
  ledger.first_packet_sent_us = ledger.last_speech_received_us + 200'000;
  Observe(Spoken(ledger));
  EXPECT_EQ(Value("antiphon_turn_latency_seconds_bucket{input=\"spoken\",le=\"0.175\"}"), 0);
  EXPECT_EQ(Value("antiphon_turn_latency_seconds_bucket{input=\"spoken\",le=\"0.2\"}"), 1);
}

TEST_F(TurnMetricsTest, ATurnWithoutHeardFramesIsTyped) {
  ResponseDone done = Spoken(kLedger);
  done.usage.heard_frames = 0;
  Observe(done);
  EXPECT_EQ(Value("antiphon_turn_latency_seconds_count{input=\"typed\"}"), 1);
  EXPECT_EQ(Value("antiphon_turn_endpointing_seconds_count{input=\"typed\"}"), 1);
  EXPECT_EQ(Value("antiphon_turn_latency_seconds_count{input=\"spoken\"}"), 0);
}

TEST_F(TurnMetricsTest, WhatDidNotHappenHasNoTime) {
  Observe(Spoken({.last_speech_received_us = 1'000'000, .endpoint_decided_us = 1'100'000}));
  EXPECT_EQ(Value("antiphon_turn_endpointing_seconds_count{input=\"spoken\"}"), 1);
  for (const char* part : {"latency", "first_symbol", "first_frame", "first_packet", "first_image"}) {
    EXPECT_EQ(Value("antiphon_turn_" + std::string(part) + "_seconds_count{input=\"spoken\"}"), 0) << part;
  }
}

TEST_F(TurnMetricsTest, ADecisionBeforeTheLastSpeechTookNoTime) {
  Observe(Spoken({.last_speech_received_us = 1'000'000, .endpoint_decided_us = 900'000}));
  EXPECT_EQ(Value("antiphon_turn_endpointing_seconds_count{input=\"spoken\"}"), 1);
  EXPECT_EQ(Value("antiphon_turn_endpointing_seconds_sum{input=\"spoken\"}"), 0);
}

TEST_F(TurnMetricsTest, MarginsAndUnderruns) {
  Observe(Spoken({.least_margin_ms = 65}));
  Observe(Spoken({.least_margin_ms = 0, .underruns = 2}));
  Observe(Spoken({.least_margin_ms = 0}));  // at most one piece was sent
  EXPECT_EQ(Value("antiphon_underruns_total"), 2);
  EXPECT_EQ(Value("antiphon_response_least_margin_seconds_count"), 2);
  EXPECT_NEAR(Value("antiphon_response_least_margin_seconds_sum"), 0.065, 1e-9);
  EXPECT_EQ(Value("antiphon_response_least_margin_seconds_bucket{le=\"0\"}"), 1);
  EXPECT_EQ(Value("antiphon_response_least_margin_seconds_bucket{le=\"0.08\"}"), 2);
}

TEST_F(TurnMetricsTest, TurnsResponsesAndErrorsByKind) {
  using server_event::Error;
  using server_event::TurnEnded;
  Observe(TurnEnded{TurnEndCause::kModel, "hello"});
  Observe(TurnEnded{TurnEndCause::kModel, "hello"});
  Observe(TurnEnded{TurnEndCause::kCommit, "hello"}, SessionKind::kGeneration);
  EXPECT_EQ(Value("antiphon_turns_total{cause=\"model\",kind=\"conversation\"}"), 2);
  EXPECT_EQ(Value("antiphon_turns_total{cause=\"commit\",kind=\"generation\"}"), 1);
  EXPECT_EQ(Value("antiphon_turns_total{cause=\"length\",kind=\"conversation\"}"), 0);
  for (const auto end : {ResponseEnd::kCompleted, ResponseEnd::kCancelled, ResponseEnd::kIncomplete,
                         ResponseEnd::kFailed, ResponseEnd::kFailed}) {
    ResponseDone done;
    done.end = end;
    Observe(done);
  }
  EXPECT_EQ(Value("antiphon_responses_total{kind=\"conversation\",status=\"completed\"}"), 1);
  EXPECT_EQ(Value("antiphon_responses_total{kind=\"conversation\",status=\"cancelled\"}"), 1);
  EXPECT_EQ(Value("antiphon_responses_total{kind=\"conversation\",status=\"incomplete\"}"), 1);
  EXPECT_EQ(Value("antiphon_responses_total{kind=\"conversation\",status=\"failed\"}"), 2);
  EXPECT_EQ(Value("antiphon_responses_total{kind=\"generation\",status=\"completed\"}"), 0);
  Observe(Error{{InvalidArgument("no"), "field"}, "event"});
  Observe(Error{{Unavailable("a code that is none of the usual"), ""}, ""});
  EXPECT_EQ(Value("antiphon_errors_total{code=\"INVALID_ARGUMENT\"}"), 1);
  EXPECT_EQ(Value("antiphon_errors_total{code=\"UNAVAILABLE\"}"), 1);
  EXPECT_EQ(Value("antiphon_errors_total{code=\"INTERNAL\"}"), 0);
}

TEST_F(TurnMetricsTest, UsageIsAddedUp) {
  ResponseDone done;
  done.usage = {.heard_frames = 10, .spoken_frames = 25, .input_video_frames = 3, .dropped_video_frames = 4};
  Observe(done);
  Observe(done);
  EXPECT_EQ(Value("antiphon_heard_frames_total"), 20);
  EXPECT_EQ(Value("antiphon_spoken_frames_total"), 50);
  EXPECT_EQ(Value("antiphon_video_frames_total"), 6);
  EXPECT_EQ(Value("antiphon_video_frames_dropped_total"), 8);
}

TEST_F(TurnMetricsTest, NobodyWaitsForAGeneration) {
  ResponseDone done = Spoken(kLedger);
  done.ledger.underruns = 3;
  Observe(done, SessionKind::kGeneration);
  EXPECT_EQ(Value("antiphon_responses_total{kind=\"generation\",status=\"completed\"}"), 1);
  EXPECT_EQ(Value("antiphon_heard_frames_total"), 20);
  EXPECT_EQ(Value("antiphon_turn_latency_seconds_count{input=\"spoken\"}"), 0);
  EXPECT_EQ(Value("antiphon_turn_endpointing_seconds_count{input=\"spoken\"}"), 0);
  EXPECT_EQ(Value("antiphon_response_least_margin_seconds_count"), 0);
  EXPECT_EQ(Value("antiphon_underruns_total"), 0);
}

TEST_F(TurnMetricsTest, WhatVoicesDoToAnswers) {
  using std::chrono::milliseconds;
  Observe(server_event::PlaybackPaused{"response-1", 4800, milliseconds(70)});
  Observe(server_event::PlaybackResumed{"response-1", 4800, milliseconds(650)});
  Observe(server_event::PlaybackPaused{"response-1", 9600, milliseconds(110)});
  EXPECT_EQ(Value("antiphon_playback_pauses_total"), 2);
  EXPECT_EQ(Value("antiphon_playback_resumed_total"), 1);
  EXPECT_EQ(Value("antiphon_interruption_pause_seconds_count"), 2);
  EXPECT_NEAR(Value("antiphon_interruption_pause_seconds_sum"), 0.18, 1e-9);
  EXPECT_EQ(Value("antiphon_interruption_pause_seconds_bucket{le=\"0.08\"}"), 1);
  EXPECT_EQ(Value("antiphon_interruption_decision_seconds_count{decision=\"resumed\"}"), 1);
  EXPECT_NEAR(Value("antiphon_interruption_decision_seconds_sum{decision=\"resumed\"}"), 0.65, 1e-9);
  EXPECT_EQ(Value("antiphon_interruption_decision_seconds_count{decision=\"cut\"}"), 0);
}

TEST_F(TurnMetricsTest, WhatCutsAnswers) {
  using enum server_event::InterruptedBy;
  using std::chrono::milliseconds;
  const auto cut = [](server_event::InterruptedBy by, int ms) {
    return server_event::ResponseInterrupted{"response-1", 4800, "paris", by, milliseconds(ms)};
  };
  EXPECT_EQ(Value("antiphon_answers_interrupted_total{by=\"cautious\"}"), 0) << "not missing";
  Observe(cut(kCautious, 540));
  Observe(cut(kCautious, 560));
  Observe(cut(kEager, 100));
  Observe(cut(kCommit, 200));
  Observe(cut(kCancel, 0));
  Observe(cut(kCancelAt, 0));
  Observe(cut(kCancelAt, 300));
  Observe(cut(kFault, 0));
  const std::pair<const char*, int> counts[] = {{"cautious", 2}, {"eager", 1},     {"commit", 1},
                                                {"cancel", 1},   {"cancel_at", 2}, {"fault", 1}};
  for (const auto& [by, count] : counts) {
    EXPECT_EQ(Value("antiphon_answers_interrupted_total{by=\"" + std::string(by) + "\"}"), count) << by;
  }
  EXPECT_EQ(Value("antiphon_interruption_decision_seconds_count{decision=\"cut\"}"), 3)
      << "the client takes its time";
  EXPECT_NEAR(Value("antiphon_interruption_decision_seconds_sum{decision=\"cut\"}"), 1.2, 1e-9);
}

// Remembers what it is told.
class ListeningSink final : public EventSink {
 public:
  void Send(ServerEvent event) override { events.push_back(std::move(event)); }
  void DropMedia(const std::string& response_id) override { dropped.push_back(response_id); }

  std::vector<ServerEvent> events;
  std::vector<std::string> dropped;
};

TEST_F(TurnMetricsTest, AMeteredSinkPassesEverythingOn) {
  ListeningSink client;
  MeteredSink sink(SessionKind::kConversation, metrics_, client);
  sink.Send(server_event::TextDelta{"response-1", "hello"});
  sink.Send(server_event::TurnEnded{TurnEndCause::kSilence, "hello"});
  sink.DropMedia("response-1");
  ASSERT_EQ(client.events.size(), 2u);
  const auto* text = std::get_if<server_event::TextDelta>(&client.events[0]);
  ASSERT_NE(text, nullptr);
  EXPECT_EQ(text->text, "hello");
  EXPECT_EQ(client.dropped, std::vector<std::string>{"response-1"});
  EXPECT_EQ(Value("antiphon_turns_total{cause=\"silence\",kind=\"conversation\"}"), 1);
}

}  // namespace
}  // namespace antiphon
