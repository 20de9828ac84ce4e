#include "client/answer_files.h"

#include <filesystem>
#include <vector>

#include "client/image_file.h"
#include "media/wav.h"

namespace antiphon::client {
namespace {

constexpr double kPauseSeconds = 0.5;  // between answers

// "FILE.png", then "FILE-2.png" and so on.
std::string ImagePath(const std::string& path, size_t number) {
  if (number == 1) return path;
  std::filesystem::path numbered(path);
  const std::string name = numbered.stem().string() + "-" + std::to_string(number);
  return numbered.replace_filename(name + numbered.extension().string()).string();
}

}  // namespace

Status WriteSpeech(const std::string& path, std::span<const Answer> answers) {
  std::vector<float> samples;
  int sample_rate = 0;
  for (const Answer& answer : answers) {
    if (answer.audio.empty()) continue;
    sample_rate = answer.sample_rate;
    if (!samples.empty()) samples.resize(samples.size() + static_cast<size_t>(kPauseSeconds * sample_rate));
    samples.insert(samples.end(), answer.audio.begin(), answer.audio.end());
  }
  if (samples.empty()) return FailedPrecondition("there is no speech to write to " + path);
  return WriteWav(path, samples, sample_rate);
}

Status WriteImages(const std::string& path, std::span<const Answer> answers) {
  size_t number = 0;
  for (const Answer& answer : answers) {
    for (const AnswerImage& image : answer.images) {
      if (Status status = WriteFile(ImagePath(path, ++number), image.png); !status.ok()) return status;
    }
  }
  return number > 0 ? OkStatus() : FailedPrecondition("there is no picture to write to " + path);
}

}  // namespace antiphon::client
