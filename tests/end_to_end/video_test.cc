// Video the whole way, over a real socket, with a real transformer and a real image codec of tiny random
// weights: what is said means nothing, but it depends on all that the model has seen.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "antiphon/ask.h"
#include "antiphon/client.h"
#include "common/clock.h"
#include "common/logging.h"
#include "engine/engine_impl.h"
#include "model/image_codec.h"
#include "model/safetensors.h"
#include "server/server.h"
#include "tests/engine/fake_model.h"

namespace antiphon {
namespace {

constexpr char kModel[] = ANTIPHON_SOURCE_DIR "/tests/golden/tiny_model";

// Its audio codec is a fake: the tiny model has none.
EngineModules TinyModules() {
  const std::string folder = kModel;
  const ModelConfig config = LoadModelConfig(folder).value();
  const Result<Safetensors> backbone = Safetensors::Open(folder + "/backbone.safetensors");
  const Result<Safetensors> images = Safetensors::Open(folder + "/image_codec.safetensors");
  return {LanguageModel::Load(backbone.value(), config, at::kCPU).value(),
          std::make_unique<FakeCodec>(config),
          TextTokenizer::Load(folder + "/tokenizer.model", config.symbols).value(),
          ImageCodec::Load(images.value(), config, at::kCPU).value()};
}

class VideoTest : public testing::Test {
 protected:
  void SetUp() override {
    SetLogLevel(LogLevel::kError);
    EngineOptions options;
    options.threads = 1;
    auto engine = StartEngine(TinyModules(), options, SystemClock::Get());
    ASSERT_TRUE(engine.ok()) << engine.status().ToString();
    engine_ = std::move(*engine);
    ServerOptions serving;
    serving.listen = "127.0.0.1:0";
    auto server = Server::Start(*engine_, serving);
    ASSERT_TRUE(server.ok()) << server.status().ToString();
    server_ = std::move(*server);
    auto client = client::Client::Connect(server_->address(), {});
    ASSERT_TRUE(client.ok()) << client.status().ToString();
    client_ = std::move(*client);
  }

  std::unique_ptr<client::Conversation> Open(int max_video_frames) {
    client::ConversationOptions options;
    options.settings.speak = false;
    options.settings.draw = false;
    options.settings.max_video_frames = max_video_frames;
    auto conversation = client_->Open(options);
    EXPECT_TRUE(conversation.ok()) << conversation.status().ToString();
    return conversation.ok() ? std::move(*conversation) : nullptr;
  }

  // Sends a frame of each colour, then asks.
  static client::Answer Ask(client::Conversation& conversation, const std::vector<int>& colours) {
    for (const int colour : colours) {
      Image image{.width = 8, .height = 8, .rgb = std::vector<uint8_t>(3 * 64)};
      for (size_t i = 0; i < image.rgb.size(); ++i) {
        image.rgb[i] = static_cast<uint8_t>(static_cast<size_t>(colour) * (i % 5 + 1));
      }
      EXPECT_TRUE(conversation.SendVideoFrame(image).ok());
    }
    client::Answer answer;
    const Status status =
        client::Ask(conversation, client::TypedQuestion{"what do you see now"}, {}, &answer);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return answer;
  }

  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<client::Client> client_;
};

TEST_F(VideoTest, AnAnswerComesFromTheNewestFrame) {
  const auto answer = [&](const std::vector<int>& colours) {
    const auto conversation = Open(1);
    return conversation ? Ask(*conversation, colours) : client::Answer{};
  };
  const client::Answer alone = answer({3});
  const client::Answer newest = answer({40, 17, 3});
  EXPECT_EQ(alone.text, newest.text);
  EXPECT_EQ(alone.usage.context_positions, newest.usage.context_positions);
  EXPECT_EQ(newest.usage.input_video_frames, 1);
  EXPECT_EQ(newest.usage.dropped_video_frames, 2);
}

TEST_F(VideoTest, OlderFramesLeaveTheContextAcrossTurns) {
  // The same words; of one conversation the first turn had a frame, which has left when the second begins.
  const auto filmed = Open(1);
  ASSERT_TRUE(filmed);
  const client::Answer first = Ask(*filmed, {3});
  const client::Answer second = Ask(*filmed, {40});
  EXPECT_EQ(first.usage.input_video_frames, 1);
  EXPECT_EQ(second.usage.input_video_frames, 1);
  // The second turn adds what it says, and a frame takes the place of a frame.
  const int question = second.usage.input_text_pieces + 2;  // and `<user>` and `<assistant>`
  // And `<end>` of the first answer, and a speed and a voice if these random weights write them.
  const int said = second.usage.output_text_pieces + 1 + 2;
  EXPECT_LE(second.usage.context_positions, first.usage.context_positions + question + said);
}

}  // namespace
}  // namespace antiphon
