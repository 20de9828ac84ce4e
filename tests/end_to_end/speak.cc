#include "tests/end_to_end/speak.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace antiphon {

Audio Speak(const std::string& voice, const std::string& text) {
  const std::string path =
      testing::TempDir() + "antiphon_end_to_end_question_" + std::to_string(getpid()) + ".wav";
  const std::string command = "espeak-ng -s 150 -v " + voice + " -w " + path + " '" + text + "'";
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  const Result<Audio> audio = ReadWav(path);
  std::filesystem::remove(path);
  EXPECT_TRUE(audio.ok()) << audio.status().ToString();
  return audio.ok() ? *audio : Audio{};
}

}  // namespace antiphon
