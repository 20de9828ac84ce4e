#include "common/metrics_endpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/logging.h"
#include "tests/common/exposition.h"
#include "tests/common/http_connection.h"

namespace antiphon {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

using prometheus::Registry;

prometheus::Counter& CounterOf(Registry& registry, const std::string& name, const std::string& help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

// One endpoint for all tests, because it takes seconds to end.
class MetricsEndpointTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    SetLogLevel(LogLevel::kError);
    auto endpoint = MetricsEndpoint::Start("127.0.0.1:0", {first_, second_});
    ASSERT_TRUE(endpoint.ok()) << endpoint.status().ToString();
    endpoint_ = std::move(*endpoint);
  }
  static void TearDownTestSuite() { endpoint_.reset(); }

  static std::string Get(const std::string& path = "/metrics") { return HttpGet(endpoint_->address(), path); }
  static void ExpectServed() { EXPECT_EQ(ValueOf(Get(), "apples_total"), apples_.Value()); }

  static inline const auto first_ = std::make_shared<Registry>();
  static inline const auto second_ = std::make_shared<Registry>();
  static inline prometheus::Counter& apples_ = CounterOf(*first_, "apples_total", "Apples eaten");
  static inline prometheus::Counter& pears_ = CounterOf(*second_, "pears_total", "Pears eaten");
  static inline std::unique_ptr<MetricsEndpoint> endpoint_;
};

TEST_F(MetricsEndpointTest, ServesWhatItsSourcesHaveNow) {
  EXPECT_THAT(endpoint_->address(), StartsWith("127.0.0.1:"));
  const double apples = apples_.Value();
  const std::string first = Get();
  EXPECT_THAT(first, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(first, HasSubstr("Content-Type: text/plain"));
  EXPECT_THAT(first, HasSubstr("# HELP apples_total Apples eaten\n# TYPE apples_total counter\n"));
  EXPECT_EQ(ValueOf(first, "apples_total"), apples);
  apples_.Increment(3);
  pears_.Increment();
  const std::string later = Get();
  EXPECT_EQ(ValueOf(later, "apples_total"), apples + 3);
  EXPECT_EQ(ValueOf(later, "pears_total"), pears_.Value());
}

TEST_F(MetricsEndpointTest, NothingElseIsServed) {
  for (const char* path :
       {"/", "/etc/passwd", "/metrics/../../etc/passwd", "/%2e%2e/etc/passwd", "/metric"}) {
    EXPECT_THAT(Get(path), HasSubstr(" 404 ")) << path;
  }
  for (const char* method : {"POST", "PUT", "DELETE"}) {
    HttpConnection connection(endpoint_->address());
    ASSERT_TRUE(connection.Send(std::string(method) +
                                " /metrics HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\nx"));
    EXPECT_THAT(connection.ReadAll(), testing::ContainsRegex("^HTTP/1.1 4[0-9][0-9] ")) << method;
  }
  ExpectServed();
}

TEST_F(MetricsEndpointTest, GarbageIsRefused) {
  std::string bytes;
  for (int i = 0; i < 5000; ++i) bytes += static_cast<char>(i * 37 % 251);
  for (const std::string& garbage :
       {bytes, std::string(64, '\0'), std::string("GET\r\n\r\n"), std::string("\r\n\r\n\r\n"),
        std::string("GET /metrics HTTP/9.9\r\n\r\n"), std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")}) {
    HttpConnection connection(endpoint_->address());
    ASSERT_TRUE(connection.connected());
    connection.Send(garbage);
    EXPECT_THAT(connection.ReadAll(), testing::Not(HasSubstr("apples_total")));
    ExpectServed();
  }
}

TEST_F(MetricsEndpointTest, AHeadOverItsSizeIsRefused) {
  HttpConnection connection(endpoint_->address());
  ASSERT_TRUE(connection.Send("GET /metrics HTTP/1.1\r\n"));
  connection.Send("X-Long: " + std::string(1024 * 1024, 'x') + "\r\n\r\n");
  EXPECT_THAT(connection.ReadAll(), testing::Not(HasSubstr("apples_total")));
  ExpectServed();
}

TEST_F(MetricsEndpointTest, AClientThatSaysNothingIsCutOff) {
  HttpConnection silent(endpoint_->address());
  HttpConnection slow(endpoint_->address());
  ASSERT_TRUE(slow.Send("GET /metr"));
  EXPECT_THAT(slow.ReadAll(), testing::Not(HasSubstr("apples_total")));  // waits for the end
  EXPECT_THAT(silent.ReadAll(), testing::Not(HasSubstr("apples_total")));
  ExpectServed();
}

TEST_F(MetricsEndpointTest, ManyConnectionsPass) {
  {
    std::vector<std::unique_ptr<HttpConnection>> connections;
    for (int i = 0; i < 100; ++i) {
      connections.push_back(std::make_unique<HttpConnection>(endpoint_->address()));
      ASSERT_TRUE(connections.back()->connected()) << i;
    }
  }
  ExpectServed();
}

TEST_F(MetricsEndpointTest, EndsWhileClientsAreConnected) {
  auto endpoint = MetricsEndpoint::Start("localhost:0", {first_});
  ASSERT_TRUE(endpoint.ok()) << endpoint.status().ToString();
  const std::string name = "localhost:";
  ASSERT_THAT((*endpoint)->address(), StartsWith(name));
  const std::string address = "127.0.0.1:" + (*endpoint)->address().substr(name.size());
  EXPECT_EQ(ValueOf(HttpGet(address, "/metrics"), "apples_total"), apples_.Value());
  HttpConnection silent(address);
  HttpConnection slow(address);
  ASSERT_TRUE(slow.Send("GET /metr"));
  endpoint->reset();
  EXPECT_EQ(HttpGet(address, "/metrics"), "");
}

TEST_F(MetricsEndpointTest, CountingGoesOnWhileItIsRead) {
  std::atomic<bool> done{false};
  std::thread counting([&] {
    while (!done) apples_.Increment();
  });
  double last = 0;
  for (int i = 0; i < 50; ++i) {
    const auto apples = ValueOf(Get(), "apples_total");
    ASSERT_TRUE(apples);
    EXPECT_GE(*apples, last);
    last = *apples;
  }
  done = true;
  counting.join();
  ExpectServed();
}

TEST_F(MetricsEndpointTest, AnAddressInUseIsSaid) {
  const auto second = MetricsEndpoint::Start(endpoint_->address(), {first_});
  EXPECT_EQ(second.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(second.status().message(), HasSubstr(endpoint_->address()));
}

TEST_F(MetricsEndpointTest, AHostThatIsNotThisMachineIsSaid) {
  const auto elsewhere = MetricsEndpoint::Start("192.0.2.1:0", {first_});
  EXPECT_EQ(elsewhere.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(elsewhere.status().message(), HasSubstr("192.0.2.1:0"));
}

TEST(MetricsAddressTest, IsHostAndPort) {
  for (const char* good : {"127.0.0.1:9464", "0.0.0.0:0", "localhost:65535", "metrics-1.example:80"}) {
    EXPECT_TRUE(MetricsEndpoint::CheckAddress(good).ok()) << good;
  }
  for (const char* bad :
       {"", "9464", ":9464", "+9464", "localhost", "localhost:", "localhost:http", "localhost:65536",
        "localhost:-1", "localhost:1.5", "localhost: 80", "localhost:80s", "localhost:80r",
        "localhost:80,localhost:81", "local host:80", "[::1]:80", "x:99999999999999999999"}) {
    const Status status = MetricsEndpoint::CheckAddress(bad);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << bad;
    EXPECT_THAT(status.message(), HasSubstr("\"" + std::string(bad) + "\""));
    EXPECT_EQ(MetricsEndpoint::Start(bad, {}).status(), status);
  }
}

}  // namespace
}  // namespace antiphon
