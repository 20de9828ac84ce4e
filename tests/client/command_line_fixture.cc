#include "tests/client/command_line_fixture.h"

#include <sys/wait.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "media/image.h"

namespace antiphon::client {

void CommandLineTest::SetUp() {
  char name[] = "/tmp/antiphon_command_line_XXXXXX";
  ASSERT_NE(mkdtemp(name), nullptr);
  folder_ = name;
}

void CommandLineTest::TearDown() { std::filesystem::remove_all(folder_); }

Outcome CommandLineTest::Antiphon(const std::string& arguments) const {
  Outcome run;
  const std::string command = "'" ANTIPHON_PROGRAM "' " + arguments + " 2>" + Path("stderr");
  FILE* pipe = popen(command.c_str(), "r");
  char buffer[4096];
  while (const size_t got = fread(buffer, 1, sizeof buffer, pipe)) run.out.append(buffer, got);
  const int status = pclose(pipe);
  run.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  std::stringstream err;
  err << std::ifstream(Path("stderr")).rdbuf();
  run.err = err.str();
  return run;
}

std::string CommandLineTest::ToneFile(const std::string& name, int rate, int channels, int format,
                                      int bits) const {
  const int frames = rate * 3 / 10;
  std::string data;
  for (int i = 0; i < frames; ++i) {
    const double x = 0.3 * std::sin(2 * M_PI * 300 * i / rate);
    for (int c = 0; c < channels; ++c) {
      if (format == 3) {
        const auto value = static_cast<float>(x);
        data.append(reinterpret_cast<const char*>(&value), 4);
      } else {
        const auto value = static_cast<int32_t>(std::lround(x * std::pow(2, bits - 1)));
        data.append(reinterpret_cast<const char*>(&value), static_cast<size_t>(bits / 8));
      }
    }
  }
  std::string file = "RIFF";
  const auto number = [&file](uint32_t value, size_t bytes) {
    file.append(reinterpret_cast<const char*>(&value), bytes);
  };
  const auto block = static_cast<uint32_t>(channels * bits / 8);
  number(static_cast<uint32_t>(36 + data.size()), 4);
  file += "WAVEfmt ";
  number(16, 4);
  number(static_cast<uint32_t>(format), 2);
  number(static_cast<uint32_t>(channels), 2);
  number(static_cast<uint32_t>(rate), 4);
  number(static_cast<uint32_t>(rate) * block, 4);
  number(block, 2);
  number(static_cast<uint32_t>(bits), 2);
  file += "data";
  number(static_cast<uint32_t>(data.size()), 4);
  file += data;
  std::ofstream(Path(name), std::ios::binary) << file;
  return Path(name);
}

std::string CommandLineTest::ImageAt(const std::string& name, int width, int height) const {
  const Image image{.width = width,
                    .height = height,
                    .rgb = std::vector<uint8_t>(static_cast<size_t>(3 * width * height), 99)};
  std::ofstream(Path(name), std::ios::binary) << EncodePng(image).value();
  return Path(name);
}

}  // namespace antiphon::client
