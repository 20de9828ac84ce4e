// A sequence that is carried over: out of this process, or into it.
#include <algorithm>
#include <limits>
#include <utility>
#include <variant>

#include "engine/live_sequence.h"
#include "engine/sound_snapshot.h"

namespace antiphon {

// All that came before it is in it. False: a frame of video is half read, and has to be read first.
bool LiveSequence::Export() {
  if (video_.run() > 0) return false;
  ReadInstructions();
  SequenceSnapshot snapshot{.stream = stream(), .positions = PositionsFrom(0), .video = {}};
  for (const int64_t first : video_.firsts()) snapshot.video.push_back({first});
  if (stream().in_turn()) {
    snapshot.turn = TurnSnapshot{.before = before_turn_,
                                 .length_before = length_before_turn_,
                                 .transcript = transcript_,
                                 .decoder = transcript_decoder_.state(),
                                 .typed_last = typed_last_,
                                 .lost = turn_lost_,
                                 .heard_frames = heard_frames_,
                                 .text_pieces = text_pieces_,
                                 .texts = texts_,
                                 .images = images_,
                                 .results = results_,
                                 .function_pieces = function_pieces_,
                                 .video = video_.shown(),
                                 .hearing = Snapshot(state_.hearing)};
  }
  if (stream().in_response() || response_begin_) {
    snapshot.response = ResponseSnapshot{
        .begin = response_begin_,
        .spoken = response_spoken_,
        .speech_over = speech_over_,
        .answer = answer_,
        .decoder = answer_decoder_.state(),
        .words = {alignment_.words().begin(), alignment_.words().end()},
        .pieces_before = alignment_.pieces_before(),
        .scores = alignment_.scores(),
        .spoken_frames = spoken_frames_,
        .spoken_samples = spoken_samples_,
        .image_codes = image_codes_,
        .drawn_images = drawn_images_,
        .call_decoder = call_decoder_.state(),
        .calls = calls_,
        .call_pieces = call_pieces_,
        .sampling = turn_options_.sampling,
        .speech = stream().in_response() ? Snapshot(state_.decoder) : SoundSnapshot{},
    };
  }
  port_->Deliver(turn_, SequenceExported{WriteSnapshot(snapshot, context_.identity)});
  return true;
}

// Behind input that waits for a response to end: what was typed there would be in no snapshot.
void LiveSequence::RefuseExports() {
  if (std::erase_if(waiting_, [](const SequenceRequest& request) {
        return std::holds_alternative<ExportRequest>(request);
      }) > 0) {
    port_->Deliver(turn_, SequenceExported{});
  }
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
  // Turns are numbered from here: the one it stands in, or whose answer may still be cut, is the first.
  if (snapshot.turn || snapshot.response) turn_ = 1;
  if (snapshot.turn) RestoreTurn(*snapshot.turn);
  if (snapshot.response) RestoreResponse(*std::move(snapshot.response));
}

void LiveSequence::RestoreTurn(const TurnSnapshot& turn) {
  before_turn_ = turn.before;
  length_before_turn_ = turn.length_before;
  transcript_ = turn.transcript;
  transcript_decoder_ = TextDecoder(turn.decoder);
  typed_last_ = turn.typed_last;
  turn_lost_ = turn.lost;
  heard_frames_ = turn.heard_frames;
  text_pieces_ = turn.text_pieces;
  texts_ = turn.texts;
  images_ = turn.images;
  results_ = turn.results;
  function_pieces_ = turn.function_pieces;
  video_.RestoreTurn(turn.video);
  RestoreSound(turn.hearing, &state_.hearing);
  // What the ears had heard before cannot be recorded: a replay would hear the rest with fresh ones.
  recorder_.Set(nullptr);
}

void LiveSequence::RestoreResponse(ResponseSnapshot response) {
  response_begin_ = response.begin;
  response_spoken_ = response.spoken;
  speech_over_ = response.speech_over;
  answer_ = std::move(response.answer);
  answer_decoder_ = TextDecoder(response.decoder);
  for (size_t i = 0; i < response.words.size(); ++i) {
    alignment_.AddWord(response.words[i], response.pieces_before[i]);
  }
  for (std::vector<float>& scores : response.scores) alignment_.AddFrame(std::move(scores));
  spoken_frames_ = response.spoken_frames;
  spoken_samples_ = response.spoken_samples;
  image_codes_ = std::move(response.image_codes);
  drawn_images_ = response.drawn_images;
  call_decoder_ = TextDecoder(response.call_decoder);
  calls_ = response.calls;
  call_pieces_ = response.call_pieces;
  turn_options_ = options_;
  turn_options_.sampling = response.sampling;
  frames_needed_ = options_.unpaced_frames > 0 ? std::max(options_.unpaced_frames, spoken_frames_)
                                               : std::numeric_limits<int>::max();
  last_run_ = context_.clock.Now();
  first_audio_deadline_ = last_run_ + context_.first_audio_target;
  // As if all that was made had just been played, until PaceSpeech says better.
  playback_began_ = last_run_ - DurationOf(spoken_samples_, context_.config);
  if (!stream().in_response()) return;
  state_.answer = answer_;
  RestoreSound(response.speech, &state_.decoder);
}

}  // namespace antiphon
