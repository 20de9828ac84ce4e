#include "engine/video_window.h"

#include <cassert>
#include <utility>

namespace antiphon {

void VideoWindow::Add(VideoFrame frame, Moment moment, size_t most) {
  const size_t begun = run_ > 0 ? 1 : 0;
  if (moment == Moment::kInTurn && waiting_.size() > begun && waiting_.back().came == Moment::kInTurn) {
    waiting_.pop_back();
    ++dropped_;
  }
  waiting_.push_back({std::move(frame), moment});
  KeepNewest(most);
}

void VideoWindow::KeepNewest(size_t most) {
  const size_t begun = run_ > 0 ? 1 : 0;
  while (waiting_.size() > begun + most) {
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(begun));
    ++dropped_;
  }
}

const VideoFrame* VideoWindow::Next(bool turn_end_waits) const {
  if (waiting_.empty()) return nullptr;
  if (turn_end_waits && waiting_.front().came == Moment::kBehindTurnEnd) return nullptr;
  return &waiting_.front().frame;
}

void VideoWindow::Ran(int64_t pieces, int64_t length) {
  assert(!waiting_.empty());
  run_ += pieces;
  const auto rows = static_cast<int64_t>(waiting_.front().frame.pieces.size());
  if (run_ < rows) return;
  places_.push_back({length - rows, std::move(waiting_.front().frame)});
  waiting_.pop_front();
  run_ = 0;
  ++shown_;
}

void VideoWindow::DropFirst() {
  assert(!waiting_.empty());
  waiting_.pop_front();
  run_ = 0;
  ++dropped_;
}

int64_t VideoWindow::rows_in_context() const {
  int64_t rows = 0;
  for (const Place& place : places_) rows += place.rows();
  return rows;
}

std::vector<int64_t> VideoWindow::firsts() const {
  std::vector<int64_t> firsts;
  for (const Place& place : places_) firsts.push_back(place.first);
  return firsts;
}

void VideoWindow::OldestLeft() {
  const int64_t rows = oldest_rows();
  places_.pop_front();
  for (Place& place : places_) place.first -= rows;
}

void VideoWindow::ForgetTurn(int64_t length, size_t most) {
  run_ = 0;
  int again = 0;
  for (; !places_.empty() && places_.back().first >= length; ++again) {
    waiting_.push_front({std::move(places_.back().frame), Moment::kBetweenTurns});
    places_.pop_back();
  }
  dropped_ += shown_ - again;  // the others of the turn have left it already
  shown_ = 0;
  KeepNewest(most);
}

void VideoWindow::ForgetContext() {
  places_.clear();
  dropped_ += std::exchange(shown_, 0);
}

void VideoWindow::TurnEnds() {
  for (Waiting& waiting : waiting_) waiting.came = Moment::kBetweenTurns;
}

int VideoWindow::TakeDropped() { return std::exchange(dropped_, 0); }

}  // namespace antiphon
