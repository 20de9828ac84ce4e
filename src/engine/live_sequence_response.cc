// The response of a sequence: how it begins, what its owner is told of each position, how it ends.
#include <algorithm>
#include <deque>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>
#include <variant>

#include "engine/live_sequence.h"

namespace antiphon {

void LiveSequence::BeginResponse(TurnEndCause cause, TimePoint ended, bool cancelled) {
  cancelled |= !answers_;
  if (cancelled) DropSpeculation();
  std::optional<Speculation> begun = std::exchange(speculation_, std::nullopt);
  DropWaitingFrames(cause == TurnEndCause::kModel);
  video_.TurnEnds();
  turn_lost_ = false;
  turn_options_ = options_;
  OpenResponse(&state_);
  response_begin_ = state_.length();
  response_spoken_ = options_.speak;
  speech_over_ = false;
  answer_.clear();
  alignment_.Reset();
  answer_decoder_ = {};
  spoken_frames_ = 0;
  spoken_samples_ = 0;
  frames_needed_ = options_.unpaced_frames > 0 ? options_.unpaced_frames : std::numeric_limits<int>::max();
  image_codes_.clear();
  drawn_images_ = 0;
  calls_ = 0;
  call_pieces_ = 0;
  last_run_ = context_.clock.Now();
  first_audio_deadline_ = ended + context_.first_audio_target;
  port_->Deliver(turn_, TurnEnded{.cause = cause,
                                  .transcript = transcript_,
                                  .heard_frames = heard_frames_,
                                  .text_pieces = text_pieces_,
                                  .texts = texts_,
                                  .images = images_,
                                  .at = last_run_,
                                  .video_frames = video_.shown(),
                                  .dropped_video_frames = video_.TakeDropped(),
                                  .function_results = results_,
                                  .function_pieces = function_pieces_});
  if (cancelled) EndResponse(ResponseEnd::kCancelled, OkStatus());
  if (begun) KeepSpeculation(*std::move(begun));
}

void LiveSequence::OpenResponse(SequenceState* state) const {
  const ResponseLimits limits{.max_pieces = options_.max_response_pieces,
                              .max_frames = options_.max_response_frames,
                              .max_images = options_.max_response_images,
                              .may_call = !functions_.empty() && FunctionsInContext() == functions_};
  context_.grammar.BeginResponse(options_.speak, limits, &state->stream);
  state->ResetAudio();
  if (context_.codec.has_manners()) state->decoder.manner = options_.manner;
  state->answer.clear();
}

// Frames that wait when the turn ends were heard too late for it. When the model ended it, an EndTurn that
// waits behind them was meant for this turn as well: it has become a no-op.
void LiveSequence::DropWaitingFrames(bool turn_end_too) {
  std::deque<SequenceRequest> kept;
  for (SequenceRequest& request : waiting_) {
    if (std::holds_alternative<HeardFrame>(request)) {
      GiveBack(1, 0);
      continue;
    }
    if (EndsTurn(request) && std::exchange(turn_end_too, false)) continue;
    if (IsInput(request)) turn_end_too = false;
    kept.push_back(std::move(request));
  }
  waiting_ = std::move(kept);
}

bool LiveSequence::BeginsWord(int64_t piece) const { return context_.tokenizer.text(piece).starts_with(' '); }

void LiveSequence::FinishAnswer(const AnswerOutcome& outcome, std::vector<float> speech) {
  const TimePoint now = last_run_;
  if (outcome.piece >= 0) {
    if (BeginsWord(outcome.piece)) {
      alignment_.AddWord(outcome.piece, static_cast<int64_t>(answer_.size()));
    }
    answer_.push_back(outcome.piece);
    std::string delta = answer_decoder_.Append(context_.tokenizer, outcome.piece);
    if (!delta.empty()) port_->Deliver(turn_, ResponseText{std::move(delta), now});
  }
  if (outcome.image_begun || outcome.image_code >= 0) FinishImageSymbol(outcome);
  if (outcome.call_begun || outcome.call_piece >= 0 || outcome.call_complete) FinishCallSymbol(outcome);
  if (outcome.speed || outcome.voice) {
    port_->Deliver(turn_, MannerChosen{.voice = outcome.voice, .speed = outcome.speed, .at = now});
  }
  if (outcome.has_frame) {
    if (spoken_frames_++ == 0) playback_began_ = now;
    spoken_samples_ += static_cast<int64_t>(speech.size());
    port_->Deliver(turn_, ResponseAudio{std::move(speech), now});
  }
  speech_over_ |= outcome.audio_over;
  if (outcome.done) {
    EndResponse(stream().incomplete ? ResponseEnd::kIncomplete : ResponseEnd::kCompleted, OkStatus());
  }
}

void LiveSequence::PaceSpeech(const PaceRequest& pace) {
  if (!stream().in_response() || spoken_frames_ == 0) return;
  frames_needed_ = std::max(frames_needed_, pace.frames);
  playback_began_ = pace.playback_began;
}

// Of the codes the owner is told row by row: a message a code would cost more than it shows.
void LiveSequence::FinishImageSymbol(const AnswerOutcome& outcome) {
  if (outcome.image_begun) {
    image_codes_.clear();
  } else {
    image_codes_.push_back(static_cast<int>(outcome.image_code));
  }
  if (static_cast<int64_t>(image_codes_.size()) % context_.config.image.grid == 0) {
    port_->Deliver(turn_, ResponseImage{.index = drawn_images_, .codes = image_codes_, .at = last_run_});
  }
  if (outcome.image_complete) ++drawn_images_;
}

void LiveSequence::EndResponse(ResponseEnd end, const Status& error) {
  if (stream().in_response()) context_.grammar.CancelResponse(&state_.stream);
  port_->Deliver(turn_,
                 ResponseDone{.end = end,
                              .error = error,
                              .text_pieces = static_cast<int>(answer_.size()),
                              .spoken_frames = spoken_frames_,
                              .images = drawn_images_,
                              .context_positions = static_cast<int>(state_.length() + PositionsToRerun()),
                              .calls = calls_,
                              .call_pieces = call_pieces_});
}

}  // namespace antiphon
