#include "conversation/ear.h"

#include <algorithm>
#include <cassert>
#include <string>
#include <utility>

namespace antiphon {
namespace {

constexpr int kRate = VoiceActivityDetector::kSampleRate;
// A voice is known some 100 ms after it set in; with the longest padding and the frame begun that is 1180 ms
// of 80 ms frames.
constexpr int kRingMs = 1280;
constexpr int kRecentMs = 1500;  // longer than the ring
constexpr int kWarmUpMs = 20;    // more than the resampler looks back, and whole samples at every rate
// What voice activity judges at a time: what is told of it stands where it belongs among the frames.
constexpr size_t kSliceSamples = VoiceActivityDetector::kFrameSamples;
// How long a voice may be setting in before it has or was none.
constexpr int64_t kUndecidedSamples = kRate * 100 / 1000;

}  // namespace

Result<Ear> Ear::Create(const ModelDescription& model, int input_rate) {
  if (model.sample_rate != kRate || model.frame_samples <= 0) {
    return InvalidArgument("the model's audio has " + std::to_string(model.sample_rate) +
                           " Hz and frames of " + std::to_string(model.frame_samples) +
                           " samples; 16000 Hz is what can be heard");
  }
  auto resampler = Resampler::Create(input_rate, kRate);
  if (!resampler.ok()) return resampler.status();
  auto voice = VoiceActivityDetector::Create({});
  if (!voice.ok()) return voice.status();
  return Ear(std::move(*resampler), std::move(*voice), model.frame_samples);
}

Ear::Ear(Resampler resampler, VoiceActivityDetector voice, int frame_samples)
    : resampler_(std::move(resampler)),
      voice_(std::move(voice)),
      gate_(frame_samples, std::max(1, kRingMs * kRate / 1000 / frame_samples)) {
  Configure({});
}

void Ear::Configure(const TurnDetection& detection) {
  [[maybe_unused]] const Status taken = voice_.Configure(ListeningFor(detection));
  assert(taken.ok() && "settings that the configuration allows");
  lead_ = int64_t{kRate} * detection.prefix_padding_ms / 1000;
  const int64_t most_silence = kRate * SilenceInAudio(detection).count() / 1000;
  if (std::exchange(most_silence_, most_silence) != most_silence) long_silence_ = false;
}

void Ear::Reset(int input_rate, uint64_t first_offset) {
  if (input_rate == resampler_.input_rate()) {
    resampler_.Reset();
  } else if (auto resampler = Resampler::Create(input_rate, kRate); resampler.ok()) {
    resampler_ = std::move(*resampler);  // never refused for the rates that configuration allows
  }
  enhancer_.Reset();
  voice_.Reset();
  gate_.Reset(0);
  arrivals_.Reset();
  first_offset_ = first_offset;
  to_skip_ = 0;
  skipped_ = 0;
  recent_.clear();
  pushed_ = 0;
  voice_end_ = 0;
  last_voice_.reset();
  long_silence_ = false;
}

std::vector<float> Ear::LastSamples(bool within_voice) const {
  const auto rate = static_cast<uint64_t>(input_rate());
  uint64_t count = rate * kRecentMs / 1000;
  uint64_t before = 0;  // silence before the first sample
  if (within_voice) {
    const uint64_t begin = (gate_.first_kept() + static_cast<uint64_t>(skipped_)) * rate / kRate;
    const uint64_t warm_up = rate * kWarmUpMs / 1000;
    count = pushed_ - (begin - std::min(begin, warm_up));
    before = warm_up - std::min(begin, warm_up);
  }
  count = std::min<uint64_t>(count, recent_.size());
  std::vector<float> last(before, 0.0f);
  last.insert(last.end(), recent_.end() - static_cast<std::ptrdiff_t>(count), recent_.end());
  return last;
}

void Ear::ResumeOpen(int input_rate, uint64_t first_offset, uint64_t voice_end, TimePoint now) {
  Reset(input_rate, first_offset);
  to_skip_ = static_cast<size_t>(kRate) * kWarmUpMs / 1000;
  skipped_ = static_cast<int64_t>(to_skip_);
  gate_.Open(0);
  last_voice_ = LastVoice{voice_end, now};
  last_arrival_ = now;
  last_length_ = Nanoseconds::zero();
}

std::vector<Heard> Ear::Push(std::span<const float> samples, TimePoint received) {
  pushed_ += samples.size();
  const size_t most = static_cast<size_t>(input_rate()) * kRecentMs / 1000;
  if (recent_.size() > 2 * most)
    recent_.erase(recent_.begin(), recent_.end() - static_cast<std::ptrdiff_t>(most));
  recent_.insert(recent_.end(), samples.begin(), samples.end());
  arrivals_.Add(pushed_, received);
  last_arrival_ = received;
  last_length_ = DurationOf(samples.size(), input_rate());
  std::vector<float> resampled;
  resampler_.Process(samples, &resampled);
  const size_t skipped = std::min(to_skip_, resampled.size());
  resampled.erase(resampled.begin(), resampled.begin() + static_cast<std::ptrdiff_t>(skipped));
  to_skip_ -= skipped;
  std::vector<float> enhanced;
  enhancer_.Process(resampled, &enhanced);
  std::vector<Heard> heard;
  for (size_t begin = 0; begin < enhanced.size(); begin += kSliceSamples) {
    const size_t count = std::min(kSliceSamples, enhanced.size() - begin);
    Process(std::span(enhanced).subspan(begin, count), received, &heard);
  }
  return heard;
}

std::vector<GatedFrame> Ear::Flush() {
  std::vector<float> rest;
  enhancer_.Flush(&rest);
  std::vector<GatedFrame> frames = gate_.Push(rest, last_arrival_);
  if (auto frame = gate_.Flush()) frames.push_back(*std::move(frame));
  return frames;
}

void Ear::Process(std::span<const float> samples, TimePoint received, std::vector<Heard>* heard) {
  std::vector<VoiceEvent> events;
  voice_.Process(samples, &events);
  NoteLastVoice();
  for (GatedFrame& frame : gate_.Push(samples, received)) {
    const bool near = LongSilenceIsNear(frame);
    heard->push_back(std::move(frame));
    if (near) heard->push_back(LongSilenceNear{});
  }
  for (const VoiceEvent& event : events) {
    if (event.kind == VoiceEvent::Kind::kStopped) {
      heard->push_back(VoiceStopped{Offset(event.offset)});
      continue;
    }
    const uint64_t onset = Offset(event.offset);
    heard->push_back(VoiceStarted{onset, arrivals_.TimeOf(onset - first_offset_)});
    if (gate_.is_open()) continue;
    const int64_t from = std::max<int64_t>(event.offset - lead_, 0);
    for (GatedFrame& frame : gate_.Open(static_cast<uint64_t>(from))) heard->push_back(std::move(frame));
  }
  NoteSilence(heard);
}

// Dates it now: the log does not reach back for ever.
void Ear::NoteLastVoice() {
  if (voice_.last_voice_end() == voice_end_) return;
  voice_end_ = voice_.last_voice_end();
  const uint64_t end = Offset(voice_end_);
  last_voice_ = LastVoice{end, arrivals_.TimeOf(end - 1 - first_offset_)};
  long_silence_ = false;
}

bool Ear::LongSilenceIsNear(const GatedFrame& frame) const {
  const auto length = static_cast<int64_t>(frame.samples.size());
  const int64_t silence = static_cast<int64_t>(frame.first_sample) + length - voice_.last_voice_end();
  return silence < most_silence_ && most_silence_ < silence + length;
}

// A pause that is shorter is only known to be so when the voice that ends it has set in.
void Ear::NoteSilence(std::vector<Heard>* heard) {
  if (most_silence_ == 0 || long_silence_ || !gate_.is_open()) return;
  const int64_t silence = voice_.judged() - voice_.last_voice_end();
  if (silence < most_silence_ + (voice_.undecided() ? kUndecidedSamples : 0)) return;
  long_silence_ = true;
  heard->push_back(LongSilence{*last_voice_});
}

uint64_t Ear::Offset(int64_t model_sample) const {
  return first_offset_ +
         static_cast<uint64_t>(model_sample + skipped_) * static_cast<uint64_t>(input_rate()) / kRate;
}

Nanoseconds Ear::SilenceReceived() const {
  return DurationOf(first_offset_ + pushed_ - last_voice_->end, input_rate());
}

Nanoseconds Ear::Silence(TimePoint now, TimePoint ready) const {
  const TimePoint quiet_from = std::max(last_arrival_ + last_length_, ready);
  return SilenceReceived() + std::max(now - quiet_from, Nanoseconds::zero());
}

}  // namespace antiphon
