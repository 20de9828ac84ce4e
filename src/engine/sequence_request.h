// What the owner of a sequence asks of the engine's thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "antiphon/engine.h"
#include "antiphon/types.h"
#include "engine/sequence_snapshot.h"

namespace antiphon {

class SequencePort;

struct HeardFrame {
  std::vector<float> samples;  // frame_samples
  TimePoint received;          // of the last sample
  TimePoint given{};           // when it came here, which is later where it was not known to be speech
};

struct TypedText {
  std::string text;             // as it was typed
  std::vector<int64_t> pieces;  // of it; not empty
  TimePoint received;
};

// A picture is typed, as far as positions go: it has a symbol at each of its own.
struct ShownImage {
  std::vector<int64_t> pieces;  // `<image>`, its codes, `</image>`
  TimePoint received;
};

// What a function has come to: likewise.
struct FunctionResult {
  std::vector<int64_t> pieces;  // `<result>`, those of its text, `</result>`
  TimePoint received;
};

// What the model reads of the functions that it may call, at the beginning of a turn. Not posted: the engine
// puts it before the turn's first input.
struct FunctionDeclaration {
  std::vector<int64_t> pieces;  // `<tools>`, those of the signatures, `</tools>`
  TimePoint received;           // of that input
};

// A frame of the user's video: a picture that opens no turn.
struct VideoFrame {
  std::vector<int64_t> pieces;  // as of ShownImage
  TimePoint received;
};

struct TurnEndRequest {
  TurnEndCause cause = TurnEndCause::kCommit;
  TimePoint received;
  bool cancelled = false;  // a cancel came behind it: its response ends as it begins
};

struct ClearRequest {
  int calls = 1;  // each is answered
};
struct CancelRequest {};
struct CutRequest {
  int frames = 0;  // of the last response that were heard
};
struct PaceRequest {
  int frames = 0;  // of the response under way that its playback needs
  TimePoint playback_began;
};
struct ExpectTurnEndRequest {};
struct ForkRequest {
  std::shared_ptr<SequencePort> port;  // of the fork
  ForkOptions options;
};
struct ExportRequest {};
struct RestoreRequest {
  SequenceSnapshot snapshot;
};
struct ConfigureRequest {
  SequenceOptions options;
};
struct DeclareRequest {
  std::vector<int64_t> pieces;  // of the signatures; empty: there are no functions
};
struct InstructRequest {
  std::vector<int64_t> pieces;  // of the instructions; empty: there are none
};

using SequenceRequest =
    std::variant<HeardFrame, TypedText, ShownImage, VideoFrame, TurnEndRequest, ClearRequest, CancelRequest,
                 CutRequest, PaceRequest, ExpectTurnEndRequest, ForkRequest, ExportRequest, RestoreRequest,
                 ConfigureRequest, FunctionResult, FunctionDeclaration, DeclareRequest, InstructRequest>;

// Opens a turn, if none is open. The others are signals, but for a VideoFrame.
inline bool IsInput(const SequenceRequest& request) {
  return std::holds_alternative<HeardFrame>(request) || std::holds_alternative<TypedText>(request) ||
         std::holds_alternative<ShownImage>(request) || std::holds_alternative<FunctionResult>(request) ||
         std::holds_alternative<FunctionDeclaration>(request);
}

inline bool EndsTurn(const SequenceRequest& request) {
  return std::holds_alternative<TurnEndRequest>(request);
}

// The symbols of what is typed, shown or declared, one a position; none of any other request.
inline std::span<const int64_t> PiecesOf(const SequenceRequest& request) {
  if (const auto* text = std::get_if<TypedText>(&request)) return text->pieces;
  if (const auto* image = std::get_if<ShownImage>(&request)) return image->pieces;
  if (const auto* frame = std::get_if<VideoFrame>(&request)) return frame->pieces;
  if (const auto* result = std::get_if<FunctionResult>(&request)) return result->pieces;
  if (const auto* declaration = std::get_if<FunctionDeclaration>(&request)) return declaration->pieces;
  return {};
}

// Appends `request`, or merges it with a signal of its kind that came since the last input: clears add up,
// the newest of any other kind takes the older one's place, a turn end said again is dropped. The newest
// options, functions and instructions take the place of those since the last input or turn end: an owner that
// forks or exports and then changes them waits for the answer first, or they may count for that already.
// However many signals come, there are never more than a handful for each input.
void AppendOrMerge(SequenceRequest request, std::deque<SequenceRequest>* requests);

}  // namespace antiphon
