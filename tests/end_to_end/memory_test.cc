// What a served model costs in memory.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "antiphon/ask.h"
#include "antiphon/client.h"
#include "tests/end_to_end/daemon.h"

namespace antiphon {
namespace {

namespace fs = std::filesystem;

constexpr char kModel[] = "models/wren";
constexpr int64_t kBeside = 250'000'000;  // beside weights and pages: libraries, stacks, buffers

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // shadow memory
#else
constexpr bool kSanitized = false;
#endif

int64_t Kibibytes(const std::string& line) { return std::stoll(line.substr(line.find(':') + 1)) * 1024; }

int64_t ResidentBytes(pid_t process) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return Kibibytes(line);
  }
  return 0;
}

// Of the mappings of `file` in the process.
int64_t ResidentBytesOf(pid_t process, const std::string& file) {
  std::ifstream maps("/proc/" + std::to_string(process) + "/smaps");
  int64_t bytes = 0;
  bool of_file = false;
  for (std::string line; std::getline(maps, line);) {
    if (line.find(" kB") == std::string::npos && line.find('-') != std::string::npos) {
      of_file = line.ends_with(file);
    }
    if (of_file && line.starts_with("Rss:")) bytes += Kibibytes(line);
  }
  return bytes;
}

int64_t WeightBytes() {
  int64_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(kModel)) {
    if (entry.path().extension() == ".safetensors") bytes += static_cast<int64_t>(entry.file_size());
  }
  return bytes;
}

// Types a question and has it answered.
void TakeTurn(const std::string& address) {
  auto client = client::Client::Connect(address, {});
  ASSERT_TRUE(client.ok()) << client.status().ToString();
  auto conversation = (*client)->Open({});
  ASSERT_TRUE(conversation.ok()) << conversation.status().ToString();
  client::Answer answer;
  const Status asked =
      client::Ask(**conversation, client::TypedQuestion{"count from one to five"}, {}, &answer);
  ASSERT_TRUE(asked.ok()) << asked.ToString();
}

// Pages are not resident before they are written, and one turn writes few of them: what there is of them
// counts as "beside".
TEST(MemoryTest, AServerTakesWhatItsWeightsTakeAnd250Megabytes) {
  if (kSanitized) GTEST_SKIP() << "sanitizers have memory of their own";
  Daemon daemon({"--model", kModel, "--listen", "127.0.0.1:0"});
  const auto address = daemon.WaitUntilListening();
  ASSERT_TRUE(address) << daemon.StandardError();
  TakeTurn(*address);
  const int64_t resident = ResidentBytes(daemon.pid());
  EXPECT_GT(resident, WeightBytes());
  EXPECT_LE(resident, WeightBytes() + kBeside);
}

TEST(MemoryTest, MatricesThatWereRoundedWhileLoadingAreNotThereTwice) {
  const std::string file = "wren/backbone.safetensors";
  const auto stored = static_cast<int64_t>(fs::file_size(std::string("models/") + file));
  Daemon as_stored({"--model", kModel, "--listen", "127.0.0.1:0"});
  ASSERT_TRUE(as_stored.WaitUntilListening()) << as_stored.StandardError();
  EXPECT_GT(ResidentBytesOf(as_stored.pid(), file), stored / 2);

  Daemon rounded({"--model", kModel, "--listen", "127.0.0.1:0", "--weights", "int8"});
  const auto address = rounded.WaitUntilListening();
  ASSERT_TRUE(address) << rounded.StandardError();
  TakeTurn(*address);
  EXPECT_LT(ResidentBytesOf(rounded.pid(), file), stored / 2);  // embeddings and norms stay in the file
}

}  // namespace
}  // namespace antiphon
