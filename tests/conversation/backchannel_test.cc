#include "conversation/backchannel.h"

#include <gtest/gtest.h>

namespace antiphon {
namespace {

TEST(BackchannelTest, ListenersNoisesAreOnes) {
  for (const char* word : {"mhm", "uh-huh", "uh", "huh", "yeah", "okay", "ok", "yes", "right", "oh", "aha"}) {
    EXPECT_TRUE(IsBackchannel(word)) << word;
    EXPECT_TRUE(BeginsBackchannel(word)) << word;
  }
}

TEST(BackchannelTest, WordsThatSaySomethingAreNone) {
  for (const char* word : {"stop", "no", "wait", "what", "yesterday", "o", ""}) {
    EXPECT_FALSE(IsBackchannel(word)) << word;
  }
}

TEST(BackchannelTest, AWordThatIsStillWrittenMayBecomeOne) {
  for (const char* begun : {"m", "mh", "y", "ye", "o", "oka", "uhhu", ""}) {
    EXPECT_TRUE(BeginsBackchannel(begun)) << begun;
  }
  for (const char* begun : {"s", "st", "no", "yest", "okayed"})
    EXPECT_FALSE(BeginsBackchannel(begun)) << begun;
}

}  // namespace
}  // namespace antiphon
