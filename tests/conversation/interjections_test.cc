#include "conversation/interjections.h"

#include <gtest/gtest.h>

namespace antiphon {
namespace {

TEST(InterjectionsTest, ListenersNoisesAreOnes) {
  for (const char* word : {"mhm", "uh-huh", "uh", "huh", "yeah", "okay", "ok", "yes", "right", "oh", "aha"}) {
    EXPECT_TRUE(IsBackchannel(word)) << word;
    EXPECT_TRUE(BeginsBackchannel(word)) << word;
  }
}

TEST(InterjectionsTest, WordsThatSaySomethingAreNone) {
  for (const char* word : {"stop", "no", "wait", "what", "yesterday", "o", ""}) {
    EXPECT_FALSE(IsBackchannel(word)) << word;
  }
}

TEST(InterjectionsTest, AWordThatIsStillWrittenMayBecomeOne) {
  for (const char* begun : {"m", "mh", "y", "ye", "o", "oka", "uhhu", ""}) {
    EXPECT_TRUE(BeginsBackchannel(begun)) << begun;
  }
  for (const char* begun : {"s", "st", "no", "yest", "okayed"})
    EXPECT_FALSE(BeginsBackchannel(begun)) << begun;
}

TEST(InterjectionsTest, WhoWantsItToStopSaysSo) {
  for (const char* word : {"stop", "wait", "no", "enough", "pause", "quiet", "cancel"}) {
    EXPECT_TRUE(IsStopWord(word)) << word;
    EXPECT_FALSE(IsBackchannel(word)) << word;
  }
  for (const char* word : {"stops", "sto", "now", "okay", ""}) EXPECT_FALSE(IsStopWord(word)) << word;
}

}  // namespace
}  // namespace antiphon
