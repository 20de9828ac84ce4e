// `antiphon replay` as a user runs it, against a scripted server.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "antiphon/v1/replay.grpc.pb.h"
#include "tests/client/scripted_server.h"

namespace antiphon::client {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

// Answers as the file says: "equal", "differs" (in a heard code) or "differs in symbol"; a large one that is
// all "x" is equal too; else DATA_LOSS. "meet" waits until `meeting` of them are there.
class ScriptedReplays final : public v1::ReplayService::Service {
 public:
  int meeting = 1;

  grpc::Status Replay(grpc::ServerContext*, grpc::ServerReader<v1::ReplayRequest>* reader,
                      v1::ReplayResponse* response) override {
    std::string bytes;
    v1::ReplayRequest piece;
    while (reader->Read(&piece)) bytes += piece.data();
    const bool large = bytes.size() > 100'000 && bytes.find_first_not_of('x') == std::string::npos;
    if (bytes == "meet" && !Meet()) return {grpc::StatusCode::INTERNAL, "the others did not come"};
    if (!large && bytes != "equal" && bytes != "meet" && !bytes.starts_with("differs")) {
      return {grpc::StatusCode::DATA_LOSS, "the recording's record at byte 27 has a wrong checksum"};
    }
    response->set_positions(bytes.size());
    response->set_symbols(30);
    response->set_heard_frames(20);
    response->set_spoken_frames(10);
    response->set_recording_end(v1::RECORDING_END_CLOSED);
    response->set_recorded_with("stored weights, avx2 kernels");
    response->set_replayed_with("stored weights, avx2 kernels");
    if (!bytes.starts_with("differs")) return grpc::Status::OK;
    v1::ReplayDifference* difference = response->mutable_difference();
    difference->set_position(41);
    difference->set_channel(bytes == "differs" ? v1::REPLAY_CHANNEL_HEARD : v1::REPLAY_CHANNEL_SYMBOL);
    difference->set_codebook(bytes == "differs" ? 2 : 0);
    difference->set_expected(93);
    difference->set_got(17);
    response->set_recording_end(v1::RECORDING_END_BROKEN_OFF);
    response->set_replayed_with("int8 weights, avx2 kernels");
    return grpc::Status::OK;
  }

 private:
  bool Meet() {
    std::unique_lock lock(mutex_);
    ++here_;
    changed_.notify_all();
    return changed_.wait_for(lock, std::chrono::seconds(20), [this] { return here_ >= meeting; });
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  int here_ = 0;  // guarded by mutex_
};

struct Outcome {
  int exit_status = -1;
  std::string out;
  std::string err;
};

class ReplayCommandTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/antiphon_replay_XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    target_ = "127.0.0.1:" + std::to_string(port);
  }
  void TearDown() override {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
    std::filesystem::remove_all(folder_);
  }

  std::string File(const std::string& name, const std::string& content) const {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }

  Outcome Replay(const std::string& arguments, const std::string& target) const {
    Outcome run;
    const std::string err = folder_ + "/stderr";
    const std::string command =
        "'" ANTIPHON_PROGRAM "' replay --server " + target + " " + arguments + " 2>" + err;
    FILE* pipe = popen(command.c_str(), "r");
    char buffer[4096];
    while (const size_t got = fread(buffer, 1, sizeof buffer, pipe)) run.out.append(buffer, got);
    const int status = pclose(pipe);
    run.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    std::stringstream content;
    content << std::ifstream(err).rdbuf();
    run.err = content.str();
    return run;
  }
  Outcome Replay(const std::string& arguments) const { return Replay(arguments, target_); }

  std::string folder_;
  ScriptedReplays service_;
  std::unique_ptr<grpc::Server> server_;
  std::string target_;
};

TEST_F(ReplayCommandTest, SaysThatAllIsEqual) {
  const std::string first = File("a", "equal");
  const std::string large = File("b", std::string(200'000, 'x'));
  const Outcome run = Replay(first + " " + large);
  EXPECT_EQ(run.exit_status, 0) << run.err;
  EXPECT_EQ(run.out, first + ": equal (5 positions, 30 symbols, 20 frames heard, 10 spoken)\n" + large +
                         ": equal (200000 positions, 30 symbols, 20 frames heard, 10 spoken)\n" +
                         "2 of 2 recordings equal\n");
  EXPECT_EQ(run.err, "");
}

TEST_F(ReplayCommandTest, PrintsTheFirstDifferenceAndFails) {
  const Outcome run = Replay(File("a", "equal") + " " + File("b", "differs") + " " +
                             File("c", "differs in symbol") + " --sessions 3");
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_THAT(run.out, HasSubstr("DIFFERENT at position 41: heard code 2, expected 93, got 17"));
  EXPECT_THAT(run.out, HasSubstr("DIFFERENT at position 41: symbol, expected 93, got 17"));
  EXPECT_THAT(run.out, HasSubstr("recording broken off"));
  EXPECT_THAT(run.out, HasSubstr("recorded with stored weights, avx2 kernels, replayed with int8 weights"));
  EXPECT_THAT(run.out, HasSubstr("1 of 3 recordings equal"));
}

TEST_F(ReplayCommandTest, PrintsJson) {
  const std::string differs = File("b", "differs");
  const Outcome run = Replay(differs + " " + File("c", "broken") + " --json");
  EXPECT_EQ(run.exit_status, 1);
  const json output = json::parse(run.out);
  EXPECT_EQ(output["equal"], false);
  ASSERT_EQ(output["recordings"].size(), 2u);
  const json& first = output["recordings"][0];
  EXPECT_EQ(first["file"], differs);
  EXPECT_EQ(first["error"], nullptr);
  EXPECT_EQ(first["equal"], false);
  const json difference = {
      {"position", 41}, {"channel", "heard"}, {"codebook", 2}, {"expected", 93}, {"got", 17}};
  EXPECT_EQ(first["difference"], difference);
  EXPECT_EQ(first["positions"], 7);
  EXPECT_EQ(output["recordings"][1]["error"]["code"], "DATA_LOSS");
  EXPECT_THAT(run.err, HasSubstr("wrong checksum"));
}

TEST_F(ReplayCommandTest, RunsSoManyAtATime) {
  service_.meeting = 3;
  std::string files;
  for (const char* name : {"a", "b", "c"}) files += File(name, "meet") + " ";
  const Outcome run = Replay(files + "--sessions 3");
  EXPECT_EQ(run.exit_status, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("3 of 3 recordings equal"));
}

TEST_F(ReplayCommandTest, SaysWhatIsWrong) {
  const Outcome missing = Replay(folder_ + "/none");
  EXPECT_EQ(missing.exit_status, 1);
  EXPECT_THAT(missing.err, HasSubstr("NOT_FOUND"));
  EXPECT_EQ(Replay("").exit_status, 2);
  EXPECT_EQ(Replay(File("a", "equal") + " --sessions 0").exit_status, 2);
  const Outcome nobody = Replay(File("a", "equal"), "127.0.0.1:1");
  EXPECT_EQ(nobody.exit_status, 1);
  EXPECT_THAT(nobody.err, HasSubstr("UNAVAILABLE"));
  // A server that does not serve it.
  const testing::ScriptedServer other([](testing::Call&) { return grpc::Status::OK; });
  const Outcome closed = Replay(File("a", "equal"), other.target());
  EXPECT_EQ(closed.exit_status, 1);
  EXPECT_THAT(closed.err, HasSubstr("--allow-replay"));
}

}  // namespace
}  // namespace antiphon::client
