#include "tests/end_to_end/recogniser.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "media/resampler.h"
#include "media/wav.h"

namespace antiphon {
namespace {

constexpr int kRate = 16000;  // of pocketsphinx's English models

std::string Grammar(const std::vector<std::string>& sentences) {
  std::string grammar = "#JSGF V1.0;\ngrammar answers;\npublic <answer> = ";
  for (size_t i = 0; i < sentences.size(); ++i) grammar += (i == 0 ? "" : " | ") + sentences[i];
  return grammar + ";\n";
}

std::string Output(const std::string& command) {
  std::string output;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return output;
  std::array<char, 4096> part;
  while (const size_t count = fread(part.data(), 1, part.size(), pipe)) output.append(part.data(), count);
  EXPECT_EQ(pclose(pipe), 0) << command;
  return output;
}

}  // namespace

std::string Recognise(std::span<const float> samples, int sample_rate,
                      const std::vector<std::string>& sentences) {
  std::string folder = testing::TempDir() + "antiphon_recogniser_XXXXXX";
  EXPECT_NE(mkdtemp(folder.data()), nullptr);
  auto resampled = Resample(samples, sample_rate, kRate);
  EXPECT_TRUE(resampled.ok());
  // Silence on both sides: the decoder estimates the noise from it.
  std::vector<float> padded(kRate / 2, 0.0f);
  padded.insert(padded.end(), resampled->begin(), resampled->end());
  padded.resize(padded.size() + kRate / 2, 0.0f);
  EXPECT_TRUE(WriteWav(folder + "/answer.wav", padded, kRate).ok());
  std::ofstream(folder + "/answers.gram") << Grammar(sentences);
  std::string heard = Output("pocketsphinx_continuous -logfn /dev/null -infile " + folder +
                             "/answer.wav -jsgf " + folder + "/answers.gram");
  std::filesystem::remove_all(folder);
  while (!heard.empty() && heard.back() == '\n') heard.pop_back();
  return heard;
}

}  // namespace antiphon
