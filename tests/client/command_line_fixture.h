// The program `antiphon`, run as a user would, against a scripted server: exit status, output, files.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "tests/client/scripted_server.h"

namespace antiphon::client {

struct Outcome {
  int exit_status = -1;
  std::string out;
  std::string err;
};

class CommandLineTest : public ::testing::Test {
 protected:
  static constexpr int kRate = 16000;

  void SetUp() override;
  void TearDown() override;

  // In a folder of the test's own.
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }

  // `arguments` as a shell reads them.
  Outcome Antiphon(const std::string& arguments) const;

  // 300 ms of a tone as WAV. `format`: 1 for integers of `bits`, 3 for 32-bit floats.
  std::string ToneFile(const std::string& name, int rate, int channels, int format, int bits) const;
  // A PNG file of one colour.
  std::string ImageAt(const std::string& name, int width, int height) const;

 private:
  std::string folder_;
};

}  // namespace antiphon::client
