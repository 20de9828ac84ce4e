// Client::Generate: what it sends, what it makes of what comes back, and how it ends.
#include "antiphon/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/client/client_fixture.h"
#include "tests/client/scripted_server.h"

namespace antiphon::client {
namespace {

using std::chrono::milliseconds;
using testing::AnsweringGenerateScript;
using testing::AnsweringScript;
using testing::GenerateScript;
using ::testing::HasSubstr;
using testing::ScriptedServer;

using Writer = grpc::ServerWriter<v1::GenerateResponse>;

constexpr int kRate = 16000;

// A server that keeps the request it got and answers with `script`.
class RecordingServer {
 public:
  explicit RecordingServer(GenerateScript script = AnsweringGenerateScript())
      : server_(AnsweringScript(kRate),
                [this, script = std::move(script)](grpc::ServerContext& context,
                                                   const v1::GenerateRequest& request, Writer& writer) {
                  {
                    const std::lock_guard lock(mutex_);
                    request_ = request;
                  }
                  return script(context, request, writer);
                }) {}

  const ScriptedServer& operator*() const { return server_; }
  v1::GenerateRequest request() const {
    const std::lock_guard lock(mutex_);
    return request_;
  }

 private:
  mutable std::mutex mutex_;
  v1::GenerateRequest request_;  // guarded by mutex_
  ScriptedServer server_;        // last: calls it while it is destroyed
};

GenerateRequest Hello() {
  return {.parts = {TextPart{"hello"}}, .output_audio = {AudioEncoding::kPcm16, kRate}};
}

Status GenerateOn(const RecordingServer& server, const GenerateRequest& request, Generation* generation,
                  const GenerateOptions& options = {}) {
  return ConnectTo(*server)->Generate(request, options, generation);
}

// A call that is started, says `then` and ends well.
GenerateScript Saying(std::vector<v1::GenerateResponse> responses) {
  return
      [responses = std::move(responses)](grpc::ServerContext&, const v1::GenerateRequest&, Writer& writer) {
        for (const v1::GenerateResponse& response : responses) writer.Write(response);
        return grpc::Status::OK;
      };
}

v1::GenerateResponse Done(v1::ResponseDone::Status status = v1::ResponseDone::STATUS_COMPLETED) {
  v1::GenerateResponse response;
  response.mutable_response_done()->set_status(status);
  return response;
}

TEST(GenerateTest, PartsTravelInOrder) {
  const RecordingServer server;
  GenerateRequest request;
  request.parts = {TextPart{"first"},
                   Recording{std::vector<float>(4410, 0.5f), 44100},
                   ImageFile{"a file", "image/webp"},
                   AudioFile{"a recording", "audio/wav"},
                   Image{.width = 1, .height = 2, .rgb = {1, 2, 3, 4, 5, 6}},
                   TextPart{"last"}};
  request.speak = true;
  request.output_audio = {AudioEncoding::kPcm16, 48000};
  request.sampling = {.temperature = 0.5f, .top_k = 7, .top_p = 0.9f, .repetition_penalty = 1.5f, .seed = 11};
  request.max_response_seconds = 9;
  request.voice = "low";
  request.speed = SpeechSpeed::kFast;
  Generation generation;
  ASSERT_EQ(GenerateOn(server, request, &generation), OkStatus());
  const v1::GenerateRequest wire = server.request();
  ASSERT_EQ(wire.parts_size(), 6);
  EXPECT_EQ(wire.parts(0).text(), "first");
  EXPECT_EQ(wire.parts(1).audio().media_type(), "audio/pcm");
  EXPECT_EQ(wire.parts(1).audio().sample_rate(), 16000u);
  EXPECT_EQ(wire.parts(1).audio().data().size(), 2u * 1600);
  EXPECT_EQ(wire.parts(2).image().data(), "a file");
  EXPECT_EQ(wire.parts(2).image().media_type(), "image/webp");
  EXPECT_EQ(wire.parts(3).audio().data(), "a recording");
  EXPECT_EQ(wire.parts(3).audio().media_type(), "audio/wav");
  EXPECT_EQ(wire.parts(4).image().data(), "\1\2\3\4\5\6");
  EXPECT_EQ(wire.parts(4).image().media_type(), "image/x-rgb");
  EXPECT_EQ(wire.parts(4).image().width(), 1u);
  EXPECT_EQ(wire.parts(4).image().height(), 2u);
  EXPECT_EQ(wire.parts(5).text(), "last");
  EXPECT_EQ(wire.output_modalities_size(), 2);
  EXPECT_EQ(wire.output_audio().sample_rate(), 48000u);
  EXPECT_EQ(wire.sampling().temperature(), 0.5f);
  EXPECT_EQ(wire.sampling().top_k(), 7u);
  EXPECT_EQ(wire.sampling().top_p(), 0.9f);
  EXPECT_EQ(wire.sampling().repetition_penalty(), 1.5f);
  EXPECT_EQ(wire.sampling().seed(), 11u);
  EXPECT_EQ(wire.max_response_seconds(), 9u);
  EXPECT_EQ(wire.voice(), "low");
  EXPECT_EQ(wire.speed(), v1::SPEED_FAST);
}

TEST(GenerateTest, ModalitiesAreLeftToTheServerUnlessAsked) {
  const RecordingServer server;
  Generation generation;
  ASSERT_EQ(GenerateOn(server, Hello(), &generation), OkStatus());
  EXPECT_EQ(server.request().output_modalities_size(), 0);
  EXPECT_EQ(server.request().max_response_seconds(), 0u);
  GenerateRequest written = Hello();
  written.speak = false;
  ASSERT_EQ(GenerateOn(server, written, &generation), OkStatus());
  ASSERT_EQ(server.request().output_modalities_size(), 1);
  EXPECT_EQ(server.request().output_modalities(0), v1::MODALITY_TEXT);
  EXPECT_TRUE(generation.answer.audio.empty());
}

TEST(GenerateTest, TheResponseIsPutTogetherAndToldAsItComes) {
  const RecordingServer server;
  GenerateRequest request = Hello();
  request.parts.push_back(Recording{std::vector<float>(kRate), kRate});
  request.speak = request.draw = true;
  std::vector<size_t> kinds;
  GenerateOptions options;
  options.listener = [&](const Event& event) {
    if (kinds.empty() || kinds.back() != event.body.index()) kinds.push_back(event.body.index());
  };
  Generation generation;
  ASSERT_EQ(GenerateOn(server, request, &generation, options), OkStatus());
  EXPECT_EQ(generation.id, "session-1");
  EXPECT_EQ(generation.model, "scripted");
  EXPECT_EQ(generation.model_version, "v1");
  const Answer& answer = generation.answer;
  EXPECT_EQ(answer.transcript, "heard audio");
  EXPECT_EQ(answer.text, "answer 2");
  EXPECT_EQ(answer.sample_rate, kRate);
  EXPECT_EQ(answer.audio.size(), 6400u);
  ASSERT_EQ(answer.images.size(), 1u);
  EXPECT_EQ(answer.images[0].png, testing::kPicture);
  EXPECT_EQ(answer.images[0].width, 64);
  EXPECT_EQ(answer.end, ResponseEnd::kCompleted);
  EXPECT_EQ(answer.usage.heard_frames, 3);
  EXPECT_FALSE(answer.turn_end);
  const auto index = [](auto kind) { return Event{{}, kind}.body.index(); };
  EXPECT_EQ(kinds, (std::vector<size_t>{index(TranscriptDelta{}), index(TextDelta{}), index(ImageStarted{}),
                                        index(ImageDelta{}), index(AudioDelta{}), index(ImageDone{}),
                                        index(ResponseDone{})}));
}

TEST(GenerateTest, AServersRefusalIsPassedOn) {
  const RecordingServer server([](grpc::ServerContext& context, const v1::GenerateRequest&, Writer&) {
    context.AddTrailingMetadata("retry-after-ms", "321");
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full");
  });
  Generation generation;
  EXPECT_EQ(GenerateOn(server, Hello(), &generation), ResourceExhausted("full"));
  EXPECT_EQ(generation.retry_after, milliseconds(321));
  EXPECT_FALSE(generation.answer.end);
}

TEST(GenerateTest, WhatHadComeIsKeptWhenTheCallBreaks) {
  const RecordingServer server([](grpc::ServerContext&, const v1::GenerateRequest&, Writer& writer) {
    v1::GenerateResponse response;
    response.mutable_text_delta()->set_text("the beginning");
    writer.Write(response);
    return grpc::Status(grpc::StatusCode::INTERNAL, "a fault");
  });
  Generation generation;
  EXPECT_EQ(GenerateOn(server, Hello(), &generation), Internal("a fault"));
  EXPECT_EQ(generation.answer.text, "the beginning");
  EXPECT_FALSE(generation.retry_after);
}

TEST(GenerateTest, AResponseThatReachedALimitIsOne) {
  const RecordingServer server(Saying({Done(v1::ResponseDone::STATUS_INCOMPLETE)}));
  Generation generation;
  EXPECT_EQ(GenerateOn(server, Hello(), &generation), OkStatus());
  EXPECT_EQ(generation.answer.end, ResponseEnd::kIncomplete);
}

TEST(GenerateTest, AServerThatMakesNoSenseIsDataLoss) {
  v1::GenerateResponse text;
  text.mutable_text_delta()->set_text("too late");
  v1::GenerateResponse gap;
  gap.mutable_audio_delta()->set_audio("ab");
  gap.mutable_audio_delta()->set_first_sample(100);
  v1::GenerateResponse odd;
  odd.mutable_audio_delta()->set_audio("abc");
  v1::GenerateResponse picture;
  picture.mutable_image_done()->set_png("x");
  const std::pair<std::vector<v1::GenerateResponse>, std::string> nonsense[] = {
      {{}, "before response_done"},
      {{Done(), text}, "after response_done"},
      {{gap, Done()}, "first_sample is 100"},
      {{odd, Done()}, ""},
      {{picture, Done()}, "never begun"},
      {{Done(v1::ResponseDone::STATUS_UNSPECIFIED)}, "response_done.status is 0"},
  };
  for (const auto& [responses, message] : nonsense) {
    const RecordingServer server(Saying(responses));
    Generation generation;
    const Status status = GenerateOn(server, Hello(), &generation);
    EXPECT_EQ(status.code(), StatusCode::kDataLoss) << message << ": " << status.ToString();
    EXPECT_THAT(status.message(), HasSubstr(message));
  }
}

TEST(GenerateTest, KindsThatAreNotKnownAreSkipped) {
  v1::GenerateResponse unknown;
  ASSERT_TRUE(unknown.ParseFromString("\xf2\x07\x01x"));  // field 126
  const RecordingServer server(Saying({unknown, Done()}));
  Generation generation;
  EXPECT_EQ(GenerateOn(server, Hello(), &generation), OkStatus());
}

// Sends a word, then waits until the client is gone; `gone` is then set.
GenerateScript Endless(std::promise<void>* gone) {
  return [gone](grpc::ServerContext& context, const v1::GenerateRequest&, Writer& writer) {
    v1::GenerateResponse response;
    response.mutable_text_delta()->set_text("a word");
    while (!context.IsCancelled() && writer.Write(response)) std::this_thread::sleep_for(milliseconds(2));
    gone->set_value();
    return grpc::Status::CANCELLED;
  };
}

TEST(GenerateTest, StoppingCancelsTheCall) {
  std::promise<void> gone;
  const RecordingServer server(Endless(&gone));
  std::stop_source source;
  GenerateOptions options;
  options.stop = source.get_token();
  options.listener = [&](const Event&) { source.request_stop(); };
  Generation generation;
  EXPECT_EQ(GenerateOn(server, Hello(), &generation, options).code(), StatusCode::kCancelled);
  EXPECT_EQ(gone.get_future().wait_for(std::chrono::seconds(5)), std::future_status::ready);
  EXPECT_THAT(generation.answer.text, HasSubstr("a word"));

  // Before it has begun.
  const RecordingServer ready;
  EXPECT_EQ(GenerateOn(ready, Hello(), &generation, options).code(), StatusCode::kCancelled);
  EXPECT_EQ(generation.answer.text, "");
}

TEST(GenerateTest, ThePatienceEnds) {
  std::promise<void> gone;
  const RecordingServer server(Endless(&gone));
  Generation generation;
  EXPECT_EQ(GenerateOn(server, Hello(), &generation, {.timeout = milliseconds(200)}).code(),
            StatusCode::kDeadlineExceeded);
  EXPECT_EQ(gone.get_future().wait_for(std::chrono::seconds(5)), std::future_status::ready);
}

TEST(GenerateTest, ARequestThatCannotBeSentIsRefusedHere) {
  const RecordingServer server;
  Generation generation;
  GenerateRequest request = Hello();
  request.output_audio.sample_rate = 11;
  EXPECT_THAT(GenerateOn(server, request, &generation).message(),
              HasSubstr("output_audio.sample_rate is 11"));
  request = Hello();
  request.parts.push_back(Recording{{0.1f}, 3});
  Status status = GenerateOn(server, request, &generation);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("parts[1]"));
  request = Hello();
  request.parts.push_back(Image{.width = -1, .height = 1, .rgb = {}});
  EXPECT_EQ(GenerateOn(server, request, &generation).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(server.request().parts_size(), 0) << "nothing was sent";
}

}  // namespace
}  // namespace antiphon::client
