// Users who stay on the line, against a scripted server on a real socket.
#include "bench/capacity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <filesystem>

#include "bench/server_account.h"
#include "common/metrics_endpoint.h"
#include "media/wav.h"
#include "tests/client/scripted_server.h"

namespace antiphon::bench {
namespace {

using std::chrono::milliseconds;
using testing::AnsweringScript;
using testing::Call;
using ::testing::HasSubstr;
using testing::ScriptedServer;

constexpr int kRate = 16000;

class Listener final : public CapacityListener {
 public:
  void OnBegin() override { ++begun; }
  void OnEnd() override { ++ended; }
  int begun = 0;
  int ended = 0;
};

class CapacityTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/antiphon_capacity_XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    std::vector<float> tone(kRate * 3 / 10);
    for (size_t i = 0; i < tone.size(); ++i)
      tone[i] = 0.3f * static_cast<float>(std::sin(0.1 * static_cast<double>(i)));
    ASSERT_TRUE(WriteWav(folder_ + "/tone.wav", tone, kRate).ok());
    Question question;
    question.wav = folder_ + "/tone.wav";
    questions_ = {question};
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static CapacityOptions Quick(const std::string& server) {
    CapacityOptions options;
    options.server = server;
    options.call_every = milliseconds(1);
    options.turn_every = milliseconds(700);
    options.measured = milliseconds(1500);
    return options;
  }

  std::string folder_;
  std::vector<Question> questions_;
};

TEST_F(CapacityTest, EverybodyStaysOnTheLineAndIsTimed) {
  std::atomic<int> calls = 0;
  const auto answering = AnsweringScript(kRate);
  const ScriptedServer server([&](Call& call) {
    ++calls;
    return answering(call);
  });
  CapacityOptions options = Quick(server.target());
  options.sessions = 3;
  Listener listener;
  const auto load = RunCapacity(questions_, options, &listener);
  ASSERT_TRUE(load.ok()) << load.status().ToString();
  EXPECT_EQ(load->admitted, 3);
  EXPECT_EQ(calls, 3) << "one call each, however many turns";
  EXPECT_TRUE(load->failures.empty()) << load->failures.front().ToString();
  EXPECT_GE(load->turns, 3);
  EXPECT_EQ(load->turn_ms.count() + static_cast<size_t>(load->cut_ins), static_cast<size_t>(load->turns));
  EXPECT_EQ(listener.begun, 1);
  EXPECT_EQ(listener.ended, 1);
}

TEST_F(CapacityTest, NobodyCallsAfterTheFirstRefusal) {
  std::atomic<int> calls = 0;
  const auto answering = AnsweringScript(kRate);
  const ScriptedServer server([&](Call& call) {
    if (++calls <= 2) return answering(call);
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full");
  });
  CapacityOptions options = Quick(server.target());
  options.sessions = 20;
  options.until_refused = true;
  Listener listener;
  const auto load = RunCapacity(questions_, options, &listener);
  ASSERT_TRUE(load.ok()) << load.status().ToString();
  EXPECT_EQ(load->admitted, 2);
  ASSERT_EQ(load->refusals.size(), 1u);
  EXPECT_EQ(load->refusals[0].code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(calls, 3);
}

TEST_F(CapacityTest, AServerThatTakesNobodyIsAnError) {
  const ScriptedServer server(
      [](Call&) { return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full"); });
  Listener listener;
  const auto load = RunCapacity(questions_, Quick(server.target()), &listener);
  EXPECT_EQ(load.status().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(listener.begun, 0);
}

TEST_F(CapacityTest, RecordingsAreNeeded) {
  Listener listener;
  Question typed;
  typed.text = "hello";
  EXPECT_EQ(RunCapacity({typed}, {}, &listener).status().code(), StatusCode::kInvalidArgument);
}

TEST(ServerAccountTest, ReadsASeriesByItsWholeName) {
  const std::string text = "# TYPE a counter\na 5\na_total 7\na_total{kind=\"x\"} 9\n";
  EXPECT_EQ(MetricValue(text, "a"), 5);
  EXPECT_EQ(MetricValue(text, "a_total"), 7);
  EXPECT_EQ(MetricValue(text, "a_total{kind=\"x\"}"), 9);
  EXPECT_EQ(MetricValue(text, "b"), std::nullopt);
}

TEST(ServerAccountTest, FetchesFromARealEndpoint) {
  const auto endpoint = MetricsEndpoint::Start("127.0.0.1:0", {});
  ASSERT_TRUE(endpoint.ok()) << endpoint.status().ToString();
  std::string address = (*endpoint)->address();
  if (const size_t scheme = address.find("//"); scheme != std::string::npos) address.erase(0, scheme + 2);
  if (const size_t path = address.find('/'); path != std::string::npos) address.erase(path);
  const auto account = ReadAccount(address, getpid());
  EXPECT_EQ(account.status().code(), StatusCode::kDataLoss);
  EXPECT_THAT(account.status().message(), HasSubstr("antiphon_")) << "what is missing is named, not 0";
}

TEST(ServerAccountTest, SaysWhatIsWrongWithAnAddress) {
  EXPECT_THAT(FetchMetrics("nowhere").status().message(), HasSubstr("\"nowhere\""));
  EXPECT_EQ(FetchMetrics("127.0.0.1:1").status().code(), StatusCode::kUnavailable);
}

TEST(ServerAccountTest, CountsTheTimeOfAProcess) {
  const auto by_the_kernel = [] {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  };
  volatile double sum = 0;
  for (const double end = by_the_kernel() + 0.2; by_the_kernel() < end;) sum = sum + 1;
  // It counts in ticks of 10 ms.
  EXPECT_NEAR(CpuSeconds(getpid()), by_the_kernel(), 0.05);
  EXPECT_EQ(CpuSeconds(-1), 0);
}

}  // namespace
}  // namespace antiphon::bench
