// Pictures as the owner of a sequence sees them: shown in a turn, drawn in a response, cut off.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/engine/engine_bench.h"

namespace antiphon {
namespace {

using testing::ElementsAre;
using testing::StartsWith;

using Told = std::vector<std::string>;

const std::vector<int> kPicture = {0, 1, 2, 3, 4, 5, 6, 7, 11};

SequenceOptions Written(int max_images = 1) {
  SequenceOptions options;
  options.speak = false;
  options.max_response_images = max_images;
  return options;
}

// The events that tell of pictures.
Told ImagesOf(const Owner& owner) {
  Told images;
  for (const std::string& event : owner.told()) {
    if (event.find(" image ") != std::string::npos) images.push_back(event);
  }
  return images;
}

// How many codes an event tells of; 0 of any that tells of no picture.
int64_t CodesIn(const std::string& event) {
  const size_t open = event.find('[');
  if (open == std::string::npos || event.at(open + 1) == ']') return 0;
  return 1 + std::count(event.begin() + static_cast<std::ptrdiff_t>(open), event.end(), ' ');
}

void RunUntil(EngineBench& bench, const Owner& owner, const std::string& part) {
  while (!owner.Heard(part)) ASSERT_TRUE(bench.loop.RunOnce());
}

TEST(ImagesTest, AShownPictureIsReadWithItsTurn) {
  EngineBench bench;
  std::vector<int64_t> symbols;
  bench.model.on_forward = [&](const RaggedBatch& batch) {
    symbols.insert(symbols.end(), batch.symbols.begin(), batch.symbols.end());
  };
  const auto owner = bench.Open(Written());
  owner->Show(kPicture);
  owner->EndTurn();
  bench.RunAll();
  const ImageShape& image = bench.config.image;
  std::vector<int64_t> expected = {bench.config.symbols.bos, bench.config.symbols.user, image.begin};
  for (const int code : kPicture) expected.push_back(image.first_code + code);
  expected.push_back(image.end);
  expected.push_back(bench.config.symbols.assistant);
  ASSERT_GE(symbols.size(), expected.size());
  symbols.resize(expected.size());
  EXPECT_EQ(symbols, expected);
  EXPECT_THAT(owner->told().front(), "1 ended commit '' 0+0+1 images");
  EXPECT_THAT(owner->told().back(), "1 done completed OK 3+0 at 17");
}

TEST(ImagesTest, PicturesTextAndSpeechMixInOneTurn) {
  EngineBench bench;
  const auto owner = bench.Open(Written());
  owner->Show(kPicture);
  owner->Hear({0, 5});
  owner->Type("typed");
  owner->Show(kPicture);
  owner->Hear({9, 0});
  owner->EndTurn();
  bench.RunAll();
  EXPECT_EQ(owner->Count(" typed "), 1) << testing::PrintToString(owner->told());
  EXPECT_EQ(owner->Count("+2 images"), 1);
  EXPECT_EQ(owner->Count("1 done completed"), 1);
}

TEST(ImagesTest, APictureCountsForTheTurnItIsIn) {
  EngineBench bench;
  const auto owner = bench.Open(Written());
  owner->Show(kPicture);
  owner->EndTurn();
  owner->Show(kPicture);
  owner->Show(kPicture);
  owner->EndTurn();
  bench.RunAll();
  EXPECT_EQ(owner->Count("1 ended commit '' 0+0+1 images"), 1);
  EXPECT_EQ(owner->Count("2 ended commit '' 0+0+2 images"), 1);
}

TEST(ImagesTest, TheAnswerDependsOnThePicture) {
  const auto answer = [](const std::vector<int>& codes) {
    EngineBench bench;
    const auto owner = bench.Open(Written());
    owner->Show(codes);
    owner->EndTurn();
    bench.RunAll();
    return owner->told();
  };
  EXPECT_EQ(answer(kPicture), answer(kPicture));
  EXPECT_NE(answer(kPicture), answer({0, 1, 2, 3, 4, 5, 6, 7, 8}));
}

TEST(ImagesTest, APictureMayBeReadInParts) {
  EngineOptions small = EngineBench::SmallOptions();
  small.max_batch_positions = 4;
  const auto answer = [](const EngineOptions& options) {
    EngineBench bench(options);
    const auto owner = bench.Open(Written());
    owner->Type("look");
    owner->Show(kPicture);
    owner->EndTurn();
    bench.RunAll();
    return owner->told();
  };
  EXPECT_EQ(answer(small), answer(EngineBench::SmallOptions()));
}

TEST(ImagesTest, ADrawnPictureIsToldRowByRow) {
  EngineBench bench;
  bench.model.answer_images = 1;
  const auto owner = bench.Open(Written());
  owner->Type("draw");
  owner->EndTurn();
  bench.RunAll();
  const Told images = ImagesOf(*owner);
  ASSERT_EQ(images.size(), 4u) << testing::PrintToString(owner->told());
  for (size_t row = 0; row < images.size(); ++row) {
    EXPECT_THAT(images[row], StartsWith("1 image 0 ["));
    EXPECT_EQ(CodesIn(images[row]), static_cast<int64_t>(3 * row)) << images[row];
    if (row > 1) {
      // All that is written so far, so that each event can be painted by itself.
      EXPECT_THAT(images[row], StartsWith(images[row - 1].substr(0, images[row - 1].size() - 1)));
    }
  }
  EXPECT_THAT(owner->told().back(), StartsWith("1 done completed OK 3+0+1 images"));
  EXPECT_EQ(owner->Count("text"), 3) << "codes are no text";
}

TEST(ImagesTest, TheVoiceGoesOnWhileItDraws) {
  EngineBench bench;
  bench.model.answer_images = 1;
  bench.model.answer_frames = 30;
  SequenceOptions options;
  const auto owner = bench.Open(options);
  owner->Type("draw");
  owner->EndTurn();
  bench.RunAll();
  const Told& told = owner->told();
  const auto first = std::find_if(told.begin(), told.end(),
                                  [](const auto& event) { return event.starts_with("1 image 0 []"); });
  const auto last = std::find_if(first, told.end(), [](const auto& event) { return CodesIn(event) == 9; });
  ASSERT_NE(last, told.end());
  EXPECT_EQ(std::count_if(first, last, [](const auto& event) { return event.starts_with("1 audio"); }), 9)
      << "a frame for each code";
  EXPECT_EQ(owner->Count("audio"), 30);
  EXPECT_THAT(told.back(), StartsWith("1 done completed OK 3+30+1 images"));
}

TEST(ImagesTest, AResponseIsNotOverBeforeItsPicture) {
  EngineBench bench;
  bench.model.answer_images = 1;
  bench.model.answer_frames = 2;
  const auto owner = bench.Open();
  owner->Type("draw");
  owner->EndTurn();
  bench.RunAll();
  EXPECT_EQ(owner->Count("audio"), 2);
  EXPECT_THAT(owner->told().back(), StartsWith("1 done completed OK 3+2+1 images"));
}

TEST(ImagesTest, NoMorePicturesThanTheOptionsAllow) {
  for (const int most : {0, 1, 2}) {
    EngineBench bench;
    bench.model.answer_images = 3;
    const auto owner = bench.Open(Written(most));
    owner->Type("draw");
    owner->EndTurn();
    bench.RunAll();
    EXPECT_EQ(owner->Count("1 image 0 []"), most > 0 ? 1 : 0);
    EXPECT_EQ(owner->Count("1 image 1 []"), most > 1 ? 1 : 0);
    EXPECT_EQ(owner->Count(" image "), 4 * most);
    const std::string count = most > 0 ? "+" + std::to_string(most) + " images" : "";
    EXPECT_THAT(owner->told().back(), StartsWith("1 done completed OK 3+0" + count + " at"));
  }
}

TEST(ImagesTest, CancelStopsAPictureWithinOneStep) {
  EngineBench bench;
  bench.model.answer_images = 1;
  const auto owner = bench.Open(Written());
  owner->Type("draw");
  owner->EndTurn();
  while (owner->Count(" image ") < 2) ASSERT_TRUE(bench.loop.RunOnce());  // the first row
  owner->Cancel();
  const size_t told = owner->told().size();
  bench.loop.RunOnce();
  ASSERT_EQ(owner->told().size(), told + 1);
  EXPECT_THAT(owner->told().back(), StartsWith("1 done cancelled OK 3+0 at"));
  EXPECT_EQ(bench.RunAll(), 0);
  EXPECT_EQ(owner->told().size(), told + 1);
}

TEST(ImagesTest, APictureThatWasCutOffIsClosedBeforeTheNextTurn) {
  EngineBench bench;
  bench.model.answer_images = 1;
  const auto owner = bench.Open(Written());
  owner->Type("draw");
  owner->EndTurn();
  RunUntil(bench, *owner, " image 0 []");
  ASSERT_TRUE(bench.loop.RunOnce());  // `<image>` is read, a code is written
  owner->Cancel();
  bench.RunAll();
  std::vector<int64_t> symbols;
  bench.model.on_forward = [&](const RaggedBatch& batch) {
    symbols.insert(symbols.end(), batch.symbols.begin(), batch.symbols.end());
  };
  owner->Hear({0, 5});
  owner->EndTurn();
  bench.RunAll();
  ASSERT_GE(symbols.size(), 2u);
  EXPECT_EQ(symbols[0], bench.config.image.end);
  EXPECT_EQ(symbols[1], bench.config.symbols.user);
  EXPECT_EQ(owner->Count("2 done completed"), 1);
}

TEST(ImagesTest, AFullContextCutsAPictureOff) {
  // `<bos>`, 2 frames, `<assistant>`, 3 pieces, `<image>` and 6 of its 9 codes.
  EngineBench bench(EngineBench::SmallOptions(), 14);
  bench.model.answer_images = 1;
  const auto owner = bench.Open(Written());
  owner->Hear({0, 5});
  owner->EndTurn();
  bench.RunAll();
  EXPECT_EQ(owner->Count(" image 0 []"), 1);
  EXPECT_EQ(owner->told().back(), "1 done incomplete OK 3+0 at 14");
  owner->Show(kPicture);
  bench.RunAll();
  EXPECT_EQ(owner->told().back(), "1 refused RESOURCE_EXHAUSTED");
}

TEST(ImagesTest, APictureThatDoesNotFitIsRefusedWhole) {
  EngineBench bench(EngineBench::SmallOptions(), 12);  // one less than `<bos>`, `<user>` and a picture
  const auto owner = bench.Open(Written());
  owner->Show(kPicture);
  bench.RunAll();
  EXPECT_THAT(owner->Take(), ElementsAre("0 refused RESOURCE_EXHAUSTED"));
  EXPECT_EQ(bench.loop.statistics().pages_in_use, 0);
}

TEST(ImagesTest, ClearTurnForgetsAPictureThatIsBeingRead) {
  EngineOptions options = EngineBench::SmallOptions();
  options.max_batch_positions = 4;
  EngineBench bench(options);
  const auto owner = bench.Open(Written());
  owner->Show(kPicture);
  owner->Show(kPicture);
  ASSERT_TRUE(bench.loop.RunOnce());
  EXPECT_GT(bench.loop.statistics().pages_in_use, 0);
  owner->ClearTurn();
  bench.RunAll();
  EXPECT_EQ(bench.loop.statistics().pages_in_use, 0);
  owner->Type("do");
  owner->EndTurn();
  bench.RunAll();
  EXPECT_EQ(owner->Count("2 ended commit 'do'"), 1) << testing::PrintToString(owner->told());
  EXPECT_EQ(owner->Count("images"), 0);
}

TEST(ImagesTest, AStepThatFailsWithinAPictureFailsTheResponse) {
  EngineBench bench;
  bench.model.answer_images = 1;
  bool broken = true;
  bench.model.on_forward = [&](const RaggedBatch& batch) {
    if (broken && batch.symbols.back() >= bench.config.image.first_code) throw std::runtime_error("no");
  };
  const auto owner = bench.Open(Written());
  owner->Type("draw");
  owner->EndTurn();
  bench.RunAll();
  EXPECT_THAT(owner->told().back(), StartsWith("1 done failed INTERNAL 3+0 at"));
  broken = false;
  owner->Type("again");
  owner->EndTurn();
  bench.RunAll();
  EXPECT_EQ(owner->Count("2 done completed OK 3+0+1 images"), 1);
}

}  // namespace
}  // namespace antiphon
