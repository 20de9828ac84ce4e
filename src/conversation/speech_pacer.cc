#include "conversation/speech_pacer.h"

#include <algorithm>
#include <utility>

namespace antiphon {

void SpeechPacer::Push(std::vector<OutputPacket> packets) {
  for (OutputPacket& packet : packets) {
    samples_ += packet.samples;
    waiting_.push_back(std::move(packet));
  }
}

void SpeechPacer::Drop() {
  waiting_.clear();
  samples_ = 0;
}

std::vector<OutputPacket> SpeechPacer::PopDue(TimePoint now, std::chrono::milliseconds max_lead) {
  std::vector<OutputPacket> due;
  uint64_t samples = 0;
  while (DueAt(samples, max_lead) <= now) {
    samples += waiting_.front().samples;
    due.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  samples_ -= samples;
  return due;
}

TimePoint SpeechPacer::DueAt(uint64_t ahead, std::chrono::milliseconds max_lead) const {
  if (waiting_.empty() || playback_.paused()) return TimePoint::max();
  const uint64_t packet = waiting_.front().samples;
  const auto lead = static_cast<uint64_t>(max_lead.count()) * static_cast<uint64_t>(rate_) / 1000;
  const uint64_t room = std::max(lead, 2 * packet) - packet;
  const uint64_t sent = playback_.sent() + ahead;
  return playback_.PlayedAt(sent - std::min(sent, room));
}

}  // namespace antiphon
