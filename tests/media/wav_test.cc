#include "media/wav.h"

#include <gtest/gtest.h>
#include <sndfile.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include "tests/media/signals.h"

namespace antiphon {
namespace {

class WavTest : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }

  // Writes interleaved samples in one of libsndfile's formats.
  void WriteFormat(int format, int rate, int channels, const std::vector<float>& samples) {
    SF_INFO info{};
    info.format = format;
    info.samplerate = rate;
    info.channels = channels;
    SNDFILE* file = sf_open(path_.c_str(), SFM_WRITE, &info);
    ASSERT_NE(file, nullptr) << sf_strerror(nullptr);
    const auto frames = static_cast<sf_count_t>(samples.size()) / channels;
    EXPECT_EQ(sf_writef_float(file, samples.data(), frames), frames);
    sf_close(file);
  }
  void WriteBytes(const std::string& bytes) {
    std::ofstream(path_, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }

  const std::string path_ = testing::TempDir() + "antiphon_wav_test_" + std::to_string(getpid()) + ".wav";
};

TEST_F(WavTest, WhatIsWrittenIsRead) {
  const std::vector<float> tone = Tone(440, 24000, 1234);
  ASSERT_TRUE(WriteWav(path_, tone, 24000).ok());
  const Result<Audio> audio = ReadWav(path_);
  ASSERT_TRUE(audio.ok()) << audio.status().ToString();
  EXPECT_EQ(audio->sample_rate, 24000);
  ASSERT_EQ(audio->samples.size(), tone.size());
  for (size_t i = 0; i < tone.size(); ++i) ASSERT_NEAR(audio->samples[i], tone[i], 0.51f / 32768.0f);
  EXPECT_DOUBLE_EQ(audio->seconds(), 1234.0 / 24000.0);
}

TEST_F(WavTest, MemoryAndFileAgree) {
  const std::vector<float> tone = Tone(300, 16000, 777);
  const Result<std::string> bytes = EncodeWav(tone, 16000);
  ASSERT_TRUE(bytes.ok());
  WriteBytes(*bytes);
  const Result<Audio> from_file = ReadWav(path_);
  const Result<Audio> from_memory = ReadWavBytes(*bytes);
  ASSERT_TRUE(from_file.ok());
  ASSERT_TRUE(from_memory.ok());
  EXPECT_EQ(from_file->samples, from_memory->samples);
  EXPECT_EQ(from_file->samples.size(), 777u);
}

TEST_F(WavTest, ReadsEveryCommonFormat) {
  const struct {
    const char* name;
    int format;
    float tolerance;
  } cases[] = {{"8 bit", SF_FORMAT_WAV | SF_FORMAT_PCM_U8, 1.0f / 100},
               {"16 bit", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 1.0f / 30000},
               {"24 bit", SF_FORMAT_WAV | SF_FORMAT_PCM_24, 1e-6f},
               {"float", SF_FORMAT_WAV | SF_FORMAT_FLOAT, 1e-7f},
               {"double", SF_FORMAT_WAV | SF_FORMAT_DOUBLE, 1e-7f},
               {"u-law", SF_FORMAT_WAV | SF_FORMAT_ULAW, 0.03f},
               {"extensible", SF_FORMAT_WAVEX | SF_FORMAT_PCM_16, 1.0f / 30000},
               {"FLAC", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 1.0f / 30000}};
  const std::vector<float> tone = Tone(500, 22050, 5000);
  for (const auto& c : cases) {
    WriteFormat(c.format, 22050, 1, tone);
    const Result<Audio> audio = ReadWav(path_);
    ASSERT_TRUE(audio.ok()) << c.name << ": " << audio.status().ToString();
    EXPECT_EQ(audio->sample_rate, 22050) << c.name;
    ASSERT_EQ(audio->samples.size(), tone.size()) << c.name;
    for (size_t i = 0; i < tone.size(); ++i) ASSERT_NEAR(audio->samples[i], tone[i], c.tolerance) << c.name;
  }
}

TEST_F(WavTest, ChannelsAreAveraged) {
  WriteFormat(SF_FORMAT_WAV | SF_FORMAT_FLOAT, 48000, 2, {0.5f, 0.25f, -1.0f, 1.0f, 0.0f, -0.5f});
  const Result<Audio> audio = ReadWav(path_);
  ASSERT_TRUE(audio.ok());
  EXPECT_EQ(audio->samples, (std::vector<float>{0.375f, 0.0f, -0.25f}));
}

TEST_F(WavTest, AFileOutsideTheLimitsIsRefused) {
  WriteFormat(SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 3, Tone(100, 16000, 48000));
  EXPECT_TRUE(ReadWav(path_).ok());
  EXPECT_EQ(ReadWav(path_, {.max_channels = 2}).status().code(), StatusCode::kOutOfRange);
  EXPECT_EQ(ReadWav(path_, {.max_seconds = 0.5}).status().code(), StatusCode::kOutOfRange);
  EXPECT_TRUE(ReadWav(path_, {.max_seconds = 1.0}).ok());
  WriteFormat(SF_FORMAT_WAV | SF_FORMAT_PCM_16, 1000, 1, Tone(100, 1000, 100));
  EXPECT_EQ(ReadWav(path_).status().code(), StatusCode::kOutOfRange);
}

TEST_F(WavTest, SamplesThatAreNotNumbersAreRefused) {
  WriteFormat(SF_FORMAT_WAV | SF_FORMAT_FLOAT, 16000, 1, {0.1f, std::numeric_limits<float>::quiet_NaN()});
  EXPECT_EQ(ReadWav(path_).status().code(), StatusCode::kDataLoss);
}

TEST_F(WavTest, WhatIsNotAudioIsRefused) {
  EXPECT_EQ(ReadWav(path_).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(ReadWav(testing::TempDir()).status().code(), StatusCode::kDataLoss);
  const std::string good = EncodeWav(Tone(440, 16000, 400), 16000).value();
  const std::string cases[] = {"", "RIFF", "hello, this is not a sound", std::string(1000, '\0'),
                               good.substr(0, 30)};
  for (const std::string& bytes : cases) {
    WriteBytes(bytes);
    EXPECT_EQ(ReadWav(path_).status().code(), StatusCode::kDataLoss) << bytes.size() << " bytes";
    EXPECT_EQ(ReadWavBytes(bytes).status().code(), StatusCode::kDataLoss) << bytes.size() << " bytes";
  }
}

TEST_F(WavTest, AHeaderMayClaimMoreThanThereIs) {
  // As written by programs that stream to a pipe.
  std::string bytes = EncodeWav(Tone(440, 16000, 400), 16000).value();
  const uint32_t claimed = 0x7ffff000;
  std::memcpy(bytes.data() + 40, &claimed, 4);
  const Result<Audio> audio = ReadWavBytes(bytes);
  ASSERT_TRUE(audio.ok()) << audio.status().ToString();
  EXPECT_EQ(audio->samples.size(), 400u);
}

TEST_F(WavTest, DamagedBytesNeverCrash) {
  const std::string good = EncodeWav(Tone(440, 16000, 200), 16000).value();
  for (size_t position = 0; position < 60; ++position) {
    for (const int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      std::string bytes = good;
      bytes[position] = static_cast<char>(value);
      const Result<Audio> audio = ReadWavBytes(bytes);
      if (audio.ok()) {
        EXPECT_LE(audio->samples.size(), 1000u);
      }
    }
  }
}

TEST_F(WavTest, WritingFailsWithAReason) {
  const std::vector<float> samples(10, 0.0f);
  EXPECT_EQ(WriteWav(testing::TempDir() + "no/such/folder/x.wav", samples, 16000).code(),
            StatusCode::kUnavailable);
  EXPECT_EQ(WriteWav(path_, samples, 0).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(EncodeWav(samples, 500000).status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace antiphon
