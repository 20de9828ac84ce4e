// Generate on a real socket: what a request gets, and how each call ends.
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "media/image.h"
#include "media/pcm.h"
#include "media/wav.h"
#include "server/grpc_status.h"
#include "tests/conversation/voice.h"
#include "tests/media/pictures.h"
#include "tests/server/bare_calls.h"
#include "tests/server/generate_fixture.h"
#include "tests/server/server_fixture.h"

namespace antiphon {
namespace {

using Kind = v1::GenerateResponse;
using std::chrono::milliseconds;

constexpr int kNeverByItself = 1'000'000;  // heard frames after which the model takes its turn

v1::Part SpeechOf(int ms, int rate = 16000) {
  return AudioOf(EncodeWav(Voice(ms, rate), rate).value(), "audio/wav");
}
v1::Part SilenceOf(int ms) {
  return AudioOf(std::string(static_cast<size_t>(32 * ms), '\0'), "audio/pcm", 16000);
}

class GenerateTest : public ServerFixture {
 protected:
  // The call has ended with this status and holds nothing; a part of its message.
  void ExpectEnd(const v1::GenerateRequest& request, StatusCode code, const std::string& message) {
    GenerateStream call(channel_, request);
    const grpc::Status status = call.End();
    EXPECT_EQ(status.error_code(), ToGrpc(code)) << message << ": " << status.error_message();
    EXPECT_NE(status.error_message().find(message), std::string::npos)
        << message << ": " << status.error_message();
    EXPECT_FALSE(call.done.has_usage()) << "there is no response";
    EXPECT_EQ(call.RetryAfter(), "");
    EXPECT_TRUE(engine_->WaitForSequences(0));
  }
};

TEST_F(GenerateTest, TextInTextAndSpeechOut) {
  StartServer();
  GenerateStream call(channel_, RequestOf({TextOf("blue 7")}));
  const grpc::Status status = call.End();
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(call.kinds, (std::vector<Kind::EventCase>{Kind::kStarted, Kind::kTextDelta, Kind::kAudioDelta,
                                                      Kind::kResponseDone}));
  EXPECT_EQ(call.started.model(), "fake");
  EXPECT_EQ(call.started.model_version(), "v1");
  EXPECT_EQ(call.started.id().substr(0, 8), "session-");
  EXPECT_EQ(call.text, "you said blue 7");
  EXPECT_EQ(call.audio.size(), 2u * 5 * 80 * 24) << "5 frames of 80 ms at 24 kHz";
  EXPECT_EQ(call.done.status(), v1::ResponseDone::STATUS_COMPLETED);
  EXPECT_EQ(call.done.text(), "you said blue 7");
  EXPECT_EQ(call.done.usage().spoken_frames(), 5u);
  EXPECT_GT(call.done.ledger().first_packet_sent_us(), 0u);
  EXPECT_EQ(engine_->best_effort_opened(), 1) << "no conversation waits for it";
  EXPECT_TRUE(engine_->WaitForSequences(0));
}

TEST_F(GenerateTest, AConversationIsNotBestEffort) {
  StartServer();
  TestCall call(channel_);
  call.ReadUntil(v1::ServerEvent::kSessionCreated);
  EXPECT_EQ(engine_->best_effort_opened(), 0);
}

TEST_F(GenerateTest, SpeechInItsTranscriptAndAnAnswerOut) {
  StartServer({}, {.frames_of_turn = 5});
  GenerateStream call(channel_, RequestOf({SpeechOf(1000, 44100)}));
  ASSERT_TRUE(call.End().ok());
  EXPECT_EQ(call.kinds,
            (std::vector<Kind::EventCase>{Kind::kStarted, Kind::kTranscriptDelta, Kind::kTextDelta,
                                          Kind::kAudioDelta, Kind::kResponseDone}));
  EXPECT_EQ(call.transcript, "some words");
  EXPECT_EQ(call.text, "i heard you");
  EXPECT_EQ(call.done.usage().heard_frames(), 16u) << "1 s and a short silence: not ended by the model";
}

TEST_F(GenerateTest, PartsOfEveryKindMix) {
  StartServer({}, {.frames_of_turn = kNeverByItself, .image_side = 16});
  const std::string png = EncodePng(Sample()).value();
  GenerateStream call(channel_,
                      RequestOf({ImageOf(png, "image/png"), TextOf("blue"), SpeechOf(500), TextOf(" 7"),
                                 ImageOf(std::string(3 * 5 * 4, 'x'), "image/x-rgb", 5, 4), SpeechOf(500)},
                                {v1::MODALITY_TEXT}));
  const grpc::Status status = call.End();
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(call.text, "you said blue 7 and 40x24 5x4");
  EXPECT_EQ(call.transcript, "some words");
  EXPECT_EQ(call.audio, "");
  EXPECT_EQ(call.done.usage().input_images(), 2u);
  EXPECT_EQ(call.done.usage().heard_frames(), 20u) << "twice 500 and 240 ms, in whole frames";
}

TEST_F(GenerateTest, WordsAndPicturesOutAsAskedFor) {
  StartServer({}, {.answer_frames = 10, .image_side = 16});
  GenerateStream drawn(channel_, RequestOf({TextOf("draw 7")}, {v1::MODALITY_IMAGE}));
  ASSERT_TRUE(drawn.End().ok());
  EXPECT_EQ(drawn.audio, "");
  ASSERT_EQ(drawn.pictures.size(), 1u);
  const std::vector<int> codes(64, FakeEngine::kCode);
  EXPECT_EQ(DecodeImage(drawn.pictures[0], "image/png").value(), engine_->PaintImage(codes).value());
  EXPECT_EQ(drawn.done.usage().output_images(), 1u);

  GenerateStream written(channel_, RequestOf({TextOf("draw 7")}, {v1::MODALITY_TEXT}));
  ASSERT_TRUE(written.End().ok());
  EXPECT_EQ(written.text, "you said draw 7");
  EXPECT_EQ(written.audio, "");
  EXPECT_TRUE(written.pictures.empty());

  GenerateStream everything(channel_, RequestOf({TextOf("draw 7")}));
  ASSERT_TRUE(everything.End().ok());
  EXPECT_NE(everything.audio, "");
  EXPECT_EQ(everything.pictures.size(), 1u);
}

TEST_F(GenerateTest, SettingsAreThoseOfAConversation) {
  StartServer();
  v1::GenerateRequest request = RequestOf({TextOf("blue 7")});
  request.mutable_output_audio()->set_encoding(v1::AUDIO_ENCODING_OPUS);
  request.mutable_output_audio()->set_sample_rate(48000);
  GenerateStream opus(channel_, request);
  ASSERT_TRUE(opus.End().ok());
  EXPECT_LT(opus.audio.size(), 2u * 5 * 80 * 48 / 4);
  request.mutable_output_audio()->set_encoding(v1::AUDIO_ENCODING_PCM16);
  request.mutable_output_audio()->set_sample_rate(16000);
  GenerateStream pcm(channel_, request);
  ASSERT_TRUE(pcm.End().ok());
  EXPECT_EQ(pcm.audio.size(), 2u * 5 * 80 * 16);
}

TEST_F(GenerateTest, ALongRecordingIsHeardWholeByASlowEngine) {
  StartServer({.idle_timeout = milliseconds(100)},
              {.frames_of_turn = kNeverByItself, .hearing = milliseconds(1), .max_pending_frames = 8});
  GenerateStream call(channel_, RequestOf({SpeechOf(29'600)}, {v1::MODALITY_TEXT}));
  const grpc::Status status = call.End();
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(call.done.usage().heard_frames(), 373u) << "29.6 s and 240 ms";
}

TEST_F(GenerateTest, SilenceIsNotHeard) {
  StartServer({}, {.frames_of_turn = kNeverByItself});
  GenerateStream call(channel_, RequestOf({SilenceOf(3000), TextOf("blue 7")}));
  ASSERT_TRUE(call.End().ok());
  EXPECT_EQ(call.text, "you said blue 7");
  EXPECT_EQ(call.done.usage().heard_frames(), 0u);
  // A pause between words belongs to them, however long.
  GenerateStream pause(channel_, RequestOf({SpeechOf(300), SilenceOf(4000), SpeechOf(300)}));
  ASSERT_TRUE(pause.End().ok());
  EXPECT_EQ(pause.text, "i heard you");
  EXPECT_GT(pause.done.usage().heard_frames(), 50u);
}

TEST_F(GenerateTest, MistakesAreStatusesThatNameTheField) {
  StartServer();
  const std::string png = EncodePng(Sample()).value();
  const std::string wav = EncodeWav(Voice(300, 16000), 16000).value();
  ExpectEnd(RequestOf({}), StatusCode::kInvalidArgument, "parts: has 0 entries, must have 1 to 64");
  ExpectEnd(RequestOf(std::vector<v1::Part>(65, TextOf("x"))), StatusCode::kInvalidArgument, "parts: has 65");
  ExpectEnd(RequestOf({TextOf("x"), {}}), StatusCode::kInvalidArgument, "parts[1]: is neither");
  ExpectEnd(RequestOf({TextOf("")}), StatusCode::kInvalidArgument, "parts[0].text: text has 0 bytes");
  ExpectEnd(RequestOf({TextOf("x"), TextOf(std::string(4001, 'x'))}), StatusCode::kInvalidArgument,
            "parts[1].text: text has 4001 bytes");
  ExpectEnd(RequestOf({TextOf("x"), AudioOf(wav, "audio/ogg")}), StatusCode::kInvalidArgument,
            "parts[1].audio.media_type: is \"audio/ogg\"");
  ExpectEnd(RequestOf({AudioOf(wav.substr(0, 30), "audio/wav")}), StatusCode::kDataLoss,
            "parts[0].audio.data");
  ExpectEnd(RequestOf({AudioOf("garbage", "audio/wav")}), StatusCode::kInvalidArgument,
            "parts[0].audio.data");
  ExpectEnd(RequestOf({AudioOf("abc", "audio/pcm", 16000)}), StatusCode::kInvalidArgument,
            "parts[0].audio.data");
  ExpectEnd(RequestOf({AudioOf("ab", "audio/pcm", 7)}), StatusCode::kOutOfRange,
            "parts[0].audio.sample_rate: is 7, must be 4000 to 192000");
  ExpectEnd(RequestOf({SilenceOf(20'000), SilenceOf(20'000)}), StatusCode::kOutOfRange,
            "parts[1].audio.data: with it the recordings are 40.0 s long together, at most 30.0 s");
  ExpectEnd(RequestOf({SilenceOf(2000)}), StatusCode::kInvalidArgument, "parts: no voice is heard");
  ExpectEnd(RequestOf({ImageOf(png, "image/png")}), StatusCode::kUnimplemented, "parts[0].image: ");
  ExpectEnd(RequestOf({TextOf("x")}, {v1::MODALITY_IMAGE}), StatusCode::kUnimplemented, "output_modalities");
  ExpectEnd(RequestOf({TextOf("x")}, {static_cast<v1::Modality>(9)}), StatusCode::kInvalidArgument,
            "output_modalities is 9");
  v1::GenerateRequest request = RequestOf({TextOf("x")});
  request.mutable_sampling()->set_temperature(3);
  ExpectEnd(request, StatusCode::kInvalidArgument, "sampling.temperature is 3, must be 0 to 2");
  request = RequestOf({TextOf("x")});
  request.mutable_output_audio()->set_sample_rate(11);
  ExpectEnd(request, StatusCode::kInvalidArgument, "output_audio.sample_rate is 11");
  request = RequestOf({TextOf("x")});
  request.set_max_response_seconds(61);
  ExpectEnd(request, StatusCode::kInvalidArgument, "max_response_seconds is 61");
  request = RequestOf({TextOf("x")});
  request.set_voice("loud");
  ExpectEnd(request, StatusCode::kInvalidArgument, "voice is ");
  // And the server is as good as before.
  GenerateStream call(channel_, RequestOf({TextOf("blue 7")}));
  EXPECT_TRUE(call.End().ok());
}

TEST_F(GenerateTest, PicturesThatCannotBeShownAreRefused) {
  StartServer({}, {.image_side = 16});
  const std::string png = EncodePng(Sample()).value();
  ExpectEnd(RequestOf({ImageOf(png, "image/jpeg")}), StatusCode::kInvalidArgument, "parts[0].image.data: ");
  ExpectEnd(RequestOf({ImageOf(png, "image/bmp")}), StatusCode::kInvalidArgument,
            "parts[0].image.media_type: ");
  ExpectEnd(RequestOf({TextOf("x"), ImageOf(png.substr(0, png.size() / 2), "image/png")}),
            StatusCode::kDataLoss, "parts[1].image.data: ");
  ExpectEnd(RequestOf({ImageOf(PngClaiming(50'000, 50'000), "image/png")}), StatusCode::kOutOfRange,
            "parts[0].image.data: ");
  ExpectEnd(RequestOf(std::vector<v1::Part>(9, ImageOf(png, "image/png"))), StatusCode::kResourceExhausted,
            "parts[8].image.data: ");
}

TEST_F(GenerateTest, BytesThatAreNoRequestAreRefused) {
  StartServer();
  const std::string garbage[] = {
      std::string(100, '\xff'),
      std::string("\x0a\x7fshort"),               // a part of 127 bytes that are not there
      std::string("\x0a\x04\x0a\x02\xc3\x28", 6)  // parts[0].text that is not UTF-8
  };
  for (const std::string& bytes : garbage) {
    grpc::GenericStub stub(channel_);
    grpc::Status status;
    EXPECT_EQ(CallOnce(&stub, "/antiphon.v1.GenerationService/Generate", bytes, &status), "");
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << status.error_message();
    EXPECT_TRUE(engine_->WaitForSequences(0));
  }
}

TEST_F(GenerateTest, ARequestOverTheMessageLimitIsRefused) {
  StartServer({.max_message_bytes = 4096});
  GenerateStream call(channel_, RequestOf({SilenceOf(1000)}));
  EXPECT_EQ(call.End().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(engine_->WaitForSequences(0));
}

TEST_F(GenerateTest, ACallThatIsCancelledIsFreedAtOnce) {
  StartServer({}, {.endless = true});
  GenerateStream call(channel_, RequestOf({TextOf("blue 7")}));
  ASSERT_TRUE(call.ReadUntil(Kind::kAudioDelta));
  EXPECT_EQ(engine_->statistics().open_sequences, 1);
  call.Vanish();
  EXPECT_TRUE(engine_->WaitForSequences(0));
  EXPECT_EQ(call.End().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(GenerateTest, ACallThatIsCancelledWhileItsPartsAreReadIsFreed) {
  StartServer({}, {.frames_of_turn = kNeverByItself, .hearing = milliseconds(20), .max_pending_frames = 8});
  GenerateStream call(channel_, RequestOf({SpeechOf(20'000)}));
  ASSERT_TRUE(call.ReadUntil(Kind::kTranscriptDelta));
  call.Vanish();
  EXPECT_TRUE(engine_->WaitForSequences(0));
}

TEST_F(GenerateTest, AClientThatDoesNotReadIsCutOff) {
  StartServer({.max_unread_bytes = 128 * 1024, .linger = milliseconds(10'000)}, {.endless = true});
  grpc::ChannelArguments arguments;  // of a client end that holds little that was not read
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 64 * 1024);
  GenerateStream call(NewChannel(arguments), RequestOf({TextOf("blue 7")}));
  EXPECT_TRUE(engine_->WaitForSequences(1));
  EXPECT_TRUE(engine_->WaitForSequences(0));
  const grpc::Status status = call.End();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_NE(status.error_message().find("does not read"), std::string::npos) << status.error_message();
  EXPECT_EQ(call.RetryAfter(), "");
}

TEST_F(GenerateTest, AClientThatNeverReadsHoldsNothing) {
  StartServer({.max_unread_bytes = 128 * 1024, .linger = milliseconds(100)}, {.endless = true});
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 64 * 1024);
  GenerateStream call(NewChannel(arguments), RequestOf({TextOf("blue 7")}));
  EXPECT_TRUE(engine_->WaitForSequences(1));
  EXPECT_TRUE(engine_->WaitForSequences(0));
  server_->Stop();  // would wait for the call, were it still open
  EXPECT_FALSE(call.End().ok());
}

TEST_F(GenerateTest, CallsAndConversationsShareThePlaces) {
  StartServer({.max_sessions = 2, .retry_after = milliseconds(750)}, {.endless = true});
  TestCall conversation(channel_);
  conversation.ReadUntil(v1::ServerEvent::kSessionCreated);
  GenerateStream first(channel_, RequestOf({TextOf("blue 7")}));
  ASSERT_TRUE(first.ReadUntil(Kind::kTextDelta));
  EXPECT_EQ(server_->open_sessions(), 2);
  GenerateStream second(channel_, RequestOf({TextOf("blue 8")}));
  EXPECT_EQ(second.End().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(second.RetryAfter(), "750");
  first.Vanish();
  EXPECT_TRUE(engine_->WaitForSequences(1));
}

TEST_F(GenerateTest, ACallOverTheLongestSessionEnds) {
  StartServer({.max_session = milliseconds(300)}, {.endless = true});
  GenerateStream call(channel_, RequestOf({TextOf("blue 7")}));
  EXPECT_EQ(call.End().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(engine_->WaitForSequences(0));
}

TEST_F(GenerateTest, DrainingLetsACallFinishAndRefusesNewOnes) {
  StartServer({}, {.step = milliseconds(5), .answer_frames = 60});
  GenerateStream call(channel_, RequestOf({TextOf("blue 7")}));
  ASSERT_TRUE(call.ReadUntil(Kind::kAudioDelta));
  auto stopped = std::async(std::launch::async, [this] { server_->Stop(); });
  while (CheckHealth(channel_, "antiphon.v1.GenerationService") != HealthStatus::kNotServing) {
  }
  GenerateStream late(channel_, RequestOf({TextOf("blue 8")}));
  EXPECT_EQ(late.End().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(call.End().ok());
  EXPECT_EQ(call.done.usage().spoken_frames(), 60u);
  stopped.get();
}

TEST_F(GenerateTest, DrainingLetsACallFinishWhosePartsAreStillRead) {
  StartServer({}, {.frames_of_turn = kNeverByItself, .hearing = milliseconds(5), .max_pending_frames = 8});
  GenerateStream call(channel_, RequestOf({SpeechOf(10'000)}));
  ASSERT_TRUE(call.ReadUntil(Kind::kTranscriptDelta));
  auto stopped = std::async(std::launch::async, [this] { server_->Stop(); });
  EXPECT_TRUE(call.End().ok());
  EXPECT_EQ(call.text, "i heard you");
  stopped.get();
}

TEST_F(GenerateTest, DrainingEndsACallThatTakesTooLong) {
  StartServer({.drain = milliseconds(200)}, {.endless = true});
  GenerateStream call(channel_, RequestOf({TextOf("blue 7")}));
  ASSERT_TRUE(call.ReadUntil(Kind::kAudioDelta));
  auto stopped = std::async(std::launch::async, [this] { server_->Stop(); });
  EXPECT_EQ(call.End().error_code(), grpc::StatusCode::UNAVAILABLE);
  stopped.get();
  EXPECT_EQ(engine_->statistics().open_sequences, 0);
}

TEST_F(GenerateTest, ManyCallsAtOnceGetTheirOwnAnswers) {
  StartServer({.max_sessions = 16});
  std::vector<std::unique_ptr<GenerateStream>> calls;
  for (int i = 0; i < 12; ++i) {
    calls.push_back(
        std::make_unique<GenerateStream>(channel_, RequestOf({TextOf("blue " + std::to_string(i))})));
  }
  for (int i = 0; i < 12; ++i) {
    EXPECT_TRUE(calls[static_cast<size_t>(i)]->End().ok());
    EXPECT_EQ(calls[static_cast<size_t>(i)]->text, "you said blue " + std::to_string(i));
  }
  EXPECT_TRUE(engine_->WaitForSequences(0));
}

}  // namespace
}  // namespace antiphon
