// A loudspeaker that exists on paper: it starts to play with the first packet of an answer, or a set time
// after that, and waits only when it is paused. What it would have done is how the client counts underruns
// and margins.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "antiphon/types.h"

namespace antiphon::client {

// For one answer. Not thread-safe.
class Loudspeaker {
 public:
  // A sample this large or larger is audible: -50 dBFS.
  static constexpr float kAudible = 0.00316f;

  // `delay`: from the first packet to its being played. REQUIRES: sample_rate > 0, delay >= 0.
  explicit Loudspeaker(int sample_rate, std::chrono::milliseconds delay = {})
      : sample_rate_(sample_rate), delay_(delay) {}

  // The next piece of the answer.
  void Receive(TimePoint received, std::span<const float> samples);
  // It stops where it is, and goes on from there. What comes meanwhile is not late.
  void Pause(TimePoint now);
  void Resume(TimePoint now);

  // What comes next is another response: silence before it is no gap.
  void BeginNext();

  // How many samples of the response it has played by `now`, at most those received.
  uint64_t PlayedSamples(TimePoint now) const;

  std::optional<TimePoint> first_packet() const { return first_packet_; }
  // Arrival of the packet that held the first audible sample, and when that sample was played.
  std::optional<TimePoint> first_audible_received() const { return first_audible_received_; }
  std::optional<TimePoint> first_audible_played() const { return first_audible_played_; }
  // When the last sample received has been played, if it is not paused (any more). REQUIRES: first_packet().
  TimePoint end() const { return DueTime(samples_); }
  int underruns() const { return underruns_; }
  // Least audio left to play when a packet came, in ms; 0 before the second packet.
  double least_margin_ms() const { return least_margin_ms_.value_or(0); }

 private:
  // When the sample of this index is played, gaps so far included.
  TimePoint DueTime(uint64_t sample) const;

  const int sample_rate_;
  const std::chrono::milliseconds delay_;
  TimePoint start_{};  // of playing, moved later by each gap and pause
  std::optional<TimePoint> paused_;
  uint64_t samples_ = 0;
  uint64_t first_sample_ = 0;  // of the response
  bool begins_ = true;         // nothing of it has come
  std::optional<TimePoint> first_packet_;
  std::optional<TimePoint> first_audible_received_;
  std::optional<TimePoint> first_audible_played_;
  int underruns_ = 0;
  std::optional<double> least_margin_ms_;
};

}  // namespace antiphon::client
