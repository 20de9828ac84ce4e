#include "media/wav.h"

#include <sndfile.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>

#include "media/pcm.h"

namespace antiphon {
namespace {

constexpr int kMinRate = 4000;
constexpr int kMaxRate = 192000;

struct Closer {
  void operator()(SNDFILE* file) const { sf_close(file); }
};
using SoundFile = std::unique_ptr<SNDFILE, Closer>;

// Everything but the opening. `name` is for messages.
Result<Audio> ReadOpened(SNDFILE* file, const SF_INFO& info, const std::string& name,
                         const AudioLimits& limits) {
  if (info.samplerate < kMinRate || info.samplerate > kMaxRate) {
    return OutOfRange(name + ": sample rate is " + std::to_string(info.samplerate) +
                      " Hz, must be 4000 to 192000");
  }
  if (info.channels < 1 || info.channels > limits.max_channels) {
    return OutOfRange(name + " has " + std::to_string(info.channels) + " channels, must be 1 to " +
                      std::to_string(limits.max_channels));
  }
  const auto max_frames = static_cast<size_t>(limits.max_seconds * info.samplerate);
  const auto channels = static_cast<size_t>(info.channels);
  Audio audio;
  audio.sample_rate = info.samplerate;
  // In blocks, and not as the header says: a header can claim any length.
  constexpr size_t kBlockFrames = 4096;
  std::vector<float> block(kBlockFrames * channels);
  while (true) {
    const sf_count_t got = sf_readf_float(file, block.data(), kBlockFrames);
    if (got <= 0) break;
    for (size_t i = 0; i < static_cast<size_t>(got); ++i) {
      float sum = 0.0f;
      for (size_t c = 0; c < channels; ++c) sum += block[i * channels + c];
      if (!std::isfinite(sum)) return DataLoss(name + " holds samples that are not finite numbers");
      audio.samples.push_back(std::clamp(sum / static_cast<float>(channels), -1.0f, 1.0f));
    }
    if (audio.samples.size() > max_frames) {
      return OutOfRange(name + " is longer than " + std::to_string(limits.max_seconds) + " s");
    }
  }
  if (sf_error(file) != SF_ERR_NO_ERROR) return DataLoss(name + ": " + sf_strerror(file));
  return audio;
}

// libsndfile's view of a block of memory.
struct MemoryFile {
  std::string_view bytes;
  sf_count_t position = 0;
};

sf_count_t MemoryLength(void* user) {
  return static_cast<sf_count_t>(static_cast<MemoryFile*>(user)->bytes.size());
}

sf_count_t MemorySeek(sf_count_t offset, int whence, void* user) {
  auto* memory = static_cast<MemoryFile*>(user);
  const auto size = static_cast<sf_count_t>(memory->bytes.size());
  const sf_count_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? memory->position : size;
  // Compared before adding: the offset comes from the file and may be anything.
  if (offset < -base || offset > size - base) return -1;
  memory->position = base + offset;
  return memory->position;
}

sf_count_t MemoryRead(void* target, sf_count_t count, void* user) {
  auto* memory = static_cast<MemoryFile*>(user);
  const auto left = static_cast<sf_count_t>(memory->bytes.size()) - memory->position;
  const sf_count_t taken = std::clamp<sf_count_t>(count, 0, left);
  std::memcpy(target, memory->bytes.data() + memory->position, static_cast<size_t>(taken));
  memory->position += taken;
  return taken;
}

sf_count_t MemoryWrite(const void*, sf_count_t, void*) { return 0; }

sf_count_t MemoryTell(void* user) { return static_cast<MemoryFile*>(user)->position; }

void AppendLittleEndian(uint32_t value, size_t bytes, std::string* out) {
  for (size_t i = 0; i < bytes; ++i) out->push_back(static_cast<char>((value >> (8 * i)) & 0xff));
}

}  // namespace

Result<Audio> ReadWav(const std::string& path, const AudioLimits& limits) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return NotFound(path + " does not exist");
  if (!std::filesystem::is_regular_file(path, error)) return DataLoss(path + " is not a file");
  SF_INFO info{};
  const SoundFile file(sf_open(path.c_str(), SFM_READ, &info));
  if (file == nullptr) return DataLoss(path + " is not an audio file: " + sf_strerror(nullptr));
  return ReadOpened(file.get(), info, path, limits);
}

Result<Audio> ReadWavBytes(std::string_view bytes, const AudioLimits& limits) {
  MemoryFile memory{bytes};
  SF_VIRTUAL_IO io{MemoryLength, MemorySeek, MemoryRead, MemoryWrite, MemoryTell};
  SF_INFO info{};
  const SoundFile file(sf_open_virtual(&io, SFM_READ, &info, &memory));
  if (file == nullptr) return DataLoss(std::string("not audio: ") + sf_strerror(nullptr));
  return ReadOpened(file.get(), info, "audio", limits);
}

Result<std::string> EncodeWav(std::span<const float> samples, int sample_rate) {
  if (sample_rate < kMinRate || sample_rate > kMaxRate) {
    return InvalidArgument("sample rate is " + std::to_string(sample_rate) + " Hz, must be 4000 to 192000");
  }
  constexpr size_t kMaxSamples = 0x7fff0000 / 2;  // the format counts bytes in 32 bits
  if (samples.size() > kMaxSamples) return InvalidArgument("too many samples for a WAV file");
  const std::string data = EncodePcm16(samples);
  const auto data_bytes = static_cast<uint32_t>(data.size());
  const auto rate = static_cast<uint32_t>(sample_rate);
  std::string wav;
  wav.reserve(44 + data.size());
  wav += "RIFF";
  AppendLittleEndian(36 + data_bytes, 4, &wav);
  wav += "WAVEfmt ";
  AppendLittleEndian(16, 4, &wav);        // bytes of this chunk
  AppendLittleEndian(1, 2, &wav);         // integer PCM
  AppendLittleEndian(1, 2, &wav);         // channels
  AppendLittleEndian(rate, 4, &wav);      //
  AppendLittleEndian(rate * 2, 4, &wav);  // bytes a second
  AppendLittleEndian(2, 2, &wav);         // bytes a sample
  AppendLittleEndian(16, 2, &wav);        // bits a sample
  wav += "data";
  AppendLittleEndian(data_bytes, 4, &wav);
  wav += data;
  return wav;
}

Status WriteWav(const std::string& path, std::span<const float> samples, int sample_rate) {
  const Result<std::string> wav = EncodeWav(samples, sample_rate);
  if (!wav.ok()) return wav.status();
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(wav->data(), static_cast<std::streamsize>(wav->size()));
  file.close();
  if (!file) return Unavailable("cannot write " + path + ": " + std::strerror(errno));
  return OkStatus();
}

}  // namespace antiphon
