#include "media/g711.h"

#include <gtest/gtest.h>
#include <sndfile.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numeric>

#include "tests/media/signals.h"

namespace antiphon {
namespace {

// A file in memory, for libsndfile.
struct MemoryFile {
  std::string bytes;
  sf_count_t at = 0;

  static MemoryFile* Of(void* user) { return static_cast<MemoryFile*>(user); }
  static SF_VIRTUAL_IO Calls() {
    SF_VIRTUAL_IO calls{};
    calls.get_filelen = [](void* user) { return static_cast<sf_count_t>(Of(user)->bytes.size()); };
    calls.seek = [](sf_count_t offset, int whence, void* user) {
      MemoryFile* file = Of(user);
      const auto size = static_cast<sf_count_t>(file->bytes.size());
      file->at = offset + (whence == SEEK_CUR ? file->at : whence == SEEK_END ? size : 0);
      return file->at;
    };
    calls.read = [](void* to, sf_count_t count, void* user) {
      MemoryFile* file = Of(user);
      const auto left = static_cast<sf_count_t>(file->bytes.size()) - file->at;
      const sf_count_t taken = std::clamp<sf_count_t>(left, 0, count);
      std::memcpy(to, file->bytes.data() + file->at, static_cast<size_t>(taken));
      file->at += taken;
      return taken;
    };
    calls.write = [](const void* from, sf_count_t count, void* user) {
      MemoryFile* file = Of(user);
      file->bytes.replace(static_cast<size_t>(file->at), static_cast<size_t>(count),
                          static_cast<const char*>(from), static_cast<size_t>(count));
      file->at += count;
      return count;
    };
    calls.tell = [](void* user) { return Of(user)->at; };
    return calls;
  }
};

SF_INFO RawFormat(G711Law law) {
  SF_INFO info{};
  info.samplerate = kG711SampleRate;
  info.channels = 1;
  info.format = SF_FORMAT_RAW | (law == G711Law::kMu ? SF_FORMAT_ULAW : SF_FORMAT_ALAW);
  return info;
}

// What another implementation, libsndfile's, makes of samples and of bytes.
std::string EncodedElsewhere(const std::vector<int16_t>& samples, G711Law law) {
  MemoryFile file;
  SF_VIRTUAL_IO calls = MemoryFile::Calls();
  SF_INFO info = RawFormat(law);
  SNDFILE* handle = sf_open_virtual(&calls, SFM_WRITE, &info, &file);
  EXPECT_NE(handle, nullptr) << sf_strerror(nullptr);
  const auto count = static_cast<sf_count_t>(samples.size());
  EXPECT_EQ(sf_write_short(handle, samples.data(), count), count);
  sf_close(handle);
  return file.bytes;
}

std::vector<int16_t> DecodedElsewhere(const std::string& bytes, G711Law law) {
  MemoryFile file{bytes};
  SF_VIRTUAL_IO calls = MemoryFile::Calls();
  SF_INFO info = RawFormat(law);
  SNDFILE* handle = sf_open_virtual(&calls, SFM_READ, &info, &file);
  EXPECT_NE(handle, nullptr) << sf_strerror(nullptr);
  std::vector<int16_t> samples(bytes.size());
  const auto count = static_cast<sf_count_t>(samples.size());
  EXPECT_EQ(sf_read_short(handle, samples.data(), count), count);
  sf_close(handle);
  return samples;
}

std::string EveryByte() {
  std::string bytes(256, '\0');
  std::iota(bytes.begin(), bytes.end(), '\0');
  return bytes;
}

// In 16 bits.
std::vector<int> Decoded(std::string_view bytes, G711Law law) {
  std::vector<float> samples;
  AppendG711(bytes, law, &samples);
  std::vector<int> values;
  for (const float sample : samples) values.push_back(static_cast<int>(std::lrint(sample * 32768.0f)));
  return values;
}

class G711Test : public testing::TestWithParam<G711Law> {};
INSTANTIATE_TEST_SUITE_P(Laws, G711Test, testing::Values(G711Law::kMu, G711Law::kA));

// Tables 1 and 2 of ITU-T G.711: the ends of the ranges, the smallest values, and the first value of each
// segment, by 8 for A-law (13 bits) and by 4 for mu-law (14 bits).
TEST(G711TablesTest, DecodesTheValuesOfTheStandard) {
  const std::string mu("\x80\x00\xff\x7f\xfe\x7e\xef\xdf\xcf\xbf\xaf\x9f\x8f", 13);
  EXPECT_EQ(Decoded(mu, G711Law::kMu),
            (std::vector<int>{4 * 8031, -4 * 8031, 0, 0, 4 * 2, -4 * 2, 4 * 33, 4 * 99, 4 * 231, 4 * 495,
                              4 * 1023, 4 * 2079, 4 * 4191}));
  const std::string a("\xaa\x2a\xd5\x55\xd4\x54\xc5\xf5\xe5\x95\x85\xb5\xa5", 13);
  EXPECT_EQ(Decoded(a, G711Law::kA),
            (std::vector<int>{8 * 4032, -8 * 4032, 8 * 1, -8 * 1, 8 * 3, -8 * 3, 8 * 33, 8 * 66, 8 * 132,
                              8 * 264, 8 * 528, 8 * 1056, 8 * 2112}));
}

TEST_P(G711Test, DecodesEveryByteAsAnotherImplementationDoes) {
  const std::vector<int16_t> elsewhere = DecodedElsewhere(EveryByte(), GetParam());
  EXPECT_EQ(Decoded(EveryByte(), GetParam()), std::vector<int>(elsewhere.begin(), elsewhere.end()));
}

TEST_P(G711Test, EncodesEverySampleAsAnotherImplementationDoes) {
  std::vector<int16_t> values(65536);
  std::iota(values.begin(), values.end(), std::numeric_limits<int16_t>::min());
  std::vector<float> samples;
  for (const int16_t value : values) samples.push_back(static_cast<float>(value) / 32768.0f);
  EXPECT_EQ(EncodeG711(samples, GetParam()), EncodedElsewhere(values, GetParam()));
}

TEST_P(G711Test, BytesSurviveTheRoundTrip) {
  std::vector<float> samples;
  AppendG711(EveryByte(), GetParam(), &samples);
  std::string expected = EveryByte();
  if (GetParam() == G711Law::kMu) expected[0x7f] = '\xff';  // both are 0
  EXPECT_EQ(EncodeG711(samples, GetParam()), expected);
}

TEST_P(G711Test, EncodingClampsAndSilencesNonsense) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> loud = {1.0f, 7.0f, kInfinity, -1.0f, -7.0f, -kInfinity};
  const std::vector<int> values = Decoded(EncodeG711(loud, GetParam()), GetParam());
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(values[i], i < 3 ? values[0] : -values[0]);
    EXPECT_GT(std::abs(values[i]), 32000);
  }
  const std::vector<float> none = {std::numeric_limits<float>::quiet_NaN(), 0.0f};
  const std::string silence = EncodeG711(none, GetParam());
  EXPECT_EQ(silence[0], silence[1]);
  EXPECT_LE(std::abs(Decoded(silence, GetParam())[0]), 8);
}

// The law's purpose: the same quality for loud and soft voices.
TEST_P(G711Test, NoiseFollowsTheLevel) {
  for (const float amplitude : {0.9f, 0.1f, 0.02f}) {
    const std::vector<float> tone = Tone(440, kG711SampleRate, 8000, amplitude);
    std::vector<float> heard;
    AppendG711(EncodeG711(tone, GetParam()), GetParam(), &heard);
    double signal = 0, noise = 0;
    for (size_t i = 0; i < tone.size(); ++i) {
      signal += std::pow(tone[i], 2);
      noise += std::pow(heard[i] - tone[i], 2);
    }
    EXPECT_GT(10 * std::log10(signal / noise), 33) << amplitude;
  }
}

TEST_P(G711Test, NothingIsNothing) {
  std::vector<float> samples = {0.5f};
  AppendG711("", GetParam(), &samples);
  EXPECT_EQ(samples, std::vector<float>{0.5f});
  EXPECT_EQ(EncodeG711({}, GetParam()), "");
}

}  // namespace
}  // namespace antiphon
