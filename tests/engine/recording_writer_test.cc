// Recordings on the disk: what is in the folder, when, and what is refused.
#include "engine/recording_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "common/logging.h"
#include "tests/model/scratch_folder.h"

namespace antiphon {
namespace {

using testing::HasSubstr;

std::vector<std::string> FilesIn(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

std::string ContentOf(const std::string& path) {
  std::stringstream content;
  content << std::ifstream(path, std::ios::binary).rdbuf();
  return content.str();
}

TEST(RecordingWriterTest, WritesAFileASessionThatOnlyItsOwnerReads) {
  const ScratchFolder scratch;
  const std::string folder = scratch.path() + "/made/here";
  {
    auto writer = RecordingWriter::Create(folder);
    ASSERT_TRUE(writer.ok()) << writer.status().ToString();
    const auto first = (*writer)->Open();
    const auto second = (*writer)->Open();
    EXPECT_TRUE(first->Append("one "));
    EXPECT_TRUE(second->Append("2 "));
    EXPECT_TRUE(first->Append("session"));
    first->Close(".", RecordingEnd::kClosed);
    second->Close("!", RecordingEnd::kFull);
  }
  const std::vector<std::string> files = FilesIn(folder);
  ASSERT_EQ(files.size(), 2u);
  EXPECT_THAT(files[0], HasSubstr("/session-"));
  EXPECT_TRUE(files[0].ends_with("-1.recording"));
  EXPECT_EQ(ContentOf(files[0]), "one session.");
  EXPECT_EQ(ContentOf(files[1]), "2 !");
  struct stat status {};
  ASSERT_EQ(stat(files[0].c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST(RecordingWriterTest, TakesNoMoreThanMayWait) {
  const ScratchFolder scratch;
  {
    auto writer = RecordingWriter::Create(scratch.path(), /*max_waiting_bytes=*/100);
    ASSERT_TRUE(writer.ok());
    const auto sink = (*writer)->Open();
    EXPECT_FALSE(sink->Append(std::string(101, 'x')));
    EXPECT_TRUE(sink->Append(std::string(100, 'y')));
    sink->Close("the end is always taken", RecordingEnd::kLost);
  }
  const std::vector<std::string> files = FilesIn(scratch.path());
  ASSERT_EQ(files.size(), 1u);
  std::string expected(100, 'y');
  expected += "the end is always taken";
  EXPECT_EQ(ContentOf(files[0]), expected);
}

TEST(RecordingWriterTest, AFolderThatIsNoneIsRefused) {
  const ScratchFolder scratch;
  const std::string file = scratch.Write("file", "x");
  for (const std::string& folder : {file, file + "/below"}) {
    const auto writer = RecordingWriter::Create(folder);
    ASSERT_FALSE(writer.ok());
    EXPECT_EQ(writer.status().code(), StatusCode::kFailedPrecondition);
    EXPECT_THAT(writer.status().message(), HasSubstr(folder));
  }
}

// The folder is gone after the start: the sessions go on.
TEST(RecordingWriterTest, AFileThatCannotBeMadeIsGivenUp) {
  const ScratchFolder scratch;
  const std::string folder = scratch.path() + "/gone";
  SetLogLevel(LogLevel::kOff);
  {
    auto writer = RecordingWriter::Create(folder);
    ASSERT_TRUE(writer.ok());
    std::filesystem::remove(folder);
    const auto sink = (*writer)->Open();
    EXPECT_TRUE(sink->Append("lost"));
    EXPECT_TRUE(sink->Append("too"));
    sink->Close(".", RecordingEnd::kClosed);
  }
  SetLogLevel(LogLevel::kInfo);
  EXPECT_FALSE(std::filesystem::exists(folder));
}

}  // namespace
}  // namespace antiphon
