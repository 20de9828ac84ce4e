// A real gRPC server on a real socket that does what the test's script says, so that the client can be shown
// every behaviour a server might have, the bad ones included.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "antiphon/v1/conversation.grpc.pb.h"
#include "antiphon/v1/generation.grpc.pb.h"
#include "antiphon/v1/model.grpc.pb.h"

namespace antiphon::testing {

struct ReceivedMessage {
  std::chrono::steady_clock::time_point at;
  v1::ClientEvent event;
};

// One Converse call, as a script sees it. Writes number themselves.
class Call {
 public:
  Call(grpc::ServerContext* context, grpc::ServerReaderWriter<v1::ServerEvent, v1::ClientEvent>* stream)
      : context_(context), stream_(stream) {}

  grpc::ServerContext& context() { return *context_; }

  // The next message; false when the client has half-closed or is gone. Everything read is kept in `log`.
  bool Read(v1::ClientEvent* event);
  bool Write(v1::ServerEvent event);
  // As Write, with a sequence number of the script's choice.
  bool WriteNumbered(v1::ServerEvent event, uint64_t sequence_number);

  // Reads the first message, which has to be a SessionUpdate, and answers with SessionCreated and
  // SessionUpdated.
  bool CreateSession();
  // Reads on until a message of this kind came.
  bool ReadUntil(v1::ClientEvent::EventCase kind, v1::ClientEvent* event = nullptr);

  // Pieces of an answer.
  void EndTurn(const std::string& transcript, v1::TurnEnded::Cause cause = v1::TurnEnded::CAUSE_MODEL);
  void StartResponse();
  void SendText(const std::string& text);
  void SendPcm(const std::vector<int16_t>& samples);
  // The next picture of the response, of 64 x 64 pixels and 8 x 8 codes.
  void StartImage();
  void SendPreview(int rows, const std::string& png);
  void FinishImage(const std::string& png);
  // A call, complete and fitting; "call-1" is the first.
  void CallFunction(const std::string& name, const std::string& arguments);
  void SendDone(v1::ResponseDone::Status status = v1::ResponseDone::STATUS_COMPLETED);
  // All of them: `audio_ms` of a tone, or nothing when 0.
  void Answer(const std::string& transcript, const std::string& text, int audio_ms, int sample_rate);

  std::vector<ReceivedMessage> log;

 private:
  grpc::ServerContext* const context_;
  grpc::ServerReaderWriter<v1::ServerEvent, v1::ClientEvent>* const stream_;
  uint64_t sequence_number_ = 0;
  int responses_ = 0;
  std::string text_;
  uint64_t samples_sent_ = 0;
  uint32_t images_ = 0;  // of the response, begun
  uint32_t calls_ = 0;   // of all responses
};

using Script = std::function<grpc::Status(Call& call)>;

// One Generate call, as a script sees it.
using GenerateScript =
    std::function<grpc::Status(grpc::ServerContext& context, const v1::GenerateRequest& request,
                               grpc::ServerWriter<v1::GenerateResponse>& writer)>;

class ScriptedServer {
 public:
  // Serves until destroyed; each call runs its script on a thread of its own.
  explicit ScriptedServer(Script script, GenerateScript generate = {});
  ~ScriptedServer();

  // "127.0.0.1:PORT".
  const std::string& target() const { return target_; }
  // Cuts every connection without ceremony, as a crash would.
  void Kill();

  // Everything the calls that have ended had received, call after call.
  std::vector<ReceivedMessage> received() const;
  // Waits until that many calls have ended; false after five seconds.
  bool WaitForCalls(int count) const;

 private:
  class Conversations;
  class Generations;
  class Models;

  std::unique_ptr<Conversations> conversations_;
  std::unique_ptr<Generations> generations_;
  std::unique_ptr<Models> models_;
  std::unique_ptr<grpc::Server> server_;
  std::string target_;
};

// Instead of PNG files: the client does not look into them.
inline constexpr char kPreview[] = "the half of a picture";
inline constexpr char kPicture[] = "a picture";

// A server with some sense: it answers every turn, ending a spoken one after `silence_ms` of quiet behind
// sound (the input is PCM16 at `rate`, the output too), a typed one at its commit. The transcript is "heard N
// ms" or the text; the answer is "answer K" for the turn K, with 400 ms of tone unless only text is wanted. A
// text with "draw" in it gets a picture as well, whose files are kPreview and kPicture.
Script AnsweringScript(int rate, int silence_ms = 100);

// The answer "answer N", N the number of parts, with 400 ms of tone in PCM16 if speech is wanted and a
// picture if one is; the transcript is "heard audio" if there is audio.
GenerateScript AnsweringGenerateScript();

}  // namespace antiphon::testing
