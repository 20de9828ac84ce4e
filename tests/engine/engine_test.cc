// The public engine, with its thread, on fakes: what only shows when threads meet. Run it under
// ThreadSanitizer too.
#include "antiphon/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "common/clock.h"
#include "engine/engine_impl.h"
#include "tests/engine/engine_bench.h"
#include "tests/engine/fake_model.h"

namespace antiphon {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr auto kPatience = std::chrono::seconds(30);  // for what should take milliseconds

EngineModules Fakes(std::function<void(const RaggedBatch&)> on_forward = {}) {
  const ModelConfig config = TinyConfig();
  auto model = std::make_unique<FakeModel>(config);
  model->answer_frames = 30;
  model->on_forward = std::move(on_forward);
  return {std::move(model), std::make_unique<FakeCodec>(config), TinyTokenizer(config),
          std::make_unique<FakeImageCodec>(config.image)};
}

// Of a model that knows no pictures.
EngineModules FakesWithoutImages() {
  ModelConfig config = TinyConfig();
  config.image = {};
  return {std::make_unique<FakeModel>(config), std::make_unique<FakeCodec>(config), TinyTokenizer(config),
          nullptr};
}

std::unique_ptr<Engine> Start(EngineModules modules, EngineOptions options = EngineBench::SmallOptions()) {
  auto engine = StartEngine(std::move(modules), options, SystemClock::Get());
  EXPECT_TRUE(engine.ok()) << engine.status().ToString();
  return engine.ok() ? std::move(engine).value() : nullptr;
}

// What one sequence was told; may be waited for.
class Diary {
 public:
  SequenceListener listener() {
    return [this](uint64_t turn, const SequenceEvent& event) {
      if (std::holds_alternative<RoomForFrames>(event)) return;  // when depends on the machine
      const std::lock_guard lock(mutex_);
      told_.push_back(Describe(turn, event));
      changed_.notify_all();
    };
  }

  [[nodiscard]] bool WaitFor(const std::string& part) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] {
      return std::any_of(told_.begin(), told_.end(),
                         [&](const std::string& event) { return event.find(part) != std::string::npos; });
    });
  }

  std::vector<std::string> told() const {
    const std::lock_guard lock(mutex_);
    return told_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> told_;
};

void Ask(Sequence& sequence, int64_t variant) {
  const FakeCodec codec(TinyConfig());
  for (const int64_t code : {int64_t{0}, 2 + variant, int64_t{0}, 11 + variant, int64_t{1}}) {
    EXPECT_EQ(sequence.AppendFrame(codec.Sound(code), SystemClock::Get().Now()), OkStatus());
  }
}

bool BecomesTrue(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return true;
}

TEST(EngineTest, DescribesTheModel) {
  const auto engine = Start(Fakes());
  EXPECT_EQ(engine->model().name, "tiny");
  EXPECT_EQ(engine->model().frame_samples, 1280);
  EXPECT_EQ(engine->model().vocabulary_size, 84);
  EXPECT_EQ(engine->model().image_side, 24);
  EXPECT_EQ(engine->model().image_grid, 3);
  EXPECT_EQ(engine->model().codebook_sizes, (std::vector<int>{40, 24, 28, 20}));
}

TEST(EngineTest, StartsWithCountersAtZeroAndItsPagesFree) {
  const auto engine = Start(Fakes());
  EXPECT_EQ(engine->statistics().steps, 0u);
  EXPECT_EQ(engine->statistics().pages_in_use, 0);
  EXPECT_EQ(engine->statistics().open_sequences, 0);
}

TEST(EngineTest, RefusesBadOptionsAndAModelThatCannotRun) {
  EngineOptions options;
  options.kv_pages = -1;
  EXPECT_EQ(StartEngine(Fakes(), options, SystemClock::Get()).status().code(), StatusCode::kInvalidArgument);
  options = {};
  options.speculative_steps = 65;
  const Status steps = StartEngine(Fakes(), options, SystemClock::Get()).status();
  EXPECT_EQ(steps.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(steps.message(), HasSubstr("speculative_steps"));
  const auto broken = [](const RaggedBatch&) { throw std::runtime_error("no such kernel"); };
  const Status status = StartEngine(Fakes(broken), EngineBench::SmallOptions(), SystemClock::Get()).status();
  EXPECT_EQ(status.code(), StatusCode::kInternal);
  EXPECT_THAT(status.message(), HasSubstr("no such kernel"));
}

TEST(EngineTest, RefusesAnImageCodecThatIsNotTheModels) {
  const auto code = [](EngineModules modules) {
    return StartEngine(std::move(modules), EngineBench::SmallOptions(), SystemClock::Get()).status().code();
  };
  EngineModules missing = Fakes();
  missing.image_codec = nullptr;
  EXPECT_EQ(code(std::move(missing)), StatusCode::kInvalidArgument);
  EngineModules unasked = FakesWithoutImages();
  unasked.image_codec = std::make_unique<FakeImageCodec>(TinyConfig().image);
  EXPECT_EQ(code(std::move(unasked)), StatusCode::kInvalidArgument);
  EngineModules other = Fakes();
  ImageShape shape = TinyConfig().image;
  shape.codebook_size = 11;
  other.image_codec = std::make_unique<FakeImageCodec>(shape);
  EXPECT_EQ(code(std::move(other)), StatusCode::kInvalidArgument);
}

TEST(EngineTest, AMissingFolderIsNotFound) {
  EXPECT_EQ(Engine::Create("/nonexistent", {}).status().code(), StatusCode::kNotFound);
}

TEST(EngineTest, InputIsChecked) {
  const auto engine = Start(Fakes());
  Diary diary;
  const auto sequence = engine->Open({}, diary.listener()).value();
  EXPECT_EQ(sequence->AppendFrame(std::vector<float>(7), {}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(sequence->AppendText("").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(sequence->AppendText("\xff\xfe").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(sequence->AppendText(std::string(5000, 'a')).code(), StatusCode::kInvalidArgument);
  SequenceOptions options;
  options.sampling.top_p = 0;
  EXPECT_EQ(engine->Open(options, diary.listener()).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(engine->Open({}, nullptr).status().code(), StatusCode::kInvalidArgument);
}

// Squares of red 0 to 8 on white.
Image Wide() {
  Image image{.width = 48, .height = 24, .rgb = std::vector<uint8_t>(3 * 48 * 24, 255)};
  for (int row = 1; row < 23; ++row) {
    for (int column = 12; column < 36; ++column) {
      const auto value = static_cast<uint8_t>(row / 8 * 3 + (column - 12) / 8);
      std::fill_n(image.rgb.begin() + 3 * (row * 48 + column), 3, value);
    }
  }
  return image;
}

TEST(EngineTest, APictureIsFittedEncodedAndRead) {
  std::mutex mutex;
  std::vector<int64_t> symbols;
  const auto engine = Start(Fakes([&](const RaggedBatch& batch) {
    const std::lock_guard lock(mutex);
    symbols.insert(symbols.end(), batch.symbols.begin(), batch.symbols.end());
  }));
  {
    const std::lock_guard lock(mutex);
    symbols.clear();  // of the warm-up
  }
  Diary diary;
  const auto sequence = engine->Open({}, diary.listener()).value();
  const Image square = engine->PaintImage(std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8}).value();
  ASSERT_EQ(sequence->AppendImage(square), OkStatus());
  ASSERT_EQ(sequence->AppendImage(Wide()), OkStatus());
  sequence->EndTurn(TurnEndCause::kCommit);
  ASSERT_TRUE(diary.WaitFor("1 done completed"));
  EXPECT_EQ(diary.told().front(), "1 ended commit '' 0+0+2 images");
  const std::lock_guard lock(mutex);
  // White is 255, which the codec makes a code 3 of; the second picture has it above, below and beside.
  const std::vector<int64_t> expected = {2,  4,  65, 70, 71, 72, 73, 74, 75, 76, 77, 78,
                                         66, 65, 73, 73, 73, 73, 70, 72, 73, 76, 78, 66};
  ASSERT_GE(symbols.size(), expected.size());
  symbols.resize(expected.size());
  EXPECT_EQ(symbols, expected);
}

TEST(EngineTest, PicturesAreChecked) {
  const auto engine = Start(Fakes());
  Diary diary;
  const auto sequence = engine->Open({}, diary.listener()).value();
  const Image bad[] = {{},
                       {.width = 24, .height = 24, .rgb = {1, 2, 3}},
                       {.width = -3, .height = 2, .rgb = {}},
                       {.width = 65537, .height = 1, .rgb = std::vector<uint8_t>(3 * 65537)}};
  for (const Image& image : bad) {
    EXPECT_EQ(sequence->AppendImage(image).code(), StatusCode::kInvalidArgument) << image.width;
  }
  SequenceOptions options;
  options.max_response_images = 5;
  EXPECT_EQ(engine->Open(options, diary.listener()).status().code(), StatusCode::kInvalidArgument);
}

TEST(EngineTest, APictureIsPaintedFromAnyThread) {
  const auto engine = Start(Fakes());
  std::vector<std::thread> threads;
  for (int code = 0; code < 3; ++code) {
    threads.emplace_back([&, code] {
      const Image image = engine->PaintImage(std::vector<int>{code}).value();
      EXPECT_EQ(image.width, 24);
      EXPECT_EQ(image.height, 24);
      EXPECT_EQ(image.rgb.front(), code);
      EXPECT_EQ(image.rgb.back(), 255) << "what is missing is blank";
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(EngineTest, AModelWithoutPicturesSaysSo) {
  const auto engine = Start(FakesWithoutImages());
  Diary diary;
  const auto sequence = engine->Open({}, diary.listener()).value();
  EXPECT_EQ(engine->model().image_side, 0);
  EXPECT_EQ(engine->model().image_grid, 0);
  EXPECT_EQ(sequence->AppendImage(Wide()).code(), StatusCode::kUnimplemented);
  EXPECT_EQ(engine->PaintImage({}).status().code(), StatusCode::kUnimplemented);
  Ask(*sequence, 1);
  EXPECT_TRUE(diary.WaitFor("1 done completed"));
}

TEST(EngineTest, AnImageCodecThatThrowsIsAnError) {
  EngineModules modules = Fakes();
  auto codec = std::make_unique<FakeImageCodec>(TinyConfig().image);
  codec->broken = true;
  modules.image_codec = std::move(codec);
  const auto engine = Start(std::move(modules));
  Diary diary;
  const auto sequence = engine->Open({}, diary.listener()).value();
  EXPECT_EQ(sequence->AppendImage(Wide()).code(), StatusCode::kInternal);
  EXPECT_EQ(engine->PaintImage({}).status().code(), StatusCode::kInternal);
}

TEST(EngineTest, OpensNoMoreThanItsLimit) {
  EngineOptions options = EngineBench::SmallOptions();
  options.max_sequences = 2;
  const auto engine = Start(Fakes(), options);
  Diary diary;
  auto first = engine->Open({}, diary.listener()).value();
  const auto second = engine->Open({}, diary.listener()).value();
  EXPECT_EQ(engine->Open({}, diary.listener()).status().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(engine->statistics().open_sequences, 2);
  first.reset();
  EXPECT_TRUE(engine->Open({}, diary.listener()).ok());
}

TEST(EngineTest, AForkIsASequenceOfItsOwnBesideTheLimit) {
  EngineOptions options = EngineBench::SmallOptions();
  options.max_sequences = 1;
  const auto engine = Start(Fakes(), options);
  Diary diary;
  auto original = engine->Open({}, diary.listener()).value();
  Ask(*original, 0);
  ASSERT_TRUE(diary.WaitFor("1 done completed"));
  const int pages = engine->statistics().pages_in_use;
  auto fork = original->Fork({.first_turn = 100}).value();
  EXPECT_EQ(engine->statistics().open_sequences, 1);
  Ask(*fork, 1);
  Ask(*original, 2);
  EXPECT_TRUE(diary.WaitFor("100 done completed"));
  EXPECT_TRUE(diary.WaitFor("2 done completed"));
  fork.reset();
  original.reset();
  EXPECT_TRUE(BecomesTrue([&] { return engine->statistics().pages_in_use == 0; })) << pages;
  EXPECT_EQ(engine->statistics().open_sequences, 0);
}

TEST(EngineTest, ForksAreFew) {
  const auto engine = Start(Fakes());
  Diary diary;
  const auto original = engine->Open({}, diary.listener()).value();
  EXPECT_EQ(original->Fork({.first_turn = 0}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(original->Fork({.heard_frames = -1}).status().code(), StatusCode::kInvalidArgument);
  auto fork = original->Fork({.first_turn = 100}).value();
  EXPECT_EQ(original->Fork({.first_turn = 200}).status().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(fork->Fork({.first_turn = 200}).status().code(), StatusCode::kFailedPrecondition);
  fork.reset();
  fork = original->Fork({.first_turn = 200}).value();
  Ask(*fork, 3);
  EXPECT_TRUE(diary.WaitFor("200 done completed"));
}

TEST(EngineTest, SequencesOnManyThreadsGetTheirOwnAnswers) {
  const auto engine = Start(Fakes());
  const auto answer = [&](int64_t variant) {
    Diary diary;
    const auto sequence = engine->Open({}, diary.listener()).value();
    Ask(*sequence, variant);
    EXPECT_TRUE(diary.WaitFor("1 done completed"));
    return diary.told();
  };
  std::vector<std::vector<std::string>> alone;
  for (int64_t i = 0; i < 4; ++i) alone.push_back(answer(i));
  std::vector<std::thread> threads;
  for (int64_t i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 5; ++round) EXPECT_EQ(answer(i), alone[static_cast<size_t>(i)]);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(BecomesTrue([&] { return engine->statistics().pages_in_use == 0; }));
  EXPECT_EQ(engine->statistics().open_sequences, 0);
}

TEST(EngineTest, ASequenceMayGoWhileItIsAnswering) {
  const auto engine = Start(Fakes([](const RaggedBatch&) { std::this_thread::sleep_for(milliseconds(1)); }));
  Diary bystander;
  const auto staying = engine->Open({}, bystander.listener()).value();
  Ask(*staying, 0);
  for (int round = 0; round < 20; ++round) {
    std::atomic<bool> gone = false;
    std::atomic<bool> called_late = false;
    Diary diary;
    auto sequence = engine
                        ->Open({},
                               [&, listener = diary.listener()](uint64_t turn, SequenceEvent event) {
                                 if (gone) called_late = true;
                                 listener(turn, std::move(event));
                               })
                        .value();
    Ask(*sequence, round);
    if (round % 2 == 0) {
      EXPECT_TRUE(diary.WaitFor("audio"));
    }
    sequence.reset();
    gone = true;
    std::this_thread::sleep_for(milliseconds(2));
    EXPECT_FALSE(called_late);
  }
  EXPECT_TRUE(bystander.WaitFor("1 done completed"));
}

TEST(EngineTest, CancelFromAnotherThreadStopsTheAnswer) {
  const auto engine = Start(Fakes([](const RaggedBatch&) { std::this_thread::sleep_for(milliseconds(2)); }));
  Diary diary;
  const auto sequence = engine->Open({}, diary.listener()).value();
  Ask(*sequence, 3);
  ASSERT_TRUE(diary.WaitFor("audio"));
  sequence->Cancel();
  ASSERT_TRUE(diary.WaitFor("1 done cancelled"));
  const size_t told = diary.told().size();
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(diary.told().size(), told);
}

TEST(EngineTest, AFloodOfFramesIsTakenAsFastAsItIsRun) {
  EngineOptions options = EngineBench::SmallOptions();
  options.max_pending_frames = 4;
  const auto engine = Start(Fakes(), options);
  std::mutex mutex;
  std::condition_variable changed;
  int room = options.max_pending_frames;
  SequenceOptions listening;
  listening.semantic_turns = false;
  const auto sequence = engine
                            ->Open(listening,
                                   [&](uint64_t, const SequenceEvent& event) {
                                     const auto* more = std::get_if<RoomForFrames>(&event);
                                     if (more == nullptr) return;
                                     const std::lock_guard lock(mutex);
                                     room += more->frames;
                                     changed.notify_all();
                                   })
                            .value();
  const FakeCodec codec(TinyConfig());
  constexpr int kFrames = 300;
  int refused = 0;
  for (int frame = 0; frame < kFrames;) {
    const Status taken = sequence->AppendFrame(codec.Sound(0), SystemClock::Get().Now());
    std::unique_lock lock(mutex);
    if (taken.ok()) {
      --room;
      ++frame;
      continue;
    }
    ASSERT_EQ(taken.code(), StatusCode::kResourceExhausted);
    ++refused;
    ASSERT_TRUE(changed.wait_for(lock, kPatience, [&] { return room > 0; }))
        << "nobody said that there is room";
  }
  EXPECT_GT(refused, 0) << "the engine was never behind: the test tests nothing";
  std::unique_lock lock(mutex);
  EXPECT_TRUE(changed.wait_for(lock, kPatience, [&] { return room == options.max_pending_frames; }));
}

TEST(EngineTest, AnIdleEngineSleeps) {
  const auto engine = Start(Fakes());
  Diary diary;
  const auto sequence = engine->Open({}, diary.listener()).value();
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(engine->statistics().steps, 0u);
  Ask(*sequence, 1);  // and wakes up
  EXPECT_TRUE(diary.WaitFor("1 done completed"));
}

}  // namespace
}  // namespace antiphon
