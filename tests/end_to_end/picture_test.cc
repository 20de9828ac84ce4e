// Pictures the whole way: drawn by the model that ships while it talks, shown to it again, over a real
// socket.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "antiphon/ask.h"
#include "antiphon/client.h"
#include "media/image.h"
#include "tests/end_to_end/model_fixture.h"

namespace antiphon {
namespace {

class PictureTest : public ModelTest {
 protected:
  void SetUp() override {
    ModelTest::SetUp();
    if (HasFatalFailure()) return;
    const auto models = client_->ListModels();
    ASSERT_TRUE(models.ok()) << models.status().ToString();
    const client::ModelInfo& model = models->at(0);
    ASSERT_TRUE(model.draws) << model.name << ' ' << model.version << " knows no pictures";
  }

  client::Answer AskInText(client::Conversation& conversation, const std::string& text,
                           std::vector<client::ImageFile> images = {}) {
    client::Answer answer = Ask(conversation, client::TypedQuestion{text, std::move(images)});
    EXPECT_EQ(answer.end, ResponseEnd::kCompleted);
    return answer;
  }

  // The one picture of an answer.
  static Image Drawn(const client::Answer& answer) {
    EXPECT_EQ(answer.images.size(), 1u) << answer.text;
    if (answer.images.empty()) return {};
    const Result<Image> image = DecodeImage(answer.images[0].png, "image/png");
    EXPECT_TRUE(image.ok()) << image.status().ToString();
    return image.ok() ? *image : Image{};
  }
};

TEST_F(PictureTest, ItDrawsWhileItTalksAndSeesWhatItHasDrawn) {
  auto conversation = Open();
  ASSERT_TRUE(conversation);
  const client::Answer drawn = AskInText(*conversation, "draw a heart");
  EXPECT_EQ(drawn.text, "here is a heart");
  EXPECT_FALSE(drawn.audio.empty());
  EXPECT_EQ(drawn.usage.output_images, 1);
  const Image picture = Drawn(drawn);
  EXPECT_EQ(picture.width, 64);
  EXPECT_EQ(picture.height, 64);
  ASSERT_TRUE(drawn.latency.first_image_ms);
  EXPECT_GT(drawn.ledger.first_image_us, drawn.ledger.first_symbol_us);
  EXPECT_EQ(drawn.ledger.underruns, 0);

  auto other = Open();  // which has not drawn it
  ASSERT_TRUE(other);
  const client::Answer named =
      AskInText(*other, "what is this", {{drawn.images.empty() ? "" : drawn.images[0].png, "image/png"}});
  EXPECT_EQ(named.text, "this is a heart");
  EXPECT_EQ(named.usage.input_images, 1);
  EXPECT_TRUE(named.images.empty());
}

TEST_F(PictureTest, TheNextTurnChangesThePicture) {
  auto conversation = Open();
  ASSERT_TRUE(conversation);
  const auto corner = [](const Image& image) {
    return image.rgb.size() < 3 ? std::vector<int>{}
                                : std::vector<int>(image.rgb.begin(), image.rgb.begin() + 3);
  };
  const std::vector<int> white = corner(Drawn(AskInText(*conversation, "draw a butterfly")));
  ASSERT_EQ(white.size(), 3u);
  for (const int channel : white) EXPECT_GT(channel, 220);
  const client::Answer changed = AskInText(*conversation, "make the background green");
  EXPECT_EQ(changed.text, "now the background is green");
  const std::vector<int> green = corner(Drawn(changed));
  ASSERT_EQ(green.size(), 3u);
  EXPECT_GT(green[1], green[0] + 50);
  EXPECT_GT(green[1], green[2] + 50);
}

TEST_F(PictureTest, WhoWantsNoPicturesGetsNone) {
  client::ConversationOptions options;
  options.settings.draw = false;
  auto conversation = Open(options);
  ASSERT_TRUE(conversation);
  EXPECT_TRUE(AskInText(*conversation, "draw a butterfly").images.empty());
}

}  // namespace
}  // namespace antiphon
