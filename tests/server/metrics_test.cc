// A server's metrics as Prometheus fetches them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <memory>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/common/exposition.h"
#include "tests/common/http_connection.h"
#include "tests/conversation/voice.h"
#include "tests/server/generate_fixture.h"
#include "tests/server/server_fixture.h"

namespace antiphon {
namespace {

using Event = v1::ServerEvent;
using testing::HasSubstr;

class MetricsTest : public ServerFixture {
 protected:
  void StartMetered(ServerOptions options = {}, const FakeEngineOptions& engine = {}) {
    options.metrics_address = "127.0.0.1:0";
    StartServer(options, engine);
  }
  std::string Scrape() { return HttpGet(server_->metrics_address(), "/metrics"); }
  double Value(const std::string& series) {
    const auto value = ValueOf(Scrape(), series);
    EXPECT_TRUE(value) << series;
    return value.value_or(-1);
  }
};

TEST_F(MetricsTest, ATypedTurnIsCounted) {
  StartMetered();
  {
    TestCall call(channel_);
    ASSERT_TRUE(call.Ask("blue 7"));
    const v1::ResponseDone done = call.ReadAnswer().done;
    EXPECT_EQ(Value("antiphon_turns_total{cause=\"commit\",kind=\"conversation\"}"), 1);
    EXPECT_EQ(Value("antiphon_responses_total{kind=\"conversation\",status=\"completed\"}"), 1);
    EXPECT_EQ(Value("antiphon_spoken_frames_total"), 5);
    EXPECT_EQ(Value("antiphon_heard_frames_total"), 0);
    // The client is told the same.
    const v1::LatencyLedger& ledger = done.ledger();
    EXPECT_EQ(Value("antiphon_turn_latency_seconds_count{input=\"typed\"}"), 1);
    EXPECT_NEAR(Value("antiphon_turn_latency_seconds_sum{input=\"typed\"}"),
                static_cast<double>(ledger.first_packet_sent_us() - ledger.last_speech_received_us()) / 1e6,
                1e-9);
    EXPECT_EQ(Value("antiphon_turn_latency_seconds_count{input=\"spoken\"}"), 0);
    EXPECT_EQ(Value("antiphon_sessions_open{kind=\"conversation\"}"), 1);
    EXPECT_EQ(Value("antiphon_sessions_opened_total{kind=\"conversation\"}"), 1);
    EXPECT_EQ(Value("antiphon_engine_sequences_open"), 1);
    EXPECT_EQ(Value("antiphon_session_duration_seconds_count{kind=\"conversation\"}"), 0);
    call.HalfClose();
    EXPECT_TRUE(call.End().ok());
  }
  EXPECT_EQ(Value("antiphon_sessions_open{kind=\"conversation\"}"), 0);
  EXPECT_EQ(Value("antiphon_sessions_ended_total{code=\"OK\",kind=\"conversation\"}"), 1);
  EXPECT_EQ(Value("antiphon_session_duration_seconds_count{kind=\"conversation\"}"), 1);
  EXPECT_GT(Value("antiphon_session_duration_seconds_sum{kind=\"conversation\"}"), 0);
  EXPECT_EQ(Value("antiphon_engine_sequences_open"), 0);
}

TEST_F(MetricsTest, ASpokenTurnIsCounted) {
  StartMetered();
  TestCall call(channel_);
  std::string pcm;
  for (const float sample : Voice(1500, 24000)) {
    const auto value = static_cast<int16_t>(sample * 32767.0f);
    pcm.push_back(static_cast<char>(value & 0xff));
    pcm.push_back(static_cast<char>((value >> 8) & 0xff));
  }
  for (size_t begin = 0; begin < pcm.size(); begin += 960)
    ASSERT_TRUE(call.SendAudio(pcm.substr(begin, 960)));
  call.ReadAnswer();
  EXPECT_EQ(Value("antiphon_turns_total{cause=\"model\",kind=\"conversation\"}"), 1);
  EXPECT_EQ(Value("antiphon_heard_frames_total"), 12);
  EXPECT_EQ(Value("antiphon_turn_latency_seconds_count{input=\"spoken\"}"), 1);
  EXPECT_EQ(Value("antiphon_turn_endpointing_seconds_count{input=\"spoken\"}"), 1);
  EXPECT_EQ(Value("antiphon_turn_latency_seconds_count{input=\"typed\"}"), 0);
}

TEST_F(MetricsTest, AGenerationIsCountedByItself) {
  StartMetered();
  GenerateStream call(channel_, RequestOf({TextOf("blue 7")}));
  EXPECT_TRUE(call.End().ok());
  EXPECT_EQ(Value("antiphon_responses_total{kind=\"generation\",status=\"completed\"}"), 1);
  EXPECT_EQ(Value("antiphon_sessions_ended_total{code=\"OK\",kind=\"generation\"}"), 1);
  EXPECT_EQ(Value("antiphon_sessions_open{kind=\"generation\"}"), 0);
  EXPECT_EQ(Value("antiphon_sessions_opened_total{kind=\"conversation\"}"), 0);
  EXPECT_EQ(Value("antiphon_turn_latency_seconds_count{input=\"typed\"}"), 0);
}

TEST_F(MetricsTest, RefusalsMistakesAndEndsAreCountedByCode) {
  StartMetered({.max_sessions = 1});
  {
    TestCall call(channel_);
    call.ReadUntil(Event::kSessionCreated);
    TestCall refused(channel_);
    EXPECT_EQ(refused.End().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_EQ(Value("antiphon_sessions_refused_total{code=\"RESOURCE_EXHAUSTED\",kind=\"conversation\"}"), 1);
    EXPECT_EQ(Value("antiphon_sessions_opened_total{kind=\"conversation\"}"), 1);
    ASSERT_TRUE(call.SendText(""));
    const Event error = call.ReadUntil(Event::kError);
    EXPECT_EQ(error.error().code(), static_cast<uint32_t>(grpc::StatusCode::INVALID_ARGUMENT));
    EXPECT_EQ(Value("antiphon_errors_total{code=\"INVALID_ARGUMENT\"}"), 1);
    call.HalfClose();
    EXPECT_TRUE(call.End().ok());
  }
  GenerateStream call(channel_, RequestOf({}));
  EXPECT_EQ(call.End().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Value("antiphon_sessions_ended_total{code=\"INVALID_ARGUMENT\",kind=\"generation\"}"), 1);
}

TEST_F(MetricsTest, AClientThatIsGoneLeavesNoSessionOpen) {
  StartMetered();
  TestCall call(channel_);
  call.ReadUntil(Event::kSessionCreated);
  call.Vanish();
  call.End();
  server_->Stop();  // returns when every session has ended; the metrics are served still
  EXPECT_EQ(Value("antiphon_sessions_opened_total{kind=\"conversation\"}"), 1);
  EXPECT_EQ(Value("antiphon_sessions_open{kind=\"conversation\"}"), 0);
  EXPECT_EQ(Value("antiphon_session_duration_seconds_count{kind=\"conversation\"}"), 1);
}

TEST_F(MetricsTest, ConversationsGoOnUnderHostileScrapes) {
  StartMetered();
  TestCall call(channel_);
  std::vector<std::unique_ptr<HttpConnection>> hostile;
  for (int i = 0; i < 100; ++i) {
    hostile.push_back(std::make_unique<HttpConnection>(server_->metrics_address()));
    ASSERT_TRUE(hostile.back()->connected()) << i;
    if (i % 3 == 1) hostile.back()->Send("GET /metrics HT");
    if (i % 3 == 2) hostile.back()->Send(std::string(3000, '\xff'));
  }
  ASSERT_TRUE(call.Ask("blue 7"));
  EXPECT_EQ(call.ReadAnswer().text, "you said blue 7");
  hostile.clear();
  EXPECT_EQ(Value("antiphon_responses_total{kind=\"conversation\",status=\"completed\"}"), 1);
}

TEST_F(MetricsTest, AreNotServedUnlessAsked) {
  StartServer();
  EXPECT_EQ(server_->metrics_address(), "");
}

TEST_F(MetricsTest, AnAddressInUseIsSaid) {
  StartMetered();
  FakeEngine engine;
  const auto second =
      Server::Start(engine, {.listen = "127.0.0.1:0", .metrics_address = server_->metrics_address()});
  EXPECT_EQ(second.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(second.status().message(), HasSubstr(server_->metrics_address()));
  const auto third = Server::Start(engine, {.listen = "127.0.0.1:0", .metrics_address = "nowhere"});
  EXPECT_EQ(third.status().code(), StatusCode::kInvalidArgument);
}

// A metric's type, and the labels that its series have.
struct Described {
  std::string type;
  std::set<std::string> labels;

  friend bool operator==(const Described&, const Described&) = default;
};

void PrintTo(const Described& described, std::ostream* out) {
  *out << described.type;
  for (const std::string& label : described.labels) *out << ' ' << label;
}

using Catalogue = std::map<std::string, Described>;

// What the tables of docs/metrics.md promise: `| `name` | type | `label`, ... | meaning |`.
Catalogue Documented() {
  Catalogue catalogue;
  std::ifstream page(ANTIPHON_SOURCE_DIR "/docs/metrics.md");
  const std::regex row(R"(\| `(\w+)` \| (counter|gauge|histogram|summary) \|([^|]*)\|.*)");
  const std::regex quoted("`(\\w+)`");
  std::smatch found;
  for (std::string line; std::getline(page, line);) {
    if (!std::regex_match(line, found, row)) continue;
    Described& metric = catalogue[found[1]];
    metric.type = found[2];
    const std::string labels = found[3];
    for (std::sregex_iterator label(labels.begin(), labels.end(), quoted), end; label != end; ++label) {
      metric.labels.insert((*label)[1]);
    }
  }
  return catalogue;
}

Catalogue Served(const std::string& text) {
  Catalogue catalogue;
  Described* metric = nullptr;
  std::istringstream lines(text.substr(text.find("\r\n\r\n") + 4));
  const std::regex type("# TYPE (\\w+) (\\w+)");
  const std::regex label("(\\w+)=\"");
  std::smatch found;
  for (std::string line; std::getline(lines, line);) {
    if (std::regex_match(line, found, type)) {
      metric = &catalogue[found[1]];
      metric->type = found[2];
    } else if (metric != nullptr && line[0] != '#') {
      for (std::sregex_iterator name(line.begin(), line.end(), label), end; name != end; ++name) {
        if ((*name)[1] != "le" && (*name)[1] != "quantile") metric->labels.insert((*name)[1]);
      }
    }
  }
  return catalogue;
}

TEST_F(MetricsTest, WhatIsServedIsDocumentedAndWhatIsDocumentedIsServed) {
  StartMetered();
  const Catalogue documented = Documented();
  const Catalogue served = Served(Scrape());
  EXPECT_GT(served.size(), 25u);
  for (const auto& [name, metric] : served) {
    EXPECT_EQ(documented.count(name), 1u) << name << " is not in docs/metrics.md";
  }
  for (const auto& [name, metric] : documented) {
    const auto found = served.find(name);
    if (found == served.end()) {
      ADD_FAILURE() << name << " of docs/metrics.md is not served";
    } else {
      EXPECT_EQ(found->second, metric) << name;
    }
  }
}

}  // namespace
}  // namespace antiphon
