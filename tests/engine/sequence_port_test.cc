#include "engine/sequence_port.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <thread>
#include <utility>
#include <variant>

#include "engine/sequence_options.h"

namespace antiphon {
namespace {

using std::chrono::milliseconds;

HeardFrame Frame() { return {{0.0f}, {}}; }
TypedText Text(size_t pieces) { return {"text", std::vector<int64_t>(pieces, 7), {}}; }

SequencePort PortWithLimits(int64_t frames, int64_t pieces) {
  return {{.frames = frames, .pieces = pieces}, [](uint64_t, const SequenceEvent&) {}};
}

TEST(SequencePortTest, LimitsHoldUntilGivenBack) {
  SequencePort port = PortWithLimits(2, 10);
  EXPECT_TRUE(port.Post(Frame()).ok());
  EXPECT_TRUE(port.Post(Frame()).ok());
  EXPECT_EQ(port.Post(Frame()).code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(port.Post(Text(8)).ok());
  EXPECT_EQ(port.Post(Text(3)).code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(port.Post(Text(2)).ok());

  std::deque<SequenceRequest> requests;
  port.TakeRequests(&requests);
  EXPECT_EQ(requests.size(), 4u);
  EXPECT_EQ(port.Post(Frame()).code(), StatusCode::kResourceExhausted);  // taken is not yet run
  port.GiveBack(1, 8);
  EXPECT_TRUE(port.Post(Frame()).ok());
  EXPECT_TRUE(port.Post(Text(8)).ok());
}

TEST(SequencePortTest, APictureWaitsWithTheText) {
  SequencePort port = PortWithLimits(2, 10);
  const ShownImage image{std::vector<int64_t>(6, 7), {}};
  EXPECT_TRUE(port.Post(image).ok());
  EXPECT_EQ(port.Post(Text(5)).code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(port.Post(image).code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(port.Post(Text(4)).ok());
  EXPECT_TRUE(port.Post(TurnEndRequest{}).ok());
  port.GiveBack(0, 6);
  EXPECT_TRUE(port.Post(image).ok());
}

TEST(SequencePortTest, SignalsAreAlwaysTakenAndNeverPileUp) {
  SequencePort port = PortWithLimits(1, 1);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(port.Post(TurnEndRequest{}).ok());
    EXPECT_TRUE(port.Post(ConfigureRequest{}).ok());
    EXPECT_TRUE(port.Post(DeclareRequest{}).ok());
    EXPECT_TRUE(port.Post(CancelRequest{}).ok());
    EXPECT_TRUE(port.Post(ClearRequest{}).ok());
    EXPECT_TRUE(port.Post(PaceRequest{i, {}}).ok());
  }
  std::deque<SequenceRequest> requests;
  port.TakeRequests(&requests);
  EXPECT_LE(requests.size(), 8u);
  EXPECT_TRUE(std::holds_alternative<TurnEndRequest>(requests.front()));
  EXPECT_EQ(std::get<PaceRequest>(requests.back()).frames, 999);
}

TEST(SequencePortTest, ClearsAreCountedAndTheNewestCancelStays) {
  std::deque<SequenceRequest> requests;
  AppendOrMerge(CancelRequest{}, &requests);
  for (int i = 0; i < 3; ++i) AppendOrMerge(ClearRequest{}, &requests);
  AppendOrMerge(TurnEndRequest{}, &requests);
  AppendOrMerge(TurnEndRequest{}, &requests);
  AppendOrMerge(CancelRequest{}, &requests);
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(std::get<ClearRequest>(requests[0]).calls, 3);
  EXPECT_TRUE(std::holds_alternative<TurnEndRequest>(requests[1]));
  EXPECT_TRUE(std::holds_alternative<CancelRequest>(requests[2]));
  AppendOrMerge(Text(1), &requests);
  AppendOrMerge(ClearRequest{}, &requests);
  EXPECT_EQ(requests.size(), 5u) << "what an input separates is not merged";
}

TEST(SequencePortTest, TheNewestOptionsCountButNotForWhatCameBefore) {
  std::deque<SequenceRequest> requests;
  SequenceOptions options;
  for (const int frames : {1, 2}) {
    options.max_response_frames = frames;
    AppendOrMerge(ConfigureRequest{options}, &requests);
  }
  AppendOrMerge(TurnEndRequest{}, &requests);
  options.max_response_frames = 3;
  AppendOrMerge(ConfigureRequest{options}, &requests);
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(std::get<ConfigureRequest>(requests[0]).options.max_response_frames, 2);
  EXPECT_EQ(std::get<ConfigureRequest>(requests[2]).options.max_response_frames, 3);
}

TEST(SequencePortTest, TheNewestFunctionsStay) {
  std::deque<SequenceRequest> requests;
  AppendOrMerge(DeclareRequest{{7}}, &requests);
  AppendOrMerge(ConfigureRequest{}, &requests);
  AppendOrMerge(DeclareRequest{{8}}, &requests);
  AppendOrMerge(Text(1), &requests);
  AppendOrMerge(DeclareRequest{{9}}, &requests);
  ASSERT_EQ(requests.size(), 4u);
  EXPECT_EQ(std::get<DeclareRequest>(requests[1]).pieces, std::vector<int64_t>{8});
  EXPECT_EQ(std::get<DeclareRequest>(requests[3]).pieces, std::vector<int64_t>{9}) << "of the next turn";
}

TEST(SequencePortTest, OptionsDoNotPileUpBetweenOtherSignals) {
  std::deque<SequenceRequest> requests;
  SequenceOptions options;
  for (int i = 1; i <= 100; ++i) {
    options.max_response_frames = i;
    AppendOrMerge(ConfigureRequest{options}, &requests);
    AppendOrMerge(ClearRequest{}, &requests);
    AppendOrMerge(CancelRequest{}, &requests);
  }
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(std::get<ConfigureRequest>(requests[0]).options.max_response_frames, 100);
  EXPECT_EQ(std::get<ClearRequest>(requests[1]).calls, 100);
}

TEST(SequencePortTest, NothingIsDeliveredAfterClose) {
  int delivered = 0;
  SequencePort port({}, [&](uint64_t, const SequenceEvent&) { ++delivered; });
  port.Deliver(1, TranscriptDelta{"a"});
  port.Close();
  port.Deliver(1, TranscriptDelta{"b"});
  EXPECT_EQ(delivered, 1);
  EXPECT_TRUE(port.closed());
}

TEST(SequencePortTest, CloseWaitsForTheListenerThatIsRunning) {
  std::atomic<bool> entered = false;
  std::atomic<bool> returned = false;
  SequencePort port({}, [&](uint64_t, const SequenceEvent&) {
    entered = true;
    std::this_thread::sleep_for(milliseconds(50));
    returned = true;
  });
  std::thread engine([&] { port.Deliver(1, TranscriptDelta{"a"}); });
  while (!entered) std::this_thread::yield();
  port.Close();
  EXPECT_TRUE(returned);
  engine.join();
}

TEST(SequencePortTest, AListenerMayPost) {
  SequencePort* self = nullptr;
  SequencePort port({},
                    [&](uint64_t, const SequenceEvent&) { EXPECT_TRUE(self->Post(CancelRequest{}).ok()); });
  self = &port;
  port.Deliver(1, TranscriptDelta{"a"});
  std::deque<SequenceRequest> requests;
  port.TakeRequests(&requests);
  EXPECT_EQ(requests.size(), 1u);
}

TEST(SequenceOptionsTest, RangesAreNamed) {
  SequenceOptions options;
  EXPECT_TRUE(Validate(options).ok());
  options.sampling.temperature = 3;
  EXPECT_THAT(Validate(options).message(), testing::HasSubstr("sampling.temperature is 3, must be 0 to 2"));
  options.max_response_images = 5;
  EXPECT_THAT(Validate(options).message(), testing::HasSubstr("max_response_images is 5, must be 0 to 4"));
  options.sampling.temperature = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(Validate(options).code(), StatusCode::kInvalidArgument);
  options.sampling.top_k = 20000;
  options.max_response_frames = 0;
  EXPECT_TRUE(Validate(Clamped(options)).ok());
  EXPECT_EQ(Clamped(options).sampling.top_k, 10000);
  options.max_response_images = 5;
  EXPECT_EQ(Clamped(options).max_response_images, 4);
  options.max_response_images = -1;
  EXPECT_EQ(Clamped(options).max_response_images, 0);
  options.unpaced_frames = -1;
  EXPECT_EQ(Clamped(options).unpaced_frames, 0);
  options.unpaced_frames = 100'001;
  EXPECT_EQ(Clamped(options).unpaced_frames, 100'000);

  EngineOptions engine;
  EXPECT_TRUE(Validate(engine).ok());
  engine.max_sequences = 0;
  EXPECT_THAT(Validate(engine).message(), testing::HasSubstr("max_sequences"));
}

}  // namespace
}  // namespace antiphon
