// The public engine records into a folder and replays what it finds there, with its threads, on fakes. Run it
// under ThreadSanitizer too.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "antiphon/engine.h"
#include "common/clock.h"
#include "engine/engine_impl.h"
#include "tests/engine/engine_bench.h"
#include "tests/engine/fake_model.h"
#include "tests/model/scratch_folder.h"

namespace antiphon {
namespace {

using testing::HasSubstr;

constexpr auto kPatience = std::chrono::seconds(30);  // for what should take milliseconds

Result<std::unique_ptr<Engine>> Start(const EngineOptions& options, uint32_t weights = 5) {
  const ModelConfig config = TinyConfig();
  auto model = std::make_unique<FakeModel>(config);
  model->answer_frames = 10;
  return StartEngine({std::move(model), std::make_unique<FakeCodec>(config), TinyTokenizer(config),
                      std::make_unique<FakeImageCodec>(config.image), weights},
                     options, SystemClock::Get());
}

std::vector<std::string> RecordingsIn(const std::string& folder) {
  std::vector<std::string> recordings;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::stringstream content;
    content << std::ifstream(entry.path(), std::ios::binary).rdbuf();
    recordings.push_back(content.str());
  }
  return recordings;
}

// A spoken and a typed turn.
void Talk(Engine& engine) {
  std::mutex mutex;
  std::condition_variable changed;
  int done = 0;
  auto sequence = engine.Open({}, [&](uint64_t, const SequenceEvent& event) {
    if (!std::holds_alternative<ResponseDone>(event)) return;
    const std::lock_guard lock(mutex);
    ++done;
    changed.notify_all();
  });
  ASSERT_TRUE(sequence.ok()) << sequence.status().ToString();
  const auto wait = [&](int count) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, kPatience, [&] { return done == count; });
  };
  const FakeCodec codec(TinyConfig());
  for (const int64_t code : {0, 7, 9, 1}) {
    ASSERT_TRUE((*sequence)->AppendFrame(codec.Sound(code), SystemClock::Get().Now()).ok());
  }
  ASSERT_TRUE(wait(1));
  ASSERT_TRUE((*sequence)->AppendText("and a typed one").ok());
  (*sequence)->EndTurn(TurnEndCause::kCommit);
  ASSERT_TRUE(wait(2));
}

TEST(EngineReplayTest, ReplaysWhatItRecordedEightAtATime) {
  const ScratchFolder scratch;
  EngineOptions options = EngineBench::SmallOptions();
  {
    options.record_folder = scratch.path() + "/recordings";
    auto engine = Start(options);
    ASSERT_TRUE(engine.ok()) << engine.status().ToString();
    Talk(**engine);
    Talk(**engine);
  }
  const std::vector<std::string> recordings = RecordingsIn(options.record_folder);
  ASSERT_EQ(recordings.size(), 2u) << "the warm-up is nobody's";

  options.record_folder.clear();
  auto engine = Start(options);
  ASSERT_TRUE(engine.ok());
  std::vector<std::unique_ptr<SessionReplay>> replays;
  for (size_t i = 0; i < 8; ++i) {
    auto replay = (*engine)->Replay(recordings[i % 2]);
    ASSERT_TRUE(replay.ok()) << replay.status().ToString();
    replays.push_back(std::move(replay).value());
  }
  EXPECT_EQ((*engine)->statistics().open_sequences, 8);
  Talk(**engine);  // beside them
  for (const auto& replay : replays) {
    const auto outcome = replay->Wait(std::chrono::steady_clock::now() + kPatience);
    ASSERT_TRUE(outcome.has_value());
    EXPECT_TRUE(outcome->equal()) << outcome->status.ToString();
    EXPECT_EQ(outcome->end, RecordingEnd::kClosed);
    EXPECT_EQ(outcome->counts.heard_frames, 4);
    EXPECT_GE(outcome->counts.spoken_frames, 20);
    EXPECT_EQ(outcome->recorded_with, outcome->replayed_with);
    EXPECT_THAT(outcome->replayed_with, HasSubstr("stored weights"));
  }
  replays.clear();
  EXPECT_EQ((*engine)->statistics().open_sequences, 0);
}

TEST(EngineReplayTest, RefusesWhatItCannotReplay) {
  const ScratchFolder scratch;
  EngineOptions options = EngineBench::SmallOptions();
  {
    options.record_folder = scratch.path();
    auto engine = Start(options);
    ASSERT_TRUE(engine.ok());
    Talk(**engine);
  }
  const std::string recording = RecordingsIn(scratch.path()).at(0);
  options.record_folder.clear();
  options.max_sequences = 1;
  {
    auto other = Start(options, /*weights=*/6);
    ASSERT_TRUE(other.ok());
    const Status status = (*other)->Replay(recording).status();
    EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
    EXPECT_THAT(status.message(), HasSubstr("weights 5"));
  }
  auto engine = Start(options);
  ASSERT_TRUE(engine.ok());
  EXPECT_EQ((*engine)->Replay("garbage").status().code(), StatusCode::kInvalidArgument);
  const auto open = (*engine)->Open({}, [](uint64_t, const SequenceEvent&) {});
  ASSERT_TRUE(open.ok());
  EXPECT_EQ((*engine)->Replay(recording).status().code(), StatusCode::kResourceExhausted);
}

TEST(EngineReplayTest, RefusesOptionsItCannotRecordWith) {
  const ScratchFolder scratch;
  EngineOptions options = EngineBench::SmallOptions();
  options.record_folder = scratch.Write("file", "x");
  EXPECT_EQ(Start(options).status().code(), StatusCode::kFailedPrecondition);
  options.record_folder.clear();
  options.max_recording_bytes = 10;
  const Status status = Start(options).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("max_recording_bytes"));
}

}  // namespace
}  // namespace antiphon
