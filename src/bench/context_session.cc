#include "bench/context_session.h"

#include <algorithm>
#include <random>
#include <utility>
#include <variant>
#include <vector>

namespace antiphon::bench {
namespace {

constexpr int kHeardFrames = 25;     // of a turn
constexpr int kSpokenFrames = 25;    // of an answer
constexpr int kFramesAhead = 10;     // of its playback
constexpr int kMostPositions = 400;  // of a conversation: then another begins

}  // namespace

ContextSession::ContextSession(Engine& engine, uint64_t seed)
    : engine_(engine),
      seed_(seed),
      frame_(int64_t{1'000'000'000} * engine.model().frame_samples / engine.model().sample_rate) {
  thread_ = std::thread([this] { Run(); });
}

ContextSession::~ContextSession() {
  if (thread_.joinable()) static_cast<void>(Stop());
}

ContextSessionTimes ContextSession::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
  sequence_.reset();  // no event comes behind this
  return std::move(times_);
}

void ContextSession::Fail(const Status& status) {
  const std::lock_guard lock(mutex_);
  if (times_.failure.ok()) times_.failure = status;
  stop_ = true;
}

void ContextSession::Run() {
  while (Open()) {
    for (int positions = 0; positions <= kMostPositions;) {
      if (!Hear() || !Speak()) return;
      const std::lock_guard lock(mutex_);
      ++times_.turns;
      positions = positions_;
    }
    sequence_.reset();
  }
}

bool ContextSession::Open() {
  SequenceOptions options;
  options.semantic_turns = false;
  options.max_response_frames = kSpokenFrames;
  options.max_response_pieces = kSpokenFrames / 2;
  options.unpaced_frames = kFramesAhead;
  options.sampling.seed = seed_;
  options.sampling.temperature = 1.0f;
  auto opened = engine_.Open(options, [this](uint64_t, const SequenceEvent& event) { On(event); });
  if (opened.ok()) {
    sequence_ = std::move(opened).value();
    return true;
  }
  Fail(opened.status());
  return false;
}

bool ContextSession::Hear() {
  std::mt19937_64 random(seed_);
  std::normal_distribution<float> noise(0.0f, 0.05f);
  std::vector<float> samples(static_cast<size_t>(engine_.model().frame_samples));
  TimePoint due = SystemClock::Get().Now();
  for (int frame = 0; frame < kHeardFrames; ++frame) {
    due += frame_;
    if (!SleepUntil(due)) return false;
    std::ranges::generate(samples, [&] { return noise(random); });
    {
      const std::lock_guard lock(mutex_);
      hearing_.push_back(due);
    }
    if (const Status taken = sequence_->AppendFrame(samples, due); !taken.ok()) {
      Fail(taken);
      return false;
    }
  }
  const std::lock_guard lock(mutex_);
  turn_end_ = due;
  done_ = false;
  frames_ = 0;
  return true;
}

// Until the answer has been played.
bool ContextSession::Speak() {
  sequence_->EndTurn(TurnEndCause::kCommit);
  for (;;) {
    TimePoint began;
    TimePoint over;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, frame_, [this] { return stop_; });
      if (stop_) return false;
      over = first_frame_ + frames_ * frame_;
      if (done_ && (frames_ == 0 || SystemClock::Get().Now() >= over)) return true;
      if (frames_ == 0) continue;
      began = first_frame_;
    }
    const int64_t played = (SystemClock::Get().Now() - began) / frame_;
    sequence_->PaceSpeech(static_cast<int>(std::min<int64_t>(played, kSpokenFrames)) + kFramesAhead, began);
  }
}

bool ContextSession::SleepUntil(TimePoint until) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_until(lock, until, [this] { return stop_; });
}

void ContextSession::On(const SequenceEvent& event) {
  const TimePoint now = SystemClock::Get().Now();
  const std::lock_guard lock(mutex_);
  if (const auto* room = std::get_if<RoomForFrames>(&event)) {
    for (int i = 0; i < room->frames && !hearing_.empty(); ++i) {
      const Nanoseconds took = now - hearing_.front();
      hearing_.pop_front();
      times_.heard.Add(Milliseconds(took));
      times_.heard_late += took > frame_ ? 1 : 0;
    }
  } else if (const auto* audio = std::get_if<ResponseAudio>(&event)) {
    if (frames_ == 0) {
      first_frame_ = audio->at;
      times_.first_audio.Add(Milliseconds(audio->at - turn_end_));
    }
    const Nanoseconds late = std::max(Nanoseconds::zero(), audio->at - (first_frame_ + frames_ * frame_));
    times_.spoken_late.Add(Milliseconds(late));
    times_.spoken_late_count += late > Nanoseconds::zero() ? 1 : 0;
    ++frames_;
  } else if (const auto* done = std::get_if<ResponseDone>(&event)) {
    done_ = true;
    positions_ = done->context_positions;
    if (!done->error.ok() && times_.failure.ok()) times_.failure = done->error;
  } else if (const auto* refused = std::get_if<InputRefused>(&event)) {
    if (times_.failure.ok()) times_.failure = refused->error;
  }
}

}  // namespace antiphon::bench
