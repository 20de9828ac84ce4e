#include "client/replay.h"

#include <grpcpp/grpcpp.h>

#include <fstream>
#include <memory>
#include <utility>

#include "client/grpc_status.h"

namespace antiphon::client {
namespace {

constexpr size_t kPiece = size_t{64} << 10;

// Nothing for a channel or an end that this client does not know: the server is newer.
Result<ReplayDifference::Channel> FromWire(v1::ReplayChannel channel) {
  switch (channel) {
    case v1::REPLAY_CHANNEL_SYMBOL:
      return ReplayDifference::Channel::kSymbol;
    case v1::REPLAY_CHANNEL_HEARD:
      return ReplayDifference::Channel::kHeard;
    case v1::REPLAY_CHANNEL_SPOKEN:
      return ReplayDifference::Channel::kSpoken;
    default:
      return DataLoss("the server tells of a difference in a channel that is not known");
  }
}

Result<RecordingEnd> FromWire(v1::RecordingEnd end) {
  switch (end) {
    case v1::RECORDING_END_CLOSED:
      return RecordingEnd::kClosed;
    case v1::RECORDING_END_FULL:
      return RecordingEnd::kFull;
    case v1::RECORDING_END_LOST:
      return RecordingEnd::kLost;
    case v1::RECORDING_END_BROKEN_OFF:
      return RecordingEnd::kBrokenOff;
    default:
      return DataLoss("the server tells of an end of the recording that is not known");
  }
}

Result<ReplayOutcome> FromWire(const v1::ReplayResponse& message) {
  ReplayOutcome outcome;
  if (message.has_difference()) {
    const v1::ReplayDifference& difference = message.difference();
    const Result<ReplayDifference::Channel> channel = FromWire(difference.channel());
    if (!channel.ok()) return channel.status();
    outcome.difference = ReplayDifference{.position = static_cast<int64_t>(difference.position()),
                                          .channel = *channel,
                                          .codebook = static_cast<int>(difference.codebook()),
                                          .expected = difference.expected(),
                                          .got = difference.got()};
  }
  outcome.counts = {.positions = static_cast<int64_t>(message.positions()),
                    .symbols = static_cast<int64_t>(message.symbols()),
                    .heard_frames = static_cast<int64_t>(message.heard_frames()),
                    .spoken_frames = static_cast<int64_t>(message.spoken_frames())};
  const Result<RecordingEnd> end = FromWire(message.recording_end());
  if (!end.ok()) return end.status();
  outcome.end = *end;
  outcome.recorded_with = message.recorded_with();
  outcome.replayed_with = message.replayed_with();
  return outcome;
}

}  // namespace

Result<ReplayOutcome> Replay(v1::ReplayService::Stub& service, const std::string& path,
                             std::chrono::milliseconds timeout) {
  std::ifstream file(path, std::ios::binary);
  if (!file.is_open()) return NotFound(path + " cannot be read");
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + timeout);
  v1::ReplayResponse response;
  const std::unique_ptr<grpc::ClientWriter<v1::ReplayRequest>> stream = service.Replay(&context, &response);
  v1::ReplayRequest piece;
  bool taken = true;  // false: the call is over, and its status says why
  while (taken && file) {
    std::string* data = piece.mutable_data();
    data->resize(kPiece);
    file.read(data->data(), static_cast<std::streamsize>(kPiece));
    data->resize(static_cast<size_t>(file.gcount()));
    if (!data->empty()) taken = stream->Write(piece);
  }
  if (file.bad()) {
    context.TryCancel();
    static_cast<void>(stream->Finish());
    return NotFound(path + " cannot be read");
  }
  stream->WritesDone();
  const grpc::Status status = stream->Finish();
  // gRPC's own words for a service that is not there depend on its version; a server that has it tells of the
  // recording.
  const bool told = status.error_message().find("the recording") != std::string::npos;
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED && !told) {
    return Status(StatusCode::kUnimplemented, "the server does not replay (antiphond --allow-replay)");
  }
  if (!status.ok()) return FromGrpc(status);
  return FromWire(response);
}

}  // namespace antiphon::client
