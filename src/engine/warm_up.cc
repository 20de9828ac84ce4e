#include "engine/warm_up.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>

#include "engine/sequence_port.h"
#include "engine/sequence_request.h"

namespace antiphon {
namespace {

constexpr int kFramesEach = 3;   // heard, then spoken, by each sequence
constexpr int kMostAtOnce = 16;  // sequences
constexpr int kMostSteps = 200;  // of a round, for each sequence: far more than it takes

// The port of a sequence that notes its first error in `error`.
std::shared_ptr<SequencePort> OpenPort(Status* error) {
  return std::make_shared<SequencePort>(PortLimits{}, [error](uint64_t, const SequenceEvent& event) {
    if (!error->ok()) return;
    if (const auto* done = std::get_if<ResponseDone>(&event)) *error = done->error;
    if (const auto* refused = std::get_if<InputRefused>(&event)) *error = refused->error;
  });
}

void RunRound(EngineLoop& loop, int sequences, const std::vector<int64_t>& pieces, int64_t frame_samples,
              Status* error) {
  SequenceOptions options;
  options.semantic_turns = false;
  options.max_response_frames = kFramesEach;
  options.max_response_pieces = kFramesEach;
  options.max_response_images = 0;
  std::vector<std::shared_ptr<SequencePort>> ports;
  for (int i = 0; i < sequences; ++i) {
    ports.push_back(OpenPort(error));
    loop.Add(ports.back(), options);
    std::vector<SequenceRequest> requests;
    if (!pieces.empty()) requests.push_back(TypedText{.text = "", .pieces = pieces, .received = {}});
    for (int frame = 0; frame < kFramesEach; ++frame) {
      requests.push_back(HeardFrame{
          .samples = std::vector<float>(static_cast<size_t>(frame_samples)), .received = {}, .given = {}});
    }
    requests.push_back(TurnEndRequest{});
    for (SequenceRequest& request : requests) {
      if (const Status posted = ports.back()->Post(std::move(request)); !posted.ok()) *error = posted;
    }
  }
  int left = kMostSteps * sequences;
  while (left > 0 && loop.RunOnce()) --left;
  if (left == 0 && error->ok()) *error = Internal("the steps that the engine begins with do not end");
  for (const auto& port : ports) port->Close();
  loop.RunOnce();  // lets the sequences go
}

}  // namespace

Status WarmUp(EngineLoop& loop, const std::vector<int64_t>& pieces, int64_t frame_samples,
              int max_sequences) {
  Status error;
  RunRound(loop, 1, pieces, frame_samples, &error);
  loop.ForgetCost();  // the first steps paid for allocations and cold caches
  const int most = std::min(kMostAtOnce, max_sequences);
  for (int sequences = 1; sequences <= most && error.ok(); sequences *= 2) {
    RunRound(loop, sequences, pieces, frame_samples, &error);
  }
  loop.SettleCost();
  loop.ForgetStatistics();
  return error;
}

}  // namespace antiphon
