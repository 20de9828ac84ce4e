// The codec's manners of speaking: against what its trainer rendered
// (tests/golden/audio_manners.safetensors), their lengths, and what happens at a change.
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/fft_rfft.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "model/audio_codec.h"
#include "model/model_config.h"
#include "model/safetensors.h"

namespace antiphon {
namespace {

constexpr double kWaveTolerance = 1e-3;      // of full scale, against the trainer
constexpr double kGroupingTolerance = 1e-5;  // against ourselves

const std::string kRoot = ANTIPHON_SOURCE_DIR;

// In the order in which the recording counts them.
constexpr SpeechManner kManners[] = {
    {SpeechVoice::kOwn, SpeechSpeed::kSlow},   {SpeechVoice::kOwn, SpeechSpeed::kNormal},
    {SpeechVoice::kOwn, SpeechSpeed::kFast},   {SpeechVoice::kLow, SpeechSpeed::kSlow},
    {SpeechVoice::kLow, SpeechSpeed::kNormal}, {SpeechVoice::kLow, SpeechSpeed::kFast}};

nlohmann::json Section() {
  std::ifstream file(kRoot + "/tests/golden/audio_codec.json");
  return nlohmann::json::parse(file);
}

std::unique_ptr<AudioCodec> Load(const nlohmann::json& section) {
  ModelConfig config;
  config.sample_rate = 16000;
  config.frame_samples = 1280;
  config.codebook_sizes = {1024, 512, 512, 512};
  config.audio_codec_json = section.dump();
  const auto weights = Safetensors::Open(kRoot + "/models/wren/audio_codec.safetensors");
  auto codec = AudioCodec::Load(weights.value(), config, at::kCPU);
  EXPECT_TRUE(codec.ok()) << codec.status().ToString();
  return codec.ok() ? std::move(*codec) : nullptr;
}

class AudioMannerTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { codec_ = Load(Section()).release(); }
  static void TearDownTestSuite() {
    delete codec_;
    codec_ = nullptr;
  }
  void SetUp() override {
    ASSERT_NE(codec_, nullptr);
    const auto file = Safetensors::Open(kRoot + "/tests/golden/audio_manners.safetensors");
    ASSERT_TRUE(file.ok()) << file.status().ToString();
    codes_ = file->Get("codes").value().to(at::kLong);
    made_ = file->Get("made").value().to(at::kFloat);
    const at::Tensor numbers = file->Get("manners").value().to(at::kLong);
    for (int64_t t = 0; t < numbers.numel(); ++t) {
      manners_.push_back(kManners[numbers[t].item<int64_t>()]);
    }
    ASSERT_EQ(codes_.size(0), static_cast<int64_t>(manners_.size()));
  }

  static at::Tensor DecodeOne(AudioDecoderState& state, const at::Tensor& codes) {
    AudioDecoderState* const states[] = {&state};
    return codec_->Decode(states, codes)[0];
  }
  // The recording's codes, each frame in its manner.
  std::vector<at::Tensor> DecodeAll(const std::vector<SpeechManner>& manners) const {
    AudioDecoderState state = codec_->MakeDecoderState();
    std::vector<at::Tensor> frames;
    for (size_t t = 0; t < manners.size(); ++t) {
      state.manner = manners[t];
      frames.push_back(DecodeOne(state, Codes(t)));
    }
    return frames;
  }
  std::vector<at::Tensor> DecodeAll(SpeechManner manner) const {
    return DecodeAll(std::vector<SpeechManner>(manners_.size(), manner));
  }
  at::Tensor Codes(size_t frame) const { return codes_.narrow(0, static_cast<int64_t>(frame), 1); }

  static double Difference(const at::Tensor& a, const at::Tensor& b) {
    return (a - b).abs().max().item<double>();
  }
  // The largest step from one sample to the next.
  static double Steepest(const at::Tensor& wave) {
    return Difference(wave.narrow(0, 1, wave.size(0) - 1), wave.narrow(0, 0, wave.size(0) - 1));
  }

  static AudioCodec* codec_;
  at::Tensor codes_;                   // [T, K]
  at::Tensor made_;                    // what the trainer made of them
  std::vector<SpeechManner> manners_;  // [T]: every manner, and changes between them
};

AudioCodec* AudioMannerTest::codec_ = nullptr;

TEST_F(AudioMannerTest, StreamingGivesTheTrainersWaveThroughAllManners) {
  ASSERT_TRUE(codec_->has_manners());
  for (const SpeechManner& manner : kManners) {
    EXPECT_GE(std::ranges::count(manners_, manner), 2) << "the recording has not got every manner";
  }
  const at::Tensor made = at::cat(DecodeAll(manners_));
  ASSERT_EQ(made.size(0), made_.size(0));
  EXPECT_GT(made_.abs().max().item<double>(), 0.1) << "the recording is silent";
  EXPECT_LT(Difference(made, made_), kWaveTolerance);
}

TEST_F(AudioMannerTest, EveryFrameHasTheLengthOfItsSpeedAndNothingDrifts) {
  for (const SpeechManner& manner : kManners) {
    const int64_t length = manner.speed == SpeechSpeed::kSlow   ? 1600
                           : manner.speed == SpeechSpeed::kFast ? 1024
                                                                : 1280;
    for (const at::Tensor& frame : DecodeAll(manner)) EXPECT_EQ(frame.size(0), length);
  }
}

TEST_F(AudioMannerTest, AChangeOfSpeedMovesTheDifferenceOfOneHopAndLosesNothing) {
  const auto frames = DecodeAll(manners_);
  int64_t total = 0, spoken = 0;
  for (size_t t = 0; t < frames.size(); ++t) {
    total += frames[t].size(0);
    spoken += SamplesAt(manners_[t].speed, 1280);
    // Samples lie a hop behind: that much is of the speed before the first frame, or the last one's.
    EXPECT_EQ(total - SamplesAt(manners_[0].speed, 160), spoken - SamplesAt(manners_[t].speed, 160));
  }
}

TEST_F(AudioMannerTest, AChangeBeginsWithoutAClick) {
  double steepest = 0;
  for (const SpeechManner& manner : kManners) {
    steepest = std::max(steepest, Steepest(at::cat(DecodeAll(manner))));
  }
  // Also where the sound stands still in loudness: one frame, said over and over.
  AudioDecoderState state = codec_->MakeDecoderState();
  std::vector<at::Tensor> held;
  for (int t = 0; t < 24; ++t) {
    state.manner = kManners[t % 6];
    held.push_back(DecodeOne(state, Codes(6)));
  }
  double steepest_held = 0;
  for (const SpeechManner& manner : kManners) {
    AudioDecoderState steady = codec_->MakeDecoderState();
    steady.manner = manner;
    std::vector<at::Tensor> wave;
    for (int t = 0; t < 24; ++t) wave.push_back(DecodeOne(steady, Codes(6)));
    steepest_held = std::max(steepest_held, Steepest(at::cat(wave)));
  }
  EXPECT_LT(Steepest(at::cat(DecodeAll(manners_))), 1.2 * steepest);
  EXPECT_LT(Steepest(at::cat(held)), 1.2 * steepest_held);
}

TEST_F(AudioMannerTest, TheDefaultMannerIsAsIfThereWereNoOthers) {
  const auto plain = DecodeAll(SpeechManner{});
  AudioDecoderState state = codec_->MakeDecoderState();
  state.manner = kManners[5];
  DecodeOne(state, Codes(0));
  state.Reset();  // forgets the manner too
  EXPECT_EQ(state.manner, SpeechManner{});
  for (size_t t = 0; t < plain.size(); ++t) {
    ASSERT_TRUE(at::equal(DecodeOne(state, Codes(t)), plain[t])) << "frame " << t;
  }
}

TEST_F(AudioMannerTest, TheLowVoiceIsLower) {
  // The centre of the spectrum's weight, its tilt taken off.
  const auto centre = [](const at::Tensor& wave) {
    const at::Tensor power = at::fft_rfft(wave.diff()).abs().square();
    const at::Tensor bins = at::arange(power.size(0), power.options());
    return (power * bins).sum().item<double>() / power.sum().item<double>() / wave.size(0) * 16000;
  };
  // The lag in samples, of some, at which the wave repeats itself best.
  const auto period = [](const at::Tensor& wave, int64_t from, int64_t to) {
    double best = -1;
    int64_t found = 0;
    for (int64_t lag = from; lag < to; ++lag) {
      const int64_t count = wave.size(0) - to;
      const at::Tensor now = wave.narrow(0, 0, count), later = wave.narrow(0, lag, count);
      const double likeness =
          ((now * later).sum() / (now.square().sum() * later.square().sum()).sqrt()).item<double>();
      if (likeness > best) {
        best = likeness;
        found = lag;
      }
    }
    return static_cast<double>(found);
  };
  const at::Tensor own = at::cat(DecodeAll(SpeechManner{}));
  const at::Tensor low = at::cat(DecodeAll({SpeechVoice::kLow, SpeechSpeed::kNormal}));
  EXPECT_NEAR(centre(low) / centre(own), 0.86, 0.06);
  // The loudest 100 ms are voiced.
  int64_t loudest = 0;
  for (int64_t at = 0; at + 1600 <= own.size(0); at += 160) {
    const auto power = [&](int64_t begin) {
      return own.narrow(0, begin, 1600).square().sum().item<double>();
    };
    if (power(at) > power(loudest)) loudest = at;
  }
  const double own_period = period(own.narrow(0, loudest, 1600), 60, 130);  // 267 to 123 Hz
  EXPECT_NEAR(period(low.narrow(0, loudest, 1600), 110, 210) / own_period, 1 / 0.62, 0.1);
}

// Streams of all manners in one call, which join at different times.
TEST_F(AudioMannerTest, BatchedStreamsEqualTheStreamsAlone) {
  std::vector<std::vector<at::Tensor>> alone;
  for (const SpeechManner& manner : kManners) alone.push_back(DecodeAll(manner));
  std::vector<AudioDecoderState> states(6);
  for (size_t t = 0; t < manners_.size(); ++t) {
    std::vector<AudioDecoderState*> batch;
    std::vector<at::Tensor> codes;
    std::vector<size_t> who;
    for (size_t m = 0; m < 6 && m <= t; ++m) {
      if (m == t) {
        states[m] = codec_->MakeDecoderState();
        states[m].manner = kManners[m];
      }
      batch.push_back(&states[m]);
      codes.push_back(Codes(t - m));
      who.push_back(m);
    }
    const auto made = codec_->Decode(batch, at::cat(codes));
    for (size_t i = 0; i < made.size(); ++i) {
      EXPECT_LT(Difference(made[i], alone[who[i]][t - who[i]]), kGroupingTolerance) << "manner " << who[i];
    }
  }
}

TEST_F(AudioMannerTest, ACopiedStateGoesOnInItsManner) {
  const auto whole = DecodeAll(kManners[3]);
  AudioDecoderState state = codec_->MakeDecoderState();
  state.manner = kManners[3];
  for (size_t t = 0; t < 5; ++t) DecodeOne(state, Codes(t));
  AudioDecoderState fork = state;
  state.manner = kManners[2];  // the fork does not follow
  DecodeOne(state, Codes(5));
  for (size_t t = 5; t < whole.size(); ++t) {
    ASSERT_TRUE(at::equal(DecodeOne(fork, Codes(t)), whole[t])) << "frame " << t;
  }
}

TEST(SamplesAtTest, AreExact) {
  EXPECT_EQ(SamplesAt(SpeechSpeed::kSlow, 1280), 1600);
  EXPECT_EQ(SamplesAt(SpeechSpeed::kNormal, 1280), 1280);
  EXPECT_EQ(SamplesAt(SpeechSpeed::kFast, 1280), 1024);
}

}  // namespace
}  // namespace antiphon
