// The codec in C++ against what its trainer computed (tests/golden/audio_codec.safetensors), and against
// itself in other groupings of the same streams.
#include "model/audio_codec.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "model/model_config.h"
#include "model/safetensors.h"

namespace antiphon {
namespace {

constexpr double kWaveTolerance = 1e-3;      // of full scale, against the trainer
constexpr double kGroupingTolerance = 1e-5;  // against ourselves

const std::string kRoot = ANTIPHON_SOURCE_DIR;

nlohmann::json Section() {
  std::ifstream file(kRoot + "/tests/golden/audio_codec.json");
  return nlohmann::json::parse(file);
}

ModelConfig ConfigFor(const nlohmann::json& section) {
  ModelConfig config;
  config.sample_rate = 16000;
  config.frame_samples = 1280;
  config.codebook_sizes = {1024, 512, 512, 512};
  config.audio_codec_json = section.dump();
  config.path = "folder/config.json";
  return config;
}

Result<std::unique_ptr<AudioCodec>> LoadWith(const nlohmann::json& section, const std::string& weights_path) {
  Result<Safetensors> weights = Safetensors::Open(weights_path);
  if (!weights.ok()) return weights.status();
  return AudioCodec::Load(*weights, ConfigFor(section), at::kCPU);
}

std::string WeightsPath() { return kRoot + "/models/wren/audio_codec.safetensors"; }

struct Recording {
  at::Tensor wave;   // [T * frame]
  at::Tensor heard;  // [T, K], by the ears
  at::Tensor codes;  // [T, K], by the codec
  at::Tensor made;   // [T * frame]

  int64_t frames() const { return codes.size(0); }
};

class AudioCodecTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto loaded = LoadWith(Section(), WeightsPath());
    ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
    codec_ = std::move(*loaded).release();
  }
  static void TearDownTestSuite() {
    delete codec_;
    codec_ = nullptr;
  }
  void SetUp() override { ASSERT_NE(codec_, nullptr); }

  static Recording Golden(const std::string& name) {
    auto file = Safetensors::Open(kRoot + "/tests/golden/audio_codec.safetensors");
    EXPECT_TRUE(file.ok()) << file.status().ToString();
    const auto read = [&](const std::string& part) { return file->Get(name + "." + part).value().clone(); };
    return {.wave = read("wave"),
            .heard = read("heard").to(at::kLong),
            .codes = read("codes").to(at::kLong),
            .made = read("made")};
  }

  static at::Tensor Frame(const Recording& recording, int64_t frame) {
    return recording.wave.narrow(0, frame * codec_->frame_samples(), codec_->frame_samples()).unsqueeze(0);
  }

  static at::Tensor HearOne(AudioHearingState& state, const at::Tensor& samples) {
    AudioHearingState* const states[] = {&state};
    return codec_->Hear(states, samples);
  }
  static at::Tensor EncodeOne(AudioEncoderState& state, const at::Tensor& samples) {
    AudioEncoderState* const states[] = {&state};
    return codec_->Encode(states, samples);
  }
  static at::Tensor DecodeOne(AudioDecoderState& state, const at::Tensor& codes) {
    AudioDecoderState* const states[] = {&state};
    return codec_->Decode(states, codes)[0];
  }

  static at::Tensor HearAll(const Recording& recording) {
    AudioHearingState state = codec_->MakeHearingState();
    std::vector<at::Tensor> codes;
    for (int64_t t = 0; t < recording.frames(); ++t) codes.push_back(HearOne(state, Frame(recording, t)));
    return at::cat(codes);
  }
  static at::Tensor EncodeAll(const Recording& recording) {
    AudioEncoderState state = codec_->MakeEncoderState();
    std::vector<at::Tensor> codes;
    for (int64_t t = 0; t < recording.frames(); ++t) codes.push_back(EncodeOne(state, Frame(recording, t)));
    return at::cat(codes);
  }
  static at::Tensor DecodeAll(const Recording& recording) {
    AudioDecoderState state = codec_->MakeDecoderState();
    std::vector<at::Tensor> waves;
    for (int64_t t = 0; t < recording.frames(); ++t) {
      waves.push_back(DecodeOne(state, recording.codes.narrow(0, t, 1)));
    }
    return at::cat(waves);
  }

  static double Difference(const at::Tensor& a, const at::Tensor& b) {
    return (a - b).abs().max().item<double>();
  }

  static AudioCodec* codec_;
};

AudioCodec* AudioCodecTest::codec_ = nullptr;

class AudioCodecGoldenTest : public AudioCodecTest, public testing::WithParamInterface<std::string> {};

TEST_P(AudioCodecGoldenTest, StreamingGivesTheTrainersCodesExactly) {
  const Recording golden = Golden(GetParam());
  EXPECT_TRUE(at::equal(EncodeAll(golden), golden.codes));
}

TEST_P(AudioCodecGoldenTest, StreamingHearsTheTrainersCodesExactly) {
  const Recording golden = Golden(GetParam());
  EXPECT_TRUE(at::equal(HearAll(golden), golden.heard));
  EXPECT_FALSE(at::equal(golden.heard, golden.codes));  // the ears have codebooks of their own
}

TEST_P(AudioCodecGoldenTest, StreamingGivesTheTrainersWave) {
  const Recording golden = Golden(GetParam());
  EXPECT_LT(Difference(DecodeAll(golden), golden.made), kWaveTolerance);
}

// Of the output voice: the decoder speaks with no other.
TEST_F(AudioCodecTest, WaveIsSpeechLikeTheOriginalAtTheStatedDelay) {
  const Recording golden = Golden("output");
  const int64_t delay = codec_->decoder_delay_samples();
  const int64_t count = golden.wave.size(0) - delay;
  // Loudness contours in 20 ms windows: they agree at the stated delay and better than 80 ms away from it.
  const auto contour = [](const at::Tensor& wave) {
    return wave.narrow(0, 0, wave.size(0) / 320 * 320).view({-1, 320}).square().mean(1).add(1e-6).log();
  };
  const auto distance = [&](int64_t shift) {
    const int64_t n = count - 1280;
    return (contour(golden.wave.narrow(0, 0, n)) - contour(golden.made.narrow(0, shift, n)))
        .abs()
        .mean()
        .item<double>();
  };
  EXPECT_LT(distance(delay), 1.5);
  EXPECT_LT(distance(delay), 0.6 * distance(delay + 1280));
}

TEST_F(AudioCodecTest, BatchedStreamsEqualTheStreamsAlone) {
  const Recording a = Golden("output");
  const Recording b = Golden("heldout");
  const int64_t lag = 3;  // b joins later, so the two are never at the same frame
  AudioHearingState hearing_a = codec_->MakeHearingState(), hearing_b = codec_->MakeHearingState();
  AudioEncoderState encoder_a = codec_->MakeEncoderState(), encoder_b = codec_->MakeEncoderState();
  AudioDecoderState decoder_a = codec_->MakeDecoderState(), decoder_b = codec_->MakeDecoderState();
  const at::Tensor alone_a = DecodeAll(a), alone_b = DecodeAll(b);
  const int64_t frame = codec_->frame_samples();
  for (int64_t t = 0; t < std::min(a.frames(), b.frames() + lag); ++t) {
    std::vector<AudioHearingState*> hearing = {&hearing_a};
    std::vector<AudioEncoderState*> encoders = {&encoder_a};
    std::vector<AudioDecoderState*> decoders = {&decoder_a};
    std::vector<at::Tensor> samples = {Frame(a, t)}, codes = {a.codes.narrow(0, t, 1)};
    std::vector<at::Tensor> heard = {a.heard.narrow(0, t, 1)};
    const bool both = t >= lag;
    if (both) {
      hearing.insert(hearing.begin(), &hearing_b);  // and in the other order
      encoders.insert(encoders.begin(), &encoder_b);
      decoders.insert(decoders.begin(), &decoder_b);
      samples.insert(samples.begin(), Frame(b, t - lag));
      codes.insert(codes.begin(), b.codes.narrow(0, t - lag, 1));
      heard.insert(heard.begin(), b.heard.narrow(0, t - lag, 1));
    }
    ASSERT_TRUE(at::equal(codec_->Hear(hearing, at::cat(samples)), at::cat(heard))) << "frame " << t;
    const at::Tensor found = codec_->Encode(encoders, at::cat(samples));
    ASSERT_TRUE(at::equal(found, at::cat(codes))) << "frame " << t;
    const std::vector<at::Tensor> made = codec_->Decode(decoders, found);
    EXPECT_LT(Difference(made[both ? 1 : 0], alone_a.narrow(0, t * frame, frame)), kGroupingTolerance);
    if (both) {
      EXPECT_LT(Difference(made[0], alone_b.narrow(0, (t - lag) * frame, frame)), kGroupingTolerance);
    }
  }
}

TEST_F(AudioCodecTest, CopiedStateIsAForkThatLeavesTheOriginalAlone) {
  const Recording a = Golden("output");
  const Recording b = Golden("heldout");
  const int64_t fork = 9;
  AudioHearingState hearing = codec_->MakeHearingState();
  AudioEncoderState encoder = codec_->MakeEncoderState();
  AudioDecoderState decoder = codec_->MakeDecoderState();
  for (int64_t t = 0; t < fork; ++t) {
    HearOne(hearing, Frame(a, t));
    EncodeOne(encoder, Frame(a, t));
    DecodeOne(decoder, a.codes.narrow(0, t, 1));
  }
  AudioHearingState other_hearing = hearing;
  AudioEncoderState other_encoder = encoder;
  AudioDecoderState other_decoder = decoder;
  for (int64_t t = 0; t < 5; ++t) {  // the fork hears and says something else
    HearOne(other_hearing, Frame(b, t));
    EncodeOne(other_encoder, Frame(b, t));
    DecodeOne(other_decoder, b.codes.narrow(0, t, 1));
  }
  const int64_t frame = codec_->frame_samples();
  const at::Tensor wave = DecodeAll(a);
  for (int64_t t = fork; t < a.frames(); ++t) {
    ASSERT_TRUE(at::equal(HearOne(hearing, Frame(a, t)), a.heard.narrow(0, t, 1))) << "frame " << t;
    ASSERT_TRUE(at::equal(EncodeOne(encoder, Frame(a, t)), a.codes.narrow(0, t, 1))) << "frame " << t;
    EXPECT_TRUE(at::equal(DecodeOne(decoder, a.codes.narrow(0, t, 1)), wave.narrow(0, t * frame, frame)));
  }
  EXPECT_EQ(hearing.frames, a.frames());
  EXPECT_EQ(other_hearing.frames, fork + 5);
  EXPECT_EQ(encoder.frames, a.frames());
  EXPECT_EQ(other_encoder.frames, fork + 5);
}

TEST_F(AudioCodecTest, ResetStateIsANewStream) {
  const Recording a = Golden("output");
  AudioHearingState hearing = codec_->MakeHearingState();
  AudioEncoderState encoder = codec_->MakeEncoderState();
  AudioDecoderState decoder = codec_->MakeDecoderState();
  for (int64_t t = 0; t < 7; ++t) {
    HearOne(hearing, Frame(a, t));
    EncodeOne(encoder, Frame(a, t));
    DecodeOne(decoder, a.codes.narrow(0, t, 1));
  }
  hearing.Reset();
  encoder.Reset();
  decoder.Reset();
  EXPECT_TRUE(at::equal(HearOne(hearing, Frame(a, 0)), a.heard.narrow(0, 0, 1)));
  EXPECT_TRUE(at::equal(EncodeOne(encoder, Frame(a, 0)), a.codes.narrow(0, 0, 1)));
  const at::Tensor first = DecodeAll(a).narrow(0, 0, codec_->frame_samples());
  EXPECT_TRUE(at::equal(DecodeOne(decoder, a.codes.narrow(0, 0, 1)), first));
}

TEST_F(AudioCodecTest, StatesItsShape) {
  EXPECT_EQ(codec_->sample_rate(), 16000);
  EXPECT_EQ(codec_->frame_samples(), 1280);
  EXPECT_EQ(codec_->codebook_sizes(), (std::vector<int64_t>{1024, 512, 512, 512}));
  EXPECT_LE(codec_->decoder_delay_samples(), 320);  // 20 ms, what the issue allows beyond the frame
  EXPECT_GT(codec_->parameters(), 1000000u);
}

TEST_F(AudioCodecTest, NamesTheFileAndTheFieldThatIsWrong) {
  const auto refusal = [](const std::string& pointer, const nlohmann::json& value) {
    nlohmann::json section = Section();
    section[nlohmann::json::json_pointer(pointer)] = value;
    auto loaded = LoadWith(section, WeightsPath());
    EXPECT_FALSE(loaded.ok()) << pointer;
    EXPECT_EQ(loaded.status().code(), StatusCode::kDataLoss) << pointer;
    return loaded.status().message();
  };
  const auto names = [](const std::string& message, const std::string& part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  for (const char* field : {"/slope", "/mel/hop", "/source/hop", "/encoder/trunk/0/kind",
                            "/hearing/trunk/0/kind", "/sample_rate"}) {
    std::string path(field);
    std::replace(path.begin(), path.end(), '/', '.');
    names(refusal(field, -1), "folder/config.json: audio_codec" + path);
  }
  names(refusal("/mel/bands", 81), WeightsPath());
  names(refusal("/slope", "steep"), "slope");
  names(refusal("/mel/hop", 0), "mel.hop");
  names(refusal("/mel/bands", 81), "mel.filters");
  names(refusal("/encoder/trunk/0/kind", "dense"), "encoder.trunk.0.kind");
  names(refusal("/encoder/trunk/2/stride", 1), "encoder.trunk");
  names(refusal("/encoder/trunk/1/channels", 4096), "encoder.trunk.1.inner.weight");
  names(refusal("/encoder/semantic", nlohmann::json::array()), "encoder.semantic");
  names(refusal("/hearing/acoustic/0/channels", 128), "hearing.acoustic");
  names(refusal("/hearing", nullptr), "hearing.trunk");
  names(refusal("/decoder/net/0/inputs", 65), "decoder.net.0");
  names(refusal("/source/hop", 128), "source.hop");
  names(refusal("/source/noise_length", 32769), "source.noise");
  names(refusal("/vector_size", 32), "hearing.quantizer.0.vectors");
  names(refusal("/decoder", nullptr), "decoder.net");
}

TEST_F(AudioCodecTest, RefusesAModelWithoutACodec) {
  auto weights = Safetensors::Open(WeightsPath());
  ASSERT_TRUE(weights.ok());
  for (const std::string json : {"", "[]", "{", "{}"}) {
    ModelConfig config = ConfigFor(Section());
    config.audio_codec_json = json;
    const auto loaded = AudioCodec::Load(*weights, config, at::kCPU);
    EXPECT_EQ(loaded.status().code(), StatusCode::kDataLoss) << json;
    EXPECT_EQ(loaded.status().message().find("folder/config.json: audio_codec"), 0u)
        << loaded.status().message();
  }
}

TEST_F(AudioCodecTest, RefusesTheWeightsOfSomethingElse) {
  auto loaded = LoadWith(Section(), kRoot + "/tests/golden/audio_codec.safetensors");
  EXPECT_EQ(loaded.status().code(), StatusCode::kDataLoss);
  EXPECT_NE(loaded.status().message().find("mel.window"), std::string::npos) << loaded.status().message();
}

INSTANTIATE_TEST_SUITE_P(Recordings, AudioCodecGoldenTest, testing::Values("output", "heldout"),
                         [](const auto& recording) { return recording.param; });

}  // namespace
}  // namespace antiphon
