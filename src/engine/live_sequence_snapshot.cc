// A sequence that is carried over: out of this process, or into it.
#include <utility>

#include "engine/live_sequence.h"

namespace antiphon {

void LiveSequence::Export() {
  if (stream().in_turn() || stream().in_response()) {
    port_->Deliver(turn_, SequenceExported{});
    return;
  }
  ReadInstructions();
  SequenceSnapshot snapshot{.stream = stream(), .positions = state_.positions, .video = {}};
  snapshot.positions.insert(snapshot.positions.end(),
                            rerun_.begin() + static_cast<std::ptrdiff_t>(rerun_done_), rerun_.end());
  for (const int64_t first : video_.firsts()) snapshot.video.push_back({first});
  port_->Deliver(turn_, SequenceExported{WriteSnapshot(snapshot, context_.identity)});
}

void LiveSequence::Restore(SequenceSnapshot snapshot) {
  const bool fresh = state_.length() == 0 && rerun_.empty() && stream().phase == StreamState::Phase::kNew;
  if (!fresh || snapshot.positions.empty()) return;
  state_.stream = snapshot.stream;
  for (const SequenceSnapshot::VideoPlace& place : snapshot.video) {
    VideoFrame frame{.pieces = {}, .received = context_.clock.Now()};
    for (int64_t i = 0; i < context_.config.image.symbols(); ++i) {
      frame.pieces.push_back(snapshot.positions[static_cast<size_t>(place.first + i)].symbol);
    }
    video_.Restore(place.first, std::move(frame));
  }
  rerun_ = std::move(snapshot.positions);
  rerun_done_ = rerun_begin_ = 0;
  TakeKnownPrefix();
}

}  // namespace antiphon
